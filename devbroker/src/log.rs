//! One partition: batches in order, what may be read of them, and what retention has deleted.
//!
//! A pure structure that is told the time. High watermark and end of the log are one and the same (there is one replica);
//! the last stable offset is the first offset of the oldest open transaction. Aborted transactions are remembered as long as
//! a record of theirs may be, so that `read_committed` clients can skip them.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use bytes::Bytes;
use kafka_protocol::ResponseError;

use crate::batch::{self, BatchHeader};
use crate::clock::Millis;
use crate::compaction;
use crate::producers::{Producers, SequenceCheck};
use crate::segments::{Rolling, Segments};
use crate::stored::{Aborted, Stored};
use crate::validation::{self, Refusal, Times};

/// Leaders never change here, so the epoch never moves.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// A partition is not compacted while it is smaller, in bytes: there is nothing to gain.
const COMPACT_FROM: u64 = 1 << 20;

/// How long a partition keeps what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) bytes_max: u64,
    /// Age by record timestamp, of whole segments; `None` keeps records of any age.
    pub(crate) age_max: Option<Millis>,
    pub(crate) rolling: Rolling,
    pub(crate) cleanup: Cleanup,
}

/// What a partition does to stay small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cleanup {
    /// The oldest batches go.
    Delete,
    /// The newest record of every key stays; nothing else lets go of it, so a partition full of keys refuses more.
    Compact {
        /// How long a record that removes its key stays, by its own time.
        tombstones_kept: Millis,
    },
    Both {
        tombstones_kept: Millis,
    },
}

impl Cleanup {
    fn deletes(self) -> bool {
        !matches!(self, Self::Compact { .. })
    }

    fn tombstones_kept(self) -> Option<Millis> {
        match self {
            Self::Delete => None,
            Self::Compact { tombstones_kept } | Self::Both { tombstones_kept } => Some(tombstones_kept),
        }
    }
}

/// Whole batches, in order, and the offset after the last of them.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    pub(crate) batches: Vec<Bytes>,
    pub(crate) bytes: usize,
    pub(crate) end: i64,
}

#[derive(Debug)]
pub(crate) struct PartitionLog {
    batches: VecDeque<Stored>,
    start: i64,
    end: i64,
    bytes: u64,
    retention: Retention,
    times: Times,
    segments: Segments,
    producers: Producers,
    aborted: VecDeque<Aborted>,
    /// The size at which the partition is compacted next: half of it may be out of date.
    compact_at: u64,
}

impl PartitionLog {
    pub(crate) fn new(retention: Retention, times: Times, producers_max: usize) -> Self {
        Self {
            batches: VecDeque::new(),
            start: 0,
            end: 0,
            bytes: 0,
            retention,
            times,
            segments: Segments::new(retention.rolling),
            producers: Producers::new(producers_max),
            aborted: VecDeque::new(),
            compact_at: COMPACT_FROM.min(retention.bytes_max.saturating_mul(2)),
        }
    }

