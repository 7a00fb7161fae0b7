//! The records that wait for the reader, with the bounds that make a chunk full, and a reader that keeps them waiting.

use std::time::Instant;

use rdkafka::topic_partition_list::TopicPartitionList;
use schemas::RawEvent;

use crate::settings::SourceConfig;

/// Records that a chunk may grow by beyond its bounds: a quarter of an hour of a busy reader.
pub(super) const GROWTH_RECORDS_MAX: usize = 1000;

/// Records that were read and wait for the reader.
#[derive(Default)]
pub(super) struct Chunk {
    pub(super) records: Vec<RawEvent>,
    held_bytes: usize,
    pub(super) content_bytes: usize,
}

/// A reader that is busy while the chunk is full.
pub(super) struct Stall {
    pub(super) since: Instant,
    pub(super) served_at: Instant,
    /// What is paused, as a last resort.
    pub(super) paused: Option<TopicPartitionList>,
}

impl Chunk {
    pub(super) fn push(&mut self, record: RawEvent) {
        self.held_bytes += record.held_bytes();
        self.content_bytes += record.content_bytes();
        self.records.push(record);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn is_full(&self, config: &SourceConfig) -> bool {
        self.reaches(config.queue_records_max.get(), config.queue_bytes_max.get())
    }

    pub(super) fn is_overgrown(&self, config: &SourceConfig) -> bool {
        let records_max = config.queue_records_max.get().saturating_add(GROWTH_RECORDS_MAX);
        self.reaches(records_max, config.queue_bytes_max.get().saturating_add(config.prefetch_bytes_max / 2))
    }

    fn reaches(&self, records_max: usize, bytes_max: usize) -> bool {
        self.records.len() >= records_max || self.held_bytes >= bytes_max
    }
}
