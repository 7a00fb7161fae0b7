//! JSON lines as columns, for outputs that have columns: their types are looked up in a first pass over the file.
//!
//! A member that is a number in one row and a text in another becomes a text. What the text of a row is does not depend on
//! that: it is read from the line, as for an output of JSON lines.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::{Decoder, infer_json_schema};

use super::error::TextFileError;
use super::lines::Members;
use super::rows::{CHUNK_ROWS, Chunk, Rows, TextFileOptions};
use crate::history::ReadProgress;
use crate::history::lines::unpacked;

pub(super) struct Typed {
    path: PathBuf,
    members: Members,
    decoder: Decoder,
    read: u64,
}

impl Typed {
    pub(super) fn open(path: &Path, is_gzip: bool, options: &TextFileOptions) -> Result<Self, TextFileError> {
        let open = || File::open(path).map_err(|source| TextFileError::open(path, source));
        let members = Members::open(path, open()?, is_gzip, options)?;
        let (lines, _) = unpacked(open()?, is_gzip).map_err(|source| TextFileError::open(path, source))?;
        let failed = |source| TextFileError::Rows { path: path.to_owned(), row: 1, source };
        let (schema, _) = infer_json_schema(lines, None).map_err(failed)?;
        let decoder = ReaderBuilder::new(Arc::new(schema)).with_batch_size(CHUNK_ROWS).with_coerce_primitive(true);
        Ok(Self { path: path.to_owned(), members, decoder: decoder.build_decoder().map_err(failed)?, read: 0 })
    }

    pub(super) fn progress(&self) -> ReadProgress {
        self.members.progress()
    }

    pub(super) fn next_chunk(&mut self) -> Result<Option<Chunk>, TextFileError> {
        let Some(Chunk { rows, texts }) = self.members.next_chunk()? else { return Ok(None) };
        let Rows::Members(rows) = rows else { unreachable!("lines are read as members") };
        let failed = |source| TextFileError::Rows { path: self.path.clone(), row: self.read + 1, source };
        let mut lines = Vec::new();
        for row in &rows {
            // Written by its raw values: the library's own way through serde would lose numbers beyond 64 bits.
            serde_json::to_writer(&mut lines, row).map_err(|error| failed(ArrowError::JsonError(error.to_string())))?;
            lines.push(b'\n');
        }
        self.decoder.decode(&lines).map_err(failed)?;
        let batch = self.decoder.flush().map_err(failed)?;
        let batch = batch.ok_or_else(|| failed(ArrowError::JsonError("no row was decoded".to_owned())))?;
        self.read += u64::try_from(texts.len()).unwrap_or(u64::MAX);
        Ok(Some(Chunk { rows: Rows::Columns(batch), texts }))
    }
}
