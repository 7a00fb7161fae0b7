//! Parquet: every column in its own type.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::error::TextFileError;
use super::rows::{CHUNK_ROWS, Chunk, RowProblem, RowText, Rows, TextFileOptions, place, usable};
use crate::history::ReadProgress;

pub(super) struct Columns {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    /// The way to the text: a column, then the members of structures.
    way: Vec<String>,
    read: u64,
    rows: u64,
    bytes: u64,
}

impl Columns {
    pub(super) fn open(path: &Path, file: File, options: &TextFileOptions) -> Result<Self, TextFileError> {
        let failed = |source| TextFileError::Parquet { path: path.to_owned(), source };
        let bytes = file.metadata().map_err(|source| TextFileError::open(path, source))?.len();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
        let rows = builder.metadata().file_metadata().num_rows().unsigned_abs();
        let way = way(path, builder.schema(), &options.column)?;
        let batches = builder.with_batch_size(CHUNK_ROWS).build().map_err(failed)?;
        Ok(Self { path: path.to_owned(), batches, way, read: 0, rows, bytes })
    }

    /// By rows: they are in the order of the file and about equally large.
    pub(super) fn progress(&self) -> ReadProgress {
        let bytes = u128::from(self.bytes) * u128::from(self.read) / u128::from(self.rows).max(1);
        ReadProgress { read_bytes: u64::try_from(bytes).unwrap_or(self.bytes), total_bytes: self.bytes }
    }

    pub(super) fn next_chunk(&mut self) -> Result<Option<Chunk>, TextFileError> {
        let Some(batch) = self.batches.next() else { return Ok(None) };
        let failed = |source| TextFileError::Rows { path: self.path.clone(), row: self.read + 1, source };
        let batch = batch.map_err(failed)?;
        let texts = texts(&batch, &self.way).map_err(failed)?;
        self.read += u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
        Ok(Some(Chunk { rows: Rows::Columns(batch), texts }))
    }
}

/// The names on the way to the text, which must end at a column of texts.
fn way(path: &Path, schema: &Schema, column: &str) -> Result<Vec<String>, TextFileError> {
    let names: Vec<String> = match column.strip_prefix('/') {
        Some(rest) => rest.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect(),
        None => vec![column.to_owned()],
    };
    let mut way = Vec::new();
    let mut fields = schema.fields().clone();
    let mut kind = DataType::Null;
    for name in &names {
        let found: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
        let field = Arc::clone(&fields[place(path, &found, name)?]);
        way.push(field.name().clone());
        kind = field.data_type().clone();
        fields = if let DataType::Struct(inner) = field.data_type() { inner.clone() } else { Default::default() };
    }
    if is_text(&kind) {
        return Ok(way);
    }
    Err(TextFileError::NotText { path: path.to_owned(), column: column.to_owned(), found: kind.to_string() })
}

fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

fn texts(batch: &RecordBatch, way: &[String]) -> Result<Vec<RowText>, ArrowError> {
    let mut column: ArrayRef = Arc::new(StructArray::from(batch.clone()));
    let mut is_null = vec![false; batch.num_rows()];
    for name in way {
        let inner = column.as_struct().column_by_name(name).map(Arc::clone);
        column = inner.ok_or_else(|| ArrowError::SchemaError(format!("column {name} is gone")))?;
        let nulls = column.logical_nulls();
        for (row, null) in is_null.iter_mut().enumerate() {
            *null |= nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        }
    }
    let column = cast(&column, &DataType::Utf8)?;
    let texts = column.as_string::<i32>();
    Ok((0..batch.num_rows())
        .map(|row| if is_null[row] { Err(RowProblem::Missing) } else { usable(texts.value(row)) })
        .collect())
}