    /// First offset that may still be read.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// The next record's offset; the high watermark.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    pub(crate) fn last_stable(&self) -> i64 {
        self.producers.first_open().map_or(self.end, |first| first.max(self.start))
    }

    /// Appends one batch of a client and returns its base offset, which for a duplicate is that of the first time.
    ///
    /// # Errors
    /// As [`validation::check`] and [`Producers::check`]; `POLICY_VIOLATION` when a partition that keeps keys is full.
    pub(crate) fn append(&mut self, header: &BatchHeader, data: &[u8], now: Millis) -> Result<i64, Refusal> {
        let keeps_keys = self.retention.cleanup.tombstones_kept().is_some();
        validation::check(header, data, keeps_keys, self.times, now)?;
        if header.has_producer()
            && let SequenceCheck::Duplicate(base_offset) = self.producers.check(header)?
        {
            return Ok(base_offset);
        }
        if keeps_keys {
            self.check_room(data)?;
        }
        let base_offset = self.end;
        let last_offset = base_offset + i64::from(header.last_offset_delta);
        let stamp = self.times.stamps.then_some(now);
        let stored = Stored {
            last_offset,
            max_timestamp: stamp.unwrap_or(header.max_timestamp),
            bytes: batch::placed(data, base_offset, LEADER_EPOCH, stamp),
        };
        self.push(stored, now);
        if header.has_producer() {
            self.producers.appended(header, base_offset, now);
        }
        self.retain(now);
        Ok(base_offset)
    }

    /// Ends the producer's transaction in this partition with a control batch.
    pub(crate) fn append_marker(&mut self, producer: (i64, i16), commit: bool, now: Millis) {
        let offset = self.end;
        let opened = self.producers.ended(producer.0, producer.1, now);
        let bytes = batch::marker(offset, producer, commit, now);
        self.push(Stored { last_offset: offset, max_timestamp: now, bytes }, now);
        if let (Some(first_offset), false) = (opened, commit) {
            self.aborted.push_back(Aborted { producer_id: producer.0, first_offset, last_offset: offset });
        }
        self.retain(now);
    }

    /// Batches that hold offsets `from..upper`, at most `bytes_max` bytes, but the first one at any size if `at_least_one`.
    pub(crate) fn read(&self, from: i64, upper: i64, bytes_max: usize, at_least_one: bool) -> Slice {
        let mut slice = Slice { end: from, ..Slice::default() };
        let first = self.batches.partition_point(|stored| stored.last_offset < from);
        for stored in self.batches.range(first..).take_while(|stored| stored.last_offset < upper) {
            let forced = at_least_one && slice.batches.is_empty();
            if slice.bytes + stored.bytes.len() > bytes_max && !forced {
                break;
            }
            slice.bytes += stored.bytes.len();
            slice.end = stored.last_offset + 1;
            slice.batches.push(stored.bytes.clone());
        }
        slice
    }

    /// Bytes that a read of `from..upper` would find, counted up to `enough`.
    pub(crate) fn readable_bytes(&self, from: i64, upper: i64, enough: usize) -> usize {
        let first = self.batches.partition_point(|stored| stored.last_offset < from);
        let mut bytes = 0;
        for stored in self.batches.range(first..).take_while(|stored| stored.last_offset < upper) {
            bytes += stored.bytes.len();
            if bytes >= enough {
                break;
            }
        }
        bytes
    }

    /// Aborted transactions that overlap `from..upper`.
    pub(crate) fn aborted_in(&self, from: i64, upper: i64) -> Vec<Aborted> {
        let first = self.aborted.partition_point(|aborted| aborted.last_offset < from);
        self.aborted.range(first..).filter(|aborted| aborted.first_offset < upper).copied().collect()
    }

    /// First record whose timestamp is at least `target`.
    pub(crate) fn find_time(&self, target: Millis) -> Option<(i64, Millis)> {
        let candidates = self.batches.iter().filter(|stored| stored.max_timestamp >= target);
        candidates.filter_map(|stored| batch::first_record_from(&stored.bytes, target, self.start)).next()
    }

    /// The record with the largest timestamp; the first of them where several share it.
    pub(crate) fn find_latest_time(&self) -> Option<(i64, Millis)> {
        self.find_time(self.batches.iter().map(|stored| stored.max_timestamp).max()?)
    }

    /// Lets go of everything before `offset`, as DeleteRecords asks.
    ///
    /// # Errors
    /// `OFFSET_OUT_OF_RANGE` beyond the end.
    pub(crate) fn delete_before(&mut self, offset: i64) -> Result<(), ResponseError> {
        if offset > self.end || offset < 0 {
            return Err(ResponseError::OffsetOutOfRange);
        }
        self.start = self.start.max(offset);
        while self.batches.front().is_some_and(|stored| stored.last_offset < self.start) {
            self.pop();
        }
        self.segments.forget_before(self.start);
        self.forget_aborted();
        Ok(())
    }

    /// Lets go of the oldest batches while the partition is too large (the newest one stays), and of segments that are
    /// too old.
    ///
    /// Where keys are kept, it compacts whenever the partition has doubled.
    pub(crate) fn retain(&mut self, now: Millis) {
        if let Some(kept) = self.retention.cleanup.tombstones_kept()
            && self.bytes >= self.compact_at
        {
            self.compact(now.saturating_sub(kept));
        }
        if !self.retention.cleanup.deletes() {
            return;
        }
        let expired = self.retention.age_max.and_then(|age_max| self.segments.expired(age_max, now));
        self.start = self.start.max(expired.unwrap_or(0));
        while let Some(front) = self.batches.front()
            && (front.last_offset < self.start || (self.batches.len() > 1 && self.bytes > self.retention.bytes_max))
        {
            self.start = self.start.max(front.last_offset + 1);
            self.pop();
        }
        self.segments.forget_before(self.start);
        self.forget_aborted();
    }

    /// What its topic does with times.
    pub(crate) fn stamps(&self) -> bool {
        self.times.stamps
    }

    fn compact(&mut self, tombstones_from: Millis) {
        let left = compaction::compact(&self.batches, &self.aborted, self.last_stable(), tombstones_from);
        self.batches = left.batches;
        self.aborted = left.aborted;
        self.bytes = self.batches.iter().map(|stored| stored.bytes.len() as u64).sum();
        let (bytes, limit) = (self.bytes, self.compacted_bytes_max());
        self.compact_at = (2 * bytes).clamp(COMPACT_FROM.min(limit), limit).max(bytes + bytes / 8);
    }

    /// What a partition that keeps keys may take: as much again as without them, for what is out of date.
    fn compacted_bytes_max(&self) -> u64 {
        self.retention.bytes_max.saturating_mul(2)
    }

    /// Whether a batch still fits into a partition that keeps keys.
    fn check_room(&self, data: &[u8]) -> Result<(), ResponseError> {
        let is_full = self.bytes.saturating_add(data.len() as u64) > self.compacted_bytes_max();
        if is_full && !self.retention.cleanup.deletes() { Err(ResponseError::PolicyViolation) } else { Ok(()) }
    }

    fn push(&mut self, stored: Stored, now: Millis) {
        let bytes = stored.bytes.len() as u64;
        self.end = stored.last_offset + 1;
        self.bytes += bytes;
        self.segments.appended(stored.last_offset, stored.max_timestamp, bytes, now);
        self.batches.push_back(stored);
    }

    fn pop(&mut self) {
        if let Some(gone) = self.batches.pop_front() {
            self.bytes -= gone.bytes.len() as u64;
        }
    }

    fn forget_aborted(&mut self) {
        while self.aborted.front().is_some_and(|aborted| aborted.last_offset < self.start) {
            self.aborted.pop_front();
        }
    }
}
