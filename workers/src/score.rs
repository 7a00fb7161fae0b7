//! The rows of a file, labelled by the same engine as the stream, in the class of work that may wait.
//!
//! Memory is bounded by a chunk of rows. The output appears under its name when it is whole; a row that cannot be labelled
//! stands in it with the reason.

use std::collections::BTreeMap;

use engine::{Class, Client};
use ingest::history::ReadProgress;
use ingest::texts::{Chunk, RowText, Rows, TextFile};
use sink::scored::{RowAnswer, ScoredFile};
use tokio_util::sync::CancellationToken;

use crate::error::WorkerError;
use crate::model_source;
use crate::settings::Config;

/// A file that is being labelled.
pub struct Scoring {
    model: Client,
    input: TextFile,
    out: ScoredFile,
    summary: Summary,
}

/// What came of the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub rows: u64,
    pub labeled: u64,
    /// Rows by their label.
    pub labels: BTreeMap<String, u64>,
    /// Rows without a label, by the reason.
    pub problems: BTreeMap<String, u64>,
}

impl Scoring {
    /// Loads the model of the settings.
    ///
    /// # Errors
    /// When the package cannot be fetched or used.
    pub fn start(
        config: &Config,
        input: TextFile,
        out: ScoredFile,
        stop: &CancellationToken,
    ) -> Result<Self, WorkerError> {
        let model = engine::load::load(&model_source::model(config, stop)?)?.of_class(Class::Background);
        Ok(Self { model, input, out, summary: Summary::default() })
    }

    /// Labels the next chunk and writes its rows; `None` at the end, else how many they were.
    ///
    /// # Errors
    /// When the input cannot be read, the output cannot be written, or the model fails.
    pub fn step(&mut self) -> Result<Option<usize>, WorkerError> {
        let Some(chunk) = self.input.next().transpose()? else { return Ok(None) };
        let Chunk { rows, texts } = chunk;
        let answers = answer(&self.model, &texts)?;
        match &rows {
            Rows::Members(rows) => self.out.write_members(rows, &answers)?,
            Rows::Columns(rows) => self.out.write_columns(rows, &answers)?,
        }
        answers.iter().for_each(|answer| self.summary.count(answer));
        Ok(Some(answers.len()))
    }

    /// How far the input is read.
    pub fn progress(&self) -> ReadProgress {
        self.input.progress()
    }

    /// Gives the output its name, unless no row was labelled.
    ///
    /// # Errors
    /// When the rest cannot be written.
    pub fn finish(self) -> Result<Summary, WorkerError> {
        if self.summary.labeled > 0 {
            self.out.finish()?;
        }
        Ok(self.summary)
    }
}

/// The labels of each text, in order.
fn answer(model: &Client, texts: &[RowText]) -> Result<Vec<RowAnswer>, WorkerError> {
    let usable: Vec<&str> = texts.iter().flatten().map(String::as_str).collect();
    let mut answers = model.predict(&usable)?.into_iter();
    let answers = texts.iter().map(|text| match text {
        Err(problem) => Err(problem.to_string()),
        Ok(_) => match answers.next().expect("one answer for each usable text") {
            Ok(prediction) => Ok(prediction.labels.clone()),
            Err(error) => Err(service::chain(&*error)),
        },
    });
    Ok(answers.collect())
}

impl Summary {
    fn count(&mut self, answer: &RowAnswer) {
        self.rows += 1;
        match answer {
            Ok(labels) => {
                self.labeled += 1;
                let label = labels.label.as_deref().unwrap_or("(no label)");
                *self.labels.entry(label.to_owned()).or_default() += 1;
            }
            Err(problem) => *self.problems.entry(problem.clone()).or_default() += 1,
        }
    }
}
