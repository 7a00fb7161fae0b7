//! CSV with a header: every cell is a text and stays one; an empty cell is an empty text.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

use super::error::TextFileError;
use super::rows::{CHUNK_ROWS, Chunk, RowProblem, Rows, TextFileOptions, place, usable};
use crate::history::ReadProgress;
use crate::history::lines::{ReadBytes, unpacked};

/// What else stands between cells in files that are called CSV.
const DELIMITERS: [char; 4] = [',', ';', '\t', '|'];

pub(super) struct Cells {
    path: PathBuf,
    reader: Reader<Box<dyn Read + Send>>,
    read: ReadBytes,
    schema: Arc<Schema>,
    /// The column of the texts.
    text: usize,
}

impl Cells {
    pub(super) fn open(
        path: &Path,
        file: File,
        is_gzip: bool,
        delimiter: u8,
        options: &TextFileOptions,
    ) -> Result<Self, TextFileError> {
        let (bytes, read) = unpacked(file, is_gzip).map_err(|source| TextFileError::open(path, source))?;
        let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(Box::new(bytes) as Box<dyn Read + Send>);
        let header = reader.headers().map_err(|source| failed(path, source))?.clone();
        let names: Vec<String> = header.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
        let text = place(path, &names, &options.column).map_err(|error| joined(path, &names).unwrap_or(error))?;
        let fields: Vec<_> = names.into_iter().map(|name| Field::new(name, DataType::Utf8, false)).collect();
        Ok(Self { path: path.to_owned(), reader, read, schema: Arc::new(Schema::new(fields)), text })
    }

    pub(super) fn progress(&self) -> ReadProgress {
        self.read.progress()
    }

    pub(super) fn next_chunk(&mut self) -> Result<Option<Chunk>, TextFileError> {
        let mut columns: Vec<Vec<String>> = vec![Vec::new(); self.schema.fields().len()];
        let mut texts = Vec::new();
        let mut record = StringRecord::new();
        while texts.len() < CHUNK_ROWS {
            if !self.reader.read_record(&mut record).map_err(|source| failed(&self.path, source))? {
                break;
            }
            for (column, cell) in columns.iter_mut().zip(&record) {
                column.push(cell.to_owned());
            }
            let text = record.get(self.text).unwrap_or_default();
            texts.push(if text.is_empty() { Err(RowProblem::Missing) } else { usable(text) });
        }
        if texts.is_empty() {
            return Ok(None);
        }
        let columns = columns.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|source| {
            let row = self.reader.position().record();
            TextFileError::Rows { path: self.path.clone(), row, source }
        })?;
        Ok(Some(Chunk { rows: Rows::Columns(batch), texts }))
    }
}

/// A header of one column that holds another delimiter is one that was read with the wrong one.
fn joined(path: &Path, names: &[String]) -> Option<TextFileError> {
    let [header] = names else { return None };
    let delimiter = DELIMITERS.into_iter().find(|delimiter| header.contains(*delimiter))?;
    Some(TextFileError::Delimiter { path: path.to_owned(), header: header.clone(), delimiter })
}

fn failed(path: &Path, source: csv::Error) -> TextFileError {
    match source.kind() {
        ErrorKind::Utf8 { pos, .. } => {
            let line = pos.as_ref().map_or(1, csv::Position::line);
            TextFileError::NotUtf8 { path: path.to_owned(), line }
        }
        _ => TextFileError::Csv { path: path.to_owned(), source },
    }
}
