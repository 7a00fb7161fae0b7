//! A Parquet file as labelled events: known columns go where a labelled event has them, all others stay members.
//!
//! | column | becomes |
//! |---|---|
//! | `label` | `label`; it must be there, and is null where the model abstained |
//! | `score` | `score`; null without the column |
//! | `model`, `model_version` | `model.name`, `model.version`; the file's name and `unknown` without them |
//! | `event_time` | `source.event_time_ms`; a timestamp, a date, an RFC 3339 text, or a number since 1970 UTC, as it is |
//! | `id` | `source.id` |
//! | `characters`, `n_tokens`, `truncated`, `unknown_rate`, `entropy`, `margin` | the same in `signals` |
//! | `model`, `signals`, `source` as structures | themselves |
//!
//! A time without a zone is UTC.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::vec;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, StructArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use arrow::error::ArrowError;
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::error::HistoryError;
use super::progress::{Item, ReadProgress};

/// Rows that are turned into payloads at once: some hundred kilobytes of text.
const BATCH_ROWS: usize = 1024;

/// The column of event times.
const TIME: &str = "event_time";

/// Members of a labelled event's `signals`, each a column of its own here.
const SIGNALS: [(&str, DataType); 6] = [
    ("characters", DataType::Int64),
    ("n_tokens", DataType::Int64),
    ("truncated", DataType::Boolean),
    ("unknown_rate", DataType::Float64),
    ("entropy", DataType::Float64),
    ("margin", DataType::Float64),
];

pub(super) struct Table {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    /// The model of rows that name none.
    model: String,
    /// Event times are moments, dates or texts; else they are numbers in a unit that the reader knows.
    has_moments: bool,
    /// Rows before the end of each row group.
    group_ends: Vec<i64>,
    total_bytes: u64,
    /// Rows of the batches that have been read.
    rows: i64,
    payloads: vec::IntoIter<Item>,
}

impl Table {
    pub(super) fn open(path: &Path, file: File) -> Result<Self, HistoryError> {
        let failed = |source| HistoryError::Parquet { path: path.to_owned(), source };
        let total_bytes = file.metadata().map_err(|error| failed(error.into()))?.len();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
        check(path, builder.schema())?;
        let mut rows = 0;
        let groups = builder.metadata().row_groups().iter();
        let group_ends = groups.map(|group| {
            rows += group.num_rows();
            rows
        });
        let group_ends = group_ends.collect();
        let has_moments = is_moment(builder.schema());
        let batches = builder.with_batch_size(BATCH_ROWS).build().map_err(failed)?;
        let model = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let payloads = Vec::new().into_iter();
        Ok(Self { path: path.to_owned(), batches, model, has_moments, group_ends, total_bytes, rows: 0, payloads })
    }

    pub(super) fn has_moments(&self) -> bool {
        self.has_moments
    }

    /// By rows: they are in the order of the file and about equally large.
    pub(super) fn progress(&self) -> ReadProgress {
        let total = self.group_ends.last().copied().unwrap_or(0);
        let left = i64::try_from(self.payloads.len()).unwrap_or(0);
        let (read, total) = (u128::try_from(self.rows - left).unwrap_or(0), u128::try_from(total).unwrap_or(0));
        let bytes = u128::from(self.total_bytes) * read / total.max(1);
        ReadProgress { read_bytes: u64::try_from(bytes).unwrap_or(self.total_bytes), total_bytes: self.total_bytes }
    }

    pub(super) fn next_item(&mut self) -> Result<Option<Item>, HistoryError> {
        loop {
            if let Some(item) = self.payloads.next() {
                return Ok(Some(item));
            }
            let Some(batch) = self.batches.next() else { return Ok(None) };
            let group = self.group_of(self.rows);
            let failed = |source| HistoryError::RowGroup { path: self.path.clone(), row_group: group, source };
            let batch = batch.map_err(failed)?;
            let events = self.events(&batch)?;
            self.payloads = payloads(&events, self.rows).map_err(failed)?.into_iter();
            self.rows += count(&batch);
        }
    }

