//! Rows of a file, with the text of each: CSV, JSON lines or Parquet, read in chunks of bounded size.
//!
//! First bytes and name tell the kind of a file; CSV and JSON lines may be gzipped. Every column of the user
//! travels along: JSON lines as the bytes that they came in, CSV cells as texts, Parquet columns in their own types.
//! A row without a usable text is a value that says why, and only a file that cannot be read is an error.

mod cells;
mod columns;
mod error;
mod lines;
mod rows;
mod typed;

use std::fs::File;
use std::path::Path;

use cells::Cells;
use columns::Columns;
use lines::Members;
use typed::Typed;

pub use error::TextFileError;
pub use rows::{CHUNK_ROWS, Chunk, RowProblem, RowText, Rows, TextFileOptions};

use crate::history::{GZIP, PARQUET, ReadProgress, read_first};

/// A file that is being read: an iterator over its chunks, which ends after an error.
pub struct TextFile {
    reader: Reader,
    ended: bool,
}

enum Reader {
    Members(Members),
    Cells(Box<Cells>),
    Columns(Box<Columns>),
    Typed(Box<Typed>),
}

impl TextFile {
    /// Opens a file and finds the column of its texts.
    ///
    /// # Errors
    /// When the file cannot be read, is of no known kind, or has no such column.
    pub fn open(path: &Path, options: &TextFileOptions) -> Result<Self, TextFileError> {
        let mut file = File::open(path).map_err(|source| TextFileError::open(path, source))?;
        let mut first = [0; PARQUET.len()];
        let length = read_first(&mut file, &mut first).map_err(|source| TextFileError::open(path, source))?;
        let first = &first[..length];
        let is_gzip = first.starts_with(GZIP);
        let reader = if first == PARQUET {
            Reader::Columns(Box::new(Columns::open(path, file, options)?))
        } else {
            match kind_of(path)? {
                TextFileKind::JsonLines if options.as_columns => {
                    Reader::Typed(Box::new(Typed::open(path, is_gzip, options)?))
                }
                TextFileKind::JsonLines => Reader::Members(Members::open(path, file, is_gzip, options)?),
                TextFileKind::Separated(delimiter) => {
                    let delimiter = options.delimiter.unwrap_or(delimiter);
                    Reader::Cells(Box::new(Cells::open(path, file, is_gzip, delimiter, options)?))
                }
            }
        };
        Ok(Self { reader, ended: false })
    }

    /// How far the file has been read, for a progress bar.
    pub fn progress(&self) -> ReadProgress {
        match &self.reader {
            Reader::Members(lines) => lines.progress(),
            Reader::Cells(cells) => cells.progress(),
            Reader::Columns(columns) => columns.progress(),
            Reader::Typed(typed) => typed.progress(),
        }
    }
}

impl Iterator for TextFile {
    type Item = Result<Chunk, TextFileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let chunk = match &mut self.reader {
            Reader::Members(lines) => lines.next_chunk(),
            Reader::Cells(cells) => cells.next_chunk(),
            Reader::Columns(columns) => columns.next_chunk(),
            Reader::Typed(typed) => typed.next_chunk(),
        };
        self.ended = !matches!(chunk, Ok(Some(_)));
        chunk.transpose()
    }
}

/// The kinds that the name tells.
enum TextFileKind {
    JsonLines,
    /// CSV, by what stands between its cells.
    Separated(u8),
}

fn kind_of(path: &Path) -> Result<TextFileKind, TextFileError> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("csv") => Ok(TextFileKind::Separated(b',')),
        Some("tsv" | "tab") => Ok(TextFileKind::Separated(b'\t')),
        Some("jsonl" | "ndjson" | "json") => Ok(TextFileKind::JsonLines),
        _ => Err(TextFileError::Kind { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests;
