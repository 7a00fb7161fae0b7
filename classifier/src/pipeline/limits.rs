//! How much of a stream may be between its reader and its commit.

use std::num::NonZeroUsize;

use kafka::batcher::BatchLimits;

/// How much may be under way.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most that is handed over at once.
    pub batch: BatchLimits,
    /// Full batches that may be between the reader and their commit.
    pub in_flight_max: NonZeroUsize,
}

impl Limits {
    pub(super) fn records_under_way(&self) -> usize {
        self.in_flight_max.get().saturating_mul(self.batch.records_max.get())
    }
}
