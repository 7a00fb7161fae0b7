//! Why a file of texts cannot be read: the file, the line or row where there is one, and what to do next.

use std::io;
use std::path::{Path, PathBuf};

use arrow::error::ArrowError;
use parquet::errors::ParquetError;
use schemas::Recovery;

use crate::history::HistoryError;

/// A file of texts that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TextFileError {
    #[error("open {}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "read {}: expected a name that ends in .csv, .tsv, .jsonl, .ndjson or .json (also with .gz), or a Parquet file",
        path.display()
    )]
    Kind { path: PathBuf },
    #[error("find column {column:?} in {}: found {}; name the text column with --text", path.display(), list(found))]
    NoColumn { path: PathBuf, column: String, found: Vec<String> },
    #[error(
        "read {}: its only column is {header:?}; are its cells separated by {delimiter:?}? Use --delimiter \
         {delimiter:?}",
        path.display()
    )]
    Delimiter { path: PathBuf, header: String, delimiter: char },
    #[error("read {}: column {column:?} contains {found}, expected texts; name another with --text", path.display())]
    NotText { path: PathBuf, column: String, found: String },
    #[error(transparent)]
    Line(#[from] HistoryError),
    /// `line` is from 1.
    #[error("read line {line} of {}: {hint}", path.display())]
    BadJson {
        path: PathBuf,
        line: i64,
        hint: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("read {} as CSV", path.display())]
    Csv {
        path: PathBuf,
        #[source]
        source: csv::Error,
    },
    /// `line` is from 1.
    #[error("read line {line} of {}: it is not UTF-8; save the file as UTF-8 (iconv -f cp1252 -t utf-8)", path.display())]
    NotUtf8 { path: PathBuf, line: u64 },
    #[error("read {} as Parquet", path.display())]
    Parquet {
        path: PathBuf,
        #[source]
        source: ParquetError,
    },
    /// `row` is from 1, the first of those that could not be read together.
    #[error("read the rows from {row} of {}", path.display())]
    Rows {
        path: PathBuf,
        row: u64,
        #[source]
        source: ArrowError,
    },
}

impl TextFileError {
    pub(super) fn open(path: &Path, source: io::Error) -> Self {
        Self::Open { path: path.to_owned(), source }
    }

    /// Repeating changes no file.
    pub fn recovery(&self) -> Recovery {
        Recovery::Exit
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "no column".to_owned();
    }
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}
