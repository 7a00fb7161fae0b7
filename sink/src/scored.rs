//! Rows of a user's file with what the model says about each, as CSV, JSON lines or Parquet.
//!
//! The columns `predicted_label`, `predicted_score`, `predicted_labels` (where asked for) and `predicted_error` stand
//! behind the user's own. The file appears under its name when it is whole: until then it is a temporary one beside it.

mod added;
mod error;
mod kind;
mod writer;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use schemas::Fields;
use tempfile::NamedTempFile;

use added::Added;
use writer::Writer;

pub use added::RowAnswer;
pub use error::ScoredError;
pub use kind::ScoredKind;

/// The bits of a new file before the umask takes its own away, as other programs make files.
const PERMISSIONS: u32 = 0o666;

/// A file that is being written.
pub struct ScoredFile {
    path: PathBuf,
    temporary: NamedTempFile,
    writer: Writer,
    added: Added,
}

impl ScoredFile {
    /// Begins a file; nothing stands under its name yet.
    ///
    /// `prefix` begins the names of the added columns; `with_labels` adds the best labels with their scores.
    ///
    /// # Errors
    /// When the file exists and may not be overwritten, or its folder cannot be written.
    pub fn create(path: &Path, prefix: &str, with_labels: bool, overwrite: bool) -> Result<Self, ScoredError> {
        let kind = ScoredKind::of(path)?;
        if !overwrite && path.exists() {
            return Err(ScoredError::Exists { path: path.to_owned() });
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = tempfile::Builder::new()
            .prefix(".labelstream-")
            .permissions(fs::Permissions::from_mode(PERMISSIONS))
            .tempfile_in(folder)
            .and_then(|temporary| Ok((temporary.reopen()?, temporary)));
        let (file, temporary) = temporary.map_err(|source| ScoredError::Write { path: path.to_owned(), source })?;
        let added = Added::new(prefix, with_labels);
        Ok(Self { path: path.to_owned(), temporary, writer: Writer::new(kind, file), added })
    }

    /// Writes rows that are columns, an answer each.
    ///
    /// # Errors
    /// When a name is taken, a column cannot be written in this kind of file, or the disk is full.
    ///
    /// # Panics
    /// When there are not as many answers as rows: a bug of the caller.
    pub fn write_columns(&mut self, rows: &RecordBatch, answers: &[RowAnswer]) -> Result<(), ScoredError> {
        assert_eq!(rows.num_rows(), answers.len(), "one answer a row");
        let schema = rows.schema();
        self.check(schema.fields().iter().map(|field| field.name().as_str()))?;
        let whole = self.added.join(rows, answers).map_err(|source| self.columns(source))?;
        self.writer.columns(&whole).map_err(|error| error.at(&self.path))
    }

    /// Writes rows that are JSON objects, an answer each; their values stay as they are.
    ///
    /// # Errors
    /// As [`Self::write_columns`].
    ///
    /// # Panics
    /// As [`Self::write_columns`].
    pub fn write_members(&mut self, rows: &[Fields], answers: &[RowAnswer]) -> Result<(), ScoredError> {
        assert_eq!(rows.len(), answers.len(), "one answer a row");
        for (row, answer) in rows.iter().zip(answers) {
            self.check(row.0.iter().map(|(name, _)| name.as_str()))?;
            self.writer.members(row, &self.added, answer).map_err(|error| error.at(&self.path))?;
        }
        Ok(())
    }

    /// Ends the file and gives it its name.
    ///
    /// # Errors
    /// When the rest cannot be written, or the name cannot be given.
    pub fn finish(self) -> Result<(), ScoredError> {
        let Self { path, temporary, writer, .. } = self;
        writer.finish().map_err(|error| error.at(&path))?;
        let stored = temporary.as_file().sync_all().map_err(|source| ScoredError::Write { path: path.clone(), source });
        stored?;
        temporary.persist(&path).map_err(|error| ScoredError::Write { path, source: error.error })?;
        Ok(())
    }

    fn check<'n>(&self, mut names: impl Iterator<Item = &'n str>) -> Result<(), ScoredError> {
        let Some(column) = names.find(|name| self.added.names().any(|own| own == *name)) else { return Ok(()) };
        Err(ScoredError::Clash { path: self.path.clone(), column: column.to_owned() })
    }

    fn columns(&self, source: ArrowError) -> ScoredError {
        ScoredError::Columns { path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests;
