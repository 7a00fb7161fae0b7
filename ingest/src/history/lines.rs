//! A file of JSON lines, as it is or gzipped. Lines are not parsed here: a record is judged where it is read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use super::error::HistoryError;
use super::progress::{Item, ReadProgress};

/// Bytes of a line: far above what a Kafka record carries, and a bound for files that have no lines at all.
pub(super) const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of the first line that are kept to tell what a file is.
const FIRST_BYTES: usize = 512;

/// Bytes read from the file at once.
const BUFFER_BYTES: usize = 256 * 1024;

pub(crate) struct Lines {
    path: PathBuf,
    reader: Unpacked,
    read: ReadBytes,
    /// Lines that have been read.
    lines: i64,
    /// The beginning of the first line that is not blank.
    first: Vec<u8>,
}

/// The bytes of a file, unpacked.
pub(crate) type Unpacked = Box<dyn BufRead + Send>;

/// How many bytes of a file have been read, before decompression.
pub(crate) struct ReadBytes {
    read: Arc<AtomicU64>,
    total: u64,
}

impl ReadBytes {
    pub(crate) fn progress(&self) -> ReadProgress {
        ReadProgress { read_bytes: self.read.load(Ordering::Relaxed), total_bytes: self.total }
    }
}

/// A file that counts what is read of it.
struct Counted {
    file: File,
    read_bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read_bytes.fetch_add(u64::try_from(read).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(read)
    }
}

/// Reads a file as it is, or gunzipped.
pub(crate) fn unpacked(file: File, is_gzip: bool) -> io::Result<(Unpacked, ReadBytes)> {
    let read = ReadBytes { read: Arc::default(), total: file.metadata()?.len() };
    let file = BufReader::with_capacity(BUFFER_BYTES, Counted { file, read_bytes: Arc::clone(&read.read) });
    let reader: Unpacked = if is_gzip {
        // Several members in a row are one file: that is how log rotation appends.
        Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(file)))
    } else {
        Box::new(file)
    };
    Ok((reader, read))
}

impl Lines {
    pub(crate) fn open(path: &Path, file: File, is_gzip: bool) -> io::Result<Self> {
        let (reader, read) = unpacked(file, is_gzip)?;
        Ok(Self { path: path.to_owned(), reader, read, lines: 0, first: Vec::new() })
    }

    pub(crate) fn progress(&self) -> ReadProgress {
        self.read.progress()
    }

    pub(super) fn first_line(&self) -> &[u8] {
        &self.first
    }

    /// The next line that is not blank.
    pub(crate) fn next_item(&mut self) -> Result<Option<Item>, HistoryError> {
        loop {
            let mut line = Vec::new();
            let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
            let number = self.lines + 1;
            let read = (&mut self.reader).take(limit).read_until(b'\n', &mut line);
            match read {
                Err(source) => return Err(HistoryError::Line { path: self.path.clone(), line: number, source }),
                Ok(0) => return Ok(None),
                Ok(_) => {}
            }
            if line.len() > LINE_BYTES_MAX {
                let path = self.path.clone();
                return Err(HistoryError::LongLine { path, line: number, bytes_max: LINE_BYTES_MAX });
            }
            self.lines = number;
            if number == 1 && line.starts_with(b"\xef\xbb\xbf") {
                line.drain(..3); // a mark of UTF-8 that some editors write
            }
            let end = line.trim_ascii_end().len();
            line.truncate(end);
            if !line.is_empty() {
                if self.first.is_empty() {
                    self.first = line[..line.len().min(FIRST_BYTES)].to_vec();
                }
                return Ok(Some((number - 1, line)));
            }
        }
    }
}
