//! JSON lines as objects whose values stay the bytes that they came in.

use std::fs::File;
use std::path::{Path, PathBuf};

use schemas::Fields;
use serde_json::value::RawValue;

use super::error::TextFileError;
use super::rows::{CHUNK_ROWS, Chunk, RowProblem, RowText, Rows, TextFileOptions, place, usable};
use crate::history::ReadProgress;
use crate::history::lines::Lines;
use formats::Pointer;

pub(super) struct Members {
    path: PathBuf,
    lines: Lines,
    wanted: Wanted,
    has_begun: bool,
}

/// Where the text of an object is.
enum Wanted {
    Member(String),
    Pointer(Pointer),
}

impl Members {
    pub(super) fn open(
        path: &Path,
        file: File,
        is_gzip: bool,
        options: &TextFileOptions,
    ) -> Result<Self, TextFileError> {
        let lines = Lines::open(path, file, is_gzip).map_err(|source| TextFileError::open(path, source))?;
        let wanted = match options.column.parse() {
            Ok(pointer) => Wanted::Pointer(pointer),
            Err(_) => Wanted::Member(options.column.clone()),
        };
        Ok(Self { path: path.to_owned(), lines, wanted, has_begun: false })
    }

    pub(super) fn progress(&self) -> ReadProgress {
        self.lines.progress()
    }

    pub(super) fn next_chunk(&mut self) -> Result<Option<Chunk>, TextFileError> {
        let mut rows = Vec::new();
        while rows.len() < CHUNK_ROWS {
            let Some((number, line)) = self.lines.next_item()? else { break };
            rows.push(self.parse(number + 1, &line)?);
        }
        if rows.is_empty() {
            return Ok(None);
        }
        if !std::mem::replace(&mut self.has_begun, true) {
            self.find(&rows)?;
        }
        let texts = rows.iter().map(|row| self.text(row)).collect();
        Ok(Some(Chunk { rows: Rows::Members(rows), texts }))
    }

    fn parse(&self, line: i64, bytes: &[u8]) -> Result<Fields, TextFileError> {
        if std::str::from_utf8(bytes).is_err() {
            return Err(TextFileError::NotUtf8 { path: self.path.clone(), line: line.unsigned_abs() });
        }
        serde_json::from_slice(bytes).map_err(|source| {
            let hint = match bytes.first() {
                Some(b'[') => {
                    "expected one JSON object per line, found an array; jq -c '.[]' writes its elements as lines"
                }
                Some(b'{') => "the JSON object is invalid",
                _ => "expected one JSON object per line",
            };
            TextFileError::BadJson { path: self.path.clone(), line, hint, source }
        })
    }

    /// Takes the member's name as the first rows spell it; rows may lack it, but not all of the first.
    fn find(&mut self, rows: &[Fields]) -> Result<(), TextFileError> {
        let mut names: Vec<String> = Vec::new();
        for (name, _) in rows.iter().flat_map(|row| &row.0) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        match &mut self.wanted {
            Wanted::Member(wanted) => {
                let found = place(&self.path, &names, wanted)?;
                names[found].clone_into(wanted);
            }
            Wanted::Pointer(pointer) => {
                place(&self.path, &names, pointer.first())?;
            }
        }
        Ok(())
    }

    fn text(&self, row: &Fields) -> RowText {
        let value = match &self.wanted {
            Wanted::Member(name) => row.get(name),
            Wanted::Pointer(pointer) => row.get(pointer.first()).and_then(|value| pointer.walk(value)),
        };
        let value = value.map(RawValue::get).filter(|value| *value != "null").ok_or(RowProblem::Missing)?;
        let text: String = serde_json::from_str(value).map_err(|_| RowProblem::NotText)?;
        usable(&text)
    }
}
