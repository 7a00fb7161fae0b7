//! What a partition holds: batches as they came, and which of their transactions were aborted.

use bytes::Bytes;

use crate::clock::Millis;

/// One batch.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) last_offset: i64,
    pub(crate) max_timestamp: Millis,
    pub(crate) bytes: Bytes,
}

/// A transaction that ended in an abort: its records are in `first_offset..=last_offset`, the marker last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    pub(crate) last_offset: i64,
}
