//! What is read: rows as the user wrote them, with the text of each or why it has none.

use std::path::Path;

use arrow::array::RecordBatch;
use schemas::Fields;

use super::error::TextFileError;

/// Rows of a chunk: enough to sort by length, few enough that long texts take some megabytes.
pub const CHUNK_ROWS: usize = 1024;

/// How a file is read.
#[derive(Clone, Debug)]
pub struct TextFileOptions {
    /// The column or member that holds the text; a JSON pointer such as `/message/body` reaches into nested ones.
    pub column: String,
    /// What stands between the cells of a CSV file; a comma, and a tab in `.tsv` files, when not set.
    pub delimiter: Option<u8>,
    /// Whether JSON lines are wanted as columns, for an output that has columns.
    pub as_columns: bool,
}

/// The text of a row, or why it has none.
pub type RowText = Result<String, RowProblem>;

/// Why a row cannot be labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    #[error("no text")]
    Missing,
    #[error("blank text")]
    Blank,
    #[error("the value is not a string")]
    NotText,
}

/// Some rows of the file, in its order.
#[derive(Debug)]
pub struct Chunk {
    pub rows: Rows,
    /// One a row.
    pub texts: Vec<RowText>,
}

/// The rows as the user wrote them.
#[derive(Debug)]
pub enum Rows {
    /// JSON objects, each value as the bytes that it came in.
    Members(Vec<Fields>),
    Columns(RecordBatch),
}

/// A blank text says nothing to a model.
pub(super) fn usable(text: &str) -> RowText {
    if text.trim().is_empty() { Err(RowProblem::Blank) } else { Ok(text.to_owned()) }
}

/// The place of a column: by its name as it stands, else without regard to case and outer spaces.
pub(super) fn place(path: &Path, names: &[String], wanted: &str) -> Result<usize, TextFileError> {
    let plain = |name: &str| name.trim().to_lowercase();
    let exact = names.iter().position(|name| name == wanted);
    let close = || {
        let mut found = (0..names.len()).filter(|place| plain(&names[*place]) == plain(wanted));
        found.next().filter(|_| found.next().is_none())
    };
    exact.or_else(close).ok_or_else(|| TextFileError::NoColumn {
        path: path.to_owned(),
        column: wanted.to_owned(),
        found: names.to_vec(),
    })
}
