//! What a batch holds, in numbers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemas::{Batch, Fate};
use sink::labels::LabelRecord;

/// What a batch holds, kept while the batch itself is given away.
pub(crate) struct Summary {
    pub(crate) labeled: u64,
    pub(crate) dead_letters: u64,
    /// Tombstones, by their fate.
    pub(crate) skipped: u64,
    pub(crate) forwarded: u64,
    oldest_timestamp_ms: Option<i64>,
}

impl Summary {
    pub(crate) fn of(batch: &Batch<LabelRecord>) -> Self {
        let items = batch.items().iter().map(|item| &item.raw);
        let rejects = batch.rejects().iter().map(|letter| &letter.raw);
        let tombstones = batch.tombstones().iter().map(|tombstone| &tombstone.raw);
        let oldest_timestamp_ms = items.chain(rejects).chain(tombstones).filter_map(|raw| raw.timestamp_ms).min();
        let forwarded = batch.tombstones().iter().filter(|tombstone| tombstone.fate == Fate::Forward).count();
        Self {
            labeled: batch.items().len() as u64,
            dead_letters: batch.rejects().len() as u64,
            skipped: (batch.tombstones().len() - forwarded) as u64,
            forwarded: forwarded as u64,
            oldest_timestamp_ms,
        }
    }

    pub(crate) fn records(&self) -> u64 {
        self.labeled + self.dead_letters + self.skipped + self.forwarded
    }

    /// From the oldest record's timestamp to now, by the wall clock; zero when that clock is behind the producer's.
    pub(crate) fn oldest_age(&self) -> Option<Duration> {
        let timestamp = Duration::from_millis(u64::try_from(self.oldest_timestamp_ms?).ok()?);
        Some(SystemTime::now().duration_since(UNIX_EPOCH + timestamp).unwrap_or_default())
    }
}
