//! Why answers cannot be written.

use std::io;
use std::path::PathBuf;

use arrow::error::ArrowError;
use parquet::errors::ParquetError;
use schemas::Recovery;

/// Why the answers cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ScoredError {
    #[error("write {}: expected a name that ends in .csv, .tsv, .jsonl, .ndjson, .json or .parquet", path.display())]
    Kind { path: PathBuf },
    #[error("write {}: the file exists; name another with --out, or overwrite it with --force", path.display())]
    Exists { path: PathBuf },
    #[error("write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("write {}: the input has a column {column:?}; choose other names with --prefix", path.display())]
    Clash { path: PathBuf, column: String },
    #[error(
        "write {}: column {column:?} contains {kind}, which CSV cannot represent; name a .jsonl or .parquet file with \
         --out",
        path.display()
    )]
    Nested { path: PathBuf, column: String, kind: String },
    #[error("write {}", path.display())]
    Columns {
        path: PathBuf,
        #[source]
        source: ArrowError,
    },
    #[error("write {} as Parquet", path.display())]
    Parquet {
        path: PathBuf,
        #[source]
        source: ParquetError,
    },
    #[error("write {} as CSV", path.display())]
    Csv {
        path: PathBuf,
        #[source]
        source: csv::Error,
    },
    #[error("write {} as JSON lines", path.display())]
    Json {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
}

impl ScoredError {
    pub fn recovery(&self) -> Recovery {
        Recovery::Exit
    }
}