    /// The columns as the members of labelled events.
    fn events(&self, batch: &RecordBatch) -> Result<RecordBatch, HistoryError> {
        let mut members: Vec<(Field, ArrayRef)> = Vec::new();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            if !is_known(field.name(), field.data_type()) {
                members.push(member(field.name(), self.in_utc(column)?));
            }
        }
        members.push(member("label", self.cast(batch, "label", &DataType::Utf8)?));
        members.push(member("score", self.cast_or_null(batch, "score", &DataType::Float64)?));
        if !is_structure(batch, "model") {
            members.push(structure(
                "model",
                [
                    ("name", self.text_or(batch, "model", &self.model)?),
                    ("version", self.text_or(batch, "model_version", "unknown")?),
                ],
            ));
        }
        if !is_structure(batch, "signals") {
            let signals = SIGNALS.iter().filter(|(name, _)| batch.column_by_name(name).is_some());
            let signals = signals.map(|(name, kind)| Ok((*name, self.cast(batch, name, kind)?)));
            let signals = signals.collect::<Result<Vec<_>, HistoryError>>()?;
            if !signals.is_empty() {
                members.push(structure("signals", signals));
            }
        }
        if !is_structure(batch, "source") {
            members.push(structure(
                "source",
                [("id", self.cast_or_null(batch, "id", &DataType::Utf8)?), ("event_time_ms", self.time(batch)?)],
            ));
        }
        let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = members.into_iter().unzip();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|source| HistoryError::RowGroup {
            path: self.path.clone(),
            row_group: self.group_of(self.rows),
            source,
        })
    }

    /// Milliseconds since 1970 UTC, or the numbers as they are.
    fn time(&self, batch: &RecordBatch) -> Result<ArrayRef, HistoryError> {
        let name = TIME;
        match batch.column_by_name(name).map(|column| column.data_type()) {
            Some(kind) if kind.is_integer() => return self.cast(batch, name, &DataType::Int64),
            Some(kind) if kind.is_numeric() => return self.cast(batch, name, &DataType::Float64),
            _ => {}
        }
        let moment = self.cast_or_null(batch, name, &utc(TimeUnit::Millisecond))?;
        self.convert(&moment, name, &DataType::Int64)
    }

    /// A column of texts; without the column, the same text in every row.
    fn text_or(&self, batch: &RecordBatch, name: &'static str, absent: &str) -> Result<ArrayRef, HistoryError> {
        if batch.column_by_name(name).is_none() {
            return Ok(Arc::new(StringArray::from(vec![absent; batch.num_rows()])));
        }
        self.cast(batch, name, &DataType::Utf8)
    }

    /// A moment of a named zone in UTC: names of zones would take their whole data base.
    fn in_utc(&self, column: &ArrayRef) -> Result<ArrayRef, HistoryError> {
        match column.data_type() {
            DataType::Timestamp(unit, Some(_)) => self.convert(column, "of a moment", &utc(*unit)),
            _ => Ok(Arc::clone(column)),
        }
    }

    fn cast_or_null(&self, batch: &RecordBatch, name: &'static str, kind: &DataType) -> Result<ArrayRef, HistoryError> {
        if batch.column_by_name(name).is_none() {
            return Ok(new_null_array(kind, batch.num_rows()));
        }
        self.cast(batch, name, kind)
    }

    fn cast(&self, batch: &RecordBatch, name: &'static str, kind: &DataType) -> Result<ArrayRef, HistoryError> {
        let missing = || HistoryError::Column { path: self.path.clone(), column: name, problem: "missing".to_owned() };
        self.convert(batch.column_by_name(name).ok_or_else(missing)?, name, kind)
    }

    /// The column in another type. A cell that has no value there is an error that names its row.
    fn convert(&self, column: &ArrayRef, name: &'static str, kind: &DataType) -> Result<ArrayRef, HistoryError> {
        // A failed cell becomes null, to be found below: the library's own message would quote it.
        let options = CastOptions { safe: true, ..CastOptions::default() };
        let (path, row_group) = (self.path.clone(), self.group_of(self.rows));
        let cast = cast_with_options(column, kind, &options).map_err(|error| HistoryError::Column {
            path: path.clone(),
            column: name,
            problem: error.to_string(),
        })?;
        if cast.null_count() == column.logical_null_count() {
            return Ok(cast);
        }
        let nulls = column.logical_nulls();
        let was_there = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        let failed = (0..cast.len()).find(|row| cast.is_null(*row) && was_there(*row)).unwrap_or(0);
        let row = self.rows + i64::try_from(failed).unwrap_or(0);
        let problem = format!("a {} that is no {kind}", column.data_type());
        let row_group = self.group_ends.iter().position(|end| row < *end).unwrap_or(row_group);
        Err(HistoryError::Cell { path, row_group, row, column: name, problem })
    }

    /// The row group of a row.
    fn group_of(&self, row: i64) -> usize {
        self.group_ends.iter().position(|end| row < *end).unwrap_or(0)
    }
}

