//! One partition: batches in order, what may be read of them, and what retention has let go.
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
use crate::producers::{Producers, Verdict};

/// Leaders never change here, so the epoch never moves.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// Kafka's `log.message.timestamp.after.max.ms`: records from further in the future are refused.
const FUTURE_MAX: Millis = 3_600_000;

#[derive(Debug)]
struct Stored {
    last_offset: i64,
    max_timestamp: Millis,
    bytes: Bytes,
}

/// A transaction that ended in an abort: its records lie in `first_offset..=last_offset`, the marker last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    last_offset: i64,
}

/// How long a partition keeps what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) bytes_max: u64,
    /// Age by record timestamp; `None` keeps records of any age.
    pub(crate) age_max: Option<Millis>,
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
    producers: Producers,
    aborted: VecDeque<Aborted>,
}

impl PartitionLog {
    pub(crate) fn new(retention: Retention, producers_max: usize) -> Self {
        Self {
            batches: VecDeque::new(),
            start: 0,
            end: 0,
            bytes: 0,
            retention,
            producers: Producers::new(producers_max),
            aborted: VecDeque::new(),
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
    /// As [`Producers::check`]; `INVALID_TIMESTAMP` for records from the future.
    pub(crate) fn append(&mut self, header: &BatchHeader, data: &[u8], now: Millis) -> Result<i64, ResponseError> {
        if header.max_timestamp > now.saturating_add(FUTURE_MAX) {
            return Err(ResponseError::InvalidTimestamp);
        }
        if header.has_producer()
            && let Verdict::Duplicate(base_offset) = self.producers.check(header)?
        {
            return Ok(base_offset);
        }
        let base_offset = self.end;
        let last_offset = base_offset + i64::from(header.last_offset_delta);
        self.push(Stored {
            last_offset,
            max_timestamp: header.max_timestamp,
            bytes: batch::placed(data, base_offset, LEADER_EPOCH),
        });
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
        self.push(Stored {
            last_offset: offset,
            max_timestamp: now,
            bytes: batch::marker(offset, producer, commit, now),
        });
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
        self.forget_aborted();
        Ok(())
    }

    /// Lets go of the oldest batches while the partition is too large, or they are too old. The newest batch stays.
    pub(crate) fn retain(&mut self, now: Millis) {
        let oldest_kept = self.retention.age_max.map_or(Millis::MIN, |age| now.saturating_sub(age));
        while self.batches.len() > 1
            && let Some(front) = self.batches.front()
            && (self.bytes > self.retention.bytes_max || (0..oldest_kept).contains(&front.max_timestamp))
        {
            self.start = self.start.max(front.last_offset + 1);
            self.pop();
        }
        self.forget_aborted();
    }

    fn push(&mut self, stored: Stored) {
        self.end = stored.last_offset + 1;
        self.bytes += stored.bytes.len() as u64;
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
