//! The columns that an answer adds to a row: label, score, the best labels, and why there is none.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float32Array, Float32Builder, ListBuilder, RecordBatch, StringArray, StringBuilder, StructBuilder,
};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::error::ArrowError;
use schemas::Labels;
use serde::ser::SerializeMap;

/// What the model says about one row, or why nothing.
pub type RowAnswer = Result<Labels, String>;

/// The names of the added columns.
pub(super) struct Added {
    label: String,
    score: String,
    /// `None` where only the best label is wanted.
    labels: Option<String>,
    error: String,
}

impl Added {
    pub(super) fn new(prefix: &str, with_labels: bool) -> Self {
        let name = |end: &str| format!("{prefix}{end}");
        Self {
            label: name("label"),
            score: name("score"),
            labels: with_labels.then(|| name("labels")),
            error: name("error"),
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        [Some(&self.label), Some(&self.score), self.labels.as_ref(), Some(&self.error)]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// The rows with the added columns behind their own.
    pub(super) fn join(&self, rows: &RecordBatch, answers: &[RowAnswer]) -> Result<RecordBatch, ArrowError> {
        let schema = rows.schema();
        let mut fields: Vec<_> = schema.fields().iter().map(Arc::clone).collect();
        let mut columns = rows.columns().to_vec();
        let mut add = |name: &str, column: ArrayRef| {
            fields.push(Arc::new(Field::new(name, column.data_type().clone(), true)));
            columns.push(column);
        };
        let label =
            |answer: &RowAnswer| answer.as_ref().ok().and_then(|labels| labels.label.as_deref().map(str::to_owned));
        add(&self.label, Arc::new(answers.iter().map(label).collect::<StringArray>()));
        add(
            &self.score,
            Arc::new(answers.iter().map(|answer| answer.as_ref().ok().and_then(score)).collect::<Float32Array>()),
        );
        if let Some(name) = &self.labels {
            add(name, best(answers));
        }
        let error = |answer: &RowAnswer| answer.as_ref().err().cloned();
        add(&self.error, Arc::new(answers.iter().map(error).collect::<StringArray>()));
        let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
        RecordBatch::try_new(Arc::new(schema), columns)
    }

    /// The same as members of a JSON object.
    pub(super) fn members<M: SerializeMap>(&self, map: &mut M, answer: &RowAnswer) -> Result<(), M::Error> {
        let labels = answer.as_ref().ok();
        map.serialize_entry(&self.label, &labels.and_then(|labels| labels.label.as_deref()))?;
        map.serialize_entry(&self.score, &labels.and_then(score))?;
        if let Some(name) = &self.labels {
            map.serialize_entry(name, &labels.map(|labels| &labels.top))?;
        }
        map.serialize_entry(&self.error, &answer.as_ref().err())
    }
}

/// The probability of the winner; a regression's value.
fn score(labels: &Labels) -> Option<f32> {
    labels.score.or(labels.value)
}

/// The best labels as lists of structures.
fn best(answers: &[RowAnswer]) -> ArrayRef {
    let fields =
        Fields::from(vec![Field::new("label", DataType::Utf8, false), Field::new("score", DataType::Float32, false)]);
    let entry = StructBuilder::new(fields, vec![Box::new(StringBuilder::new()), Box::new(Float32Builder::new())]);
    let mut lists = ListBuilder::new(entry);
    for answer in answers {
        if let Ok(labels) = answer {
            for label in &labels.top {
                let entry = lists.values();
                entry.field_builder::<StringBuilder>(0).expect("built as texts above").append_value(&*label.label);
                entry.field_builder::<Float32Builder>(1).expect("built as f32 above").append_value(label.score);
                entry.append(true);
            }
        }
        lists.append(answer.is_ok());
    }
    Arc::new(lists.finish())
}
