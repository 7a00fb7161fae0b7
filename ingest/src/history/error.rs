//! Why a history cannot be read.

use std::io;
use std::path::PathBuf;

use parquet::errors::ParquetError;
use schemas::Recovery;

/// A history that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("open the history {}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The file ends or breaks there; `line` is from 1.
    #[error("read line {line} of {}", path.display())]
    Line {
        path: PathBuf,
        line: i64,
        #[source]
        source: io::Error,
    },
    #[error("line {line} of {} has more than {bytes_max} bytes: is it a file of JSON lines?", path.display())]
    LongLine { path: PathBuf, line: i64, bytes_max: usize },
    #[error("read {} as Parquet", path.display())]
    Parquet {
        path: PathBuf,
        #[source]
        source: ParquetError,
    },
    /// `row_group` is from 0.
    #[error("read row group {row_group} of {}", path.display())]
    RowGroup {
        path: PathBuf,
        row_group: usize,
        #[source]
        source: arrow::error::ArrowError,
    },
    #[error("column {column} of {}: {problem}", path.display())]
    Column { path: PathBuf, column: &'static str, problem: String },
    /// `row` is from 0, over the whole file.
    #[error("row {row} of {}, in row group {row_group}, column {column}: {problem}", path.display())]
    Cell { path: PathBuf, row_group: usize, row: i64, column: &'static str, problem: String },
}

impl HistoryError {
    /// Retrying does not fix a file.
    pub fn recovery(&self) -> Recovery {
        Recovery::Exit
    }
}
