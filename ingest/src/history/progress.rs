//! How far a reading is, and what it brings.

/// How far a file has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadProgress {
    pub read_bytes: u64,
    pub total_bytes: u64,
}

/// A payload and the number of its line or row, from 0.
pub(super) type Item = (i64, Vec<u8>);
