//! The kinds of file that can be written.

use std::path::Path;

use super::error::ScoredError;

/// The kinds of file that can be written, by the end of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoredKind {
    JsonLines,
    /// CSV, by what stands between its cells.
    Separated(u8),
    Parquet,
}

impl ScoredKind {
    /// The kind of file that a name means.
    ///
    /// # Errors
    /// When it ends in none of the known ways.
    pub fn of(path: &Path) -> Result<Self, ScoredError> {
        match path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase).as_deref() {
            Some("jsonl" | "ndjson" | "json") => Ok(Self::JsonLines),
            Some("csv") => Ok(Self::Separated(b',')),
            Some("tsv" | "tab") => Ok(Self::Separated(b'\t')),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(ScoredError::Kind { path: path.to_owned() }),
        }
    }

    /// Whether its rows have columns, the same in all.
    pub fn has_columns(self) -> bool {
        self != Self::JsonLines
    }
}