/// Whether event times are moments, dates or texts, which carry no unit.
fn is_moment(schema: &Schema) -> bool {
    let column = schema.column_with_name(TIME).filter(|_| !is_source(schema));
    column.is_some_and(|(_, field)| !field.data_type().is_numeric())
}

fn is_source(schema: &Schema) -> bool {
    schema.column_with_name("source").is_some_and(|(_, field)| matches!(field.data_type(), DataType::Struct(_)))
}

/// A file without labels is of no use, and is refused before anything is read.
fn check(path: &Path, schema: &Schema) -> Result<(), HistoryError> {
    if schema.column_with_name("label").is_some() {
        return Ok(());
    }
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let problem = format!("missing; the file has {}", names.join(", "));
    Err(HistoryError::Column { path: path.to_owned(), column: "label", problem })
}

fn utc(unit: TimeUnit) -> DataType {
    DataType::Timestamp(unit, Some("+00:00".into()))
}

/// Whether a column goes to a place of its own.
fn is_known(name: &str, kind: &DataType) -> bool {
    match name {
        "label" | "score" | "model_version" | "event_time" | "id" => true,
        "model" => !matches!(kind, DataType::Struct(_)),
        _ => SIGNALS.iter().any(|(signal, _)| *signal == name),
    }
}

fn is_structure(batch: &RecordBatch, name: &str) -> bool {
    batch.column_by_name(name).is_some_and(|column| matches!(column.data_type(), DataType::Struct(_)))
}

fn member(name: &str, column: ArrayRef) -> (Field, ArrayRef) {
    (Field::new(name, column.data_type().clone(), true), column)
}

fn structure(name: &str, members: impl IntoIterator<Item = (&'static str, ArrayRef)>) -> (Field, ArrayRef) {
    let members = members.into_iter().map(|(name, column)| member(name, column));
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = members.unzip();
    member(name, Arc::new(StructArray::new(Fields::from(fields), columns, None)))
}

/// Each row as the JSON text of a labelled event.
fn payloads(events: &RecordBatch, first: i64) -> Result<Vec<Item>, ArrowError> {
    let mut text = Vec::new();
    // A label that is null says that the model abstained; one that is missing is a fault.
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut text);
    writer.write(events)?;
    writer.finish()?;
    drop(writer);
    // Line breaks inside texts are escaped, so that a line is a row.
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok((first..).zip(lines.map(<[u8]>::to_vec)).collect())
}

fn count(batch: &RecordBatch) -> i64 {
    i64::try_from(batch.num_rows()).unwrap_or(i64::MAX)
}
