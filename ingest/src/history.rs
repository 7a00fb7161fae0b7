//! Labelled events of the past from a file, as the records that a topic would have held.
//!
//! Two kinds of file, recognised by their first bytes: JSON lines, also gzipped, in which each line is the payload of a
//! labelled event; and Parquet, whose columns become the members of one (`history/table.rs` lists them). Reading streams:
//! memory is bounded by a line or by a batch of rows. The caller judges what a payload contains: a bad line
//! is a bad record there, and only a file that cannot be read is an error here.

mod error;
mod guess;
pub(crate) mod lines;
mod progress;
mod table;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use formats::time::TimeUnit;
use schemas::{Origin, RawEvent};

use lines::Lines;
use table::Table;

pub use error::HistoryError;
pub use progress::ReadProgress;

/// The first bytes of a Parquet file.
pub(crate) const PARQUET: &[u8] = b"PAR1";

/// The first bytes of a gzip file.
pub(crate) const GZIP: &[u8] = &[0x1f, 0x8b];

/// A history that is being read: an iterator over its records, in the order of the file, which ends after an error.
///
/// A record's origin is the file's name, partition 0 and the number of its line or row, from 0. It has no key, no
/// headers and no timestamp: its time is the event's own.
pub struct History {
    topic: Arc<str>,
    reader: Reader,
    ended: bool,
}

enum Reader {
    Lines(Lines),
    Table(Box<Table>),
}

impl History {
    /// Opens a history.
    ///
    /// # Errors
    /// When the file cannot be read, or is a Parquet file without the columns of a labelled event.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        let failed = |source| HistoryError::Open { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        let mut first = [0; PARQUET.len()];
        let length = read_first(&mut file, &mut first).map_err(failed)?;
        let reader = match &first[..length] {
            PARQUET => Reader::Table(Box::new(Table::open(path, file)?)),
            begin => Reader::Lines(Lines::open(path, file, begin.starts_with(GZIP)).map_err(failed)?),
        };
        let topic = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        Ok(Self { topic: Arc::from(topic.as_ref()), reader, ended: false })
    }

    /// The unit of the event times in the records, for a file whose numbers are in `written`: a column of timestamps
    /// knows its own, and is read as milliseconds.
    pub fn time_unit(&self, written: TimeUnit) -> TimeUnit {
        match &self.reader {
            Reader::Table(table) if table.has_moments() => TimeUnit::Milliseconds,
            Reader::Table(_) | Reader::Lines(_) => written,
        }
    }

    /// What the file seems to be instead of lines of labelled events, and what to do about it; a guess by its first
    /// line, for a file of which nothing could be used.
    pub fn guess(&self) -> Option<&'static str> {
        match &self.reader {
            Reader::Lines(lines) => guess::guess(lines.first_line()),
            Reader::Table(_) => None,
        }
    }

    /// How far the file has been read, for a progress bar.
    pub fn progress(&self) -> ReadProgress {
        match &self.reader {
            Reader::Lines(lines) => lines.progress(),
            Reader::Table(table) => table.progress(),
        }
    }
}

impl Iterator for History {
    type Item = Result<RawEvent, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = match &mut self.reader {
            Reader::Lines(lines) => lines.next_item(),
            Reader::Table(table) => table.next_item(),
        };
        self.ended = !matches!(item, Ok(Some(_)));
        let record = |(offset, payload)| RawEvent {
            origin: Origin { topic: Arc::clone(&self.topic), partition: 0, offset },
            key: None,
            payload: Some(payload),
            headers: Vec::new(),
            timestamp_ms: None,
        };
        item.map(|item| item.map(record)).transpose()
    }
}

/// The first bytes of a file, fewer when it is shorter; the file is as before.
pub(crate) fn read_first(file: &mut File, first: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < first.len() {
        match file.read(&mut first[length..])? {
            0 => break,
            read => length += read,
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(length)
}

#[cfg(test)]
mod tests;
