//! What a partition remembers of its producers: epoch, the last batches' sequence numbers, and where an open transaction began.
//!
//! Follows Apache Kafka's `ProducerAppendInfo`: a batch of an older epoch is refused, a batch seen before is acknowledged
//! with its old offset and not appended, and a gap in the sequence is refused.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};

use kafka_protocol::ResponseError;

use crate::batch::BatchHeader;
use crate::clock::Millis;

/// Batches remembered per producer, Kafka's `NUM_BATCHES_TO_RETAIN`: clients keep at most 5 requests in flight.
const RECENT_BATCHES: usize = 5;

/// What the sequence numbers of a batch say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SequenceCheck {
    Append,
    /// Appended before, at this base offset.
    Duplicate(i64),
}

#[derive(Debug)]
struct Entry {
    epoch: i16,
    recent: VecDeque<Recent>,
    /// First offset of the transaction that is open in this partition.
    open_from: Option<i64>,
    used: Millis,
}

#[derive(Debug)]
struct Recent {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
}

#[derive(Debug)]
pub(crate) struct Producers {
    entries: HashMap<i64, Entry>,
    /// First offset -> producer id of every open transaction; the smallest one holds the last stable offset back.
    open: BTreeMap<i64, i64>,
    entries_max: usize,
}

impl Producers {
    pub(crate) fn new(entries_max: usize) -> Self {
        Self { entries: HashMap::new(), open: BTreeMap::new(), entries_max }
    }

    /// First offset of the oldest open transaction.
    pub(crate) fn first_open(&self) -> Option<i64> {
        self.open.keys().next().copied()
    }

    /// # Errors
    /// `INVALID_PRODUCER_EPOCH` for a fenced producer, `OUT_OF_ORDER_SEQUENCE_NUMBER` for a gap.
    pub(crate) fn check(&self, batch: &BatchHeader) -> Result<SequenceCheck, ResponseError> {
        let Some(entry) = self.entries.get(&batch.producer_id) else { return Ok(SequenceCheck::Append) };
        if batch.producer_epoch < entry.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        if batch.producer_epoch > entry.epoch {
            let starts_over = batch.base_sequence == 0;
            return if starts_over { Ok(SequenceCheck::Append) } else { Err(ResponseError::OutOfOrderSequenceNumber) };
        }
        let same =
            |seen: &&Recent| seen.first_sequence == batch.base_sequence && seen.last_sequence == batch.last_sequence();
        if let Some(seen) = entry.recent.iter().find(same) {
            return Ok(SequenceCheck::Duplicate(seen.base_offset));
        }
        // No batch of this epoch yet (a marker set it): only sequence 0 follows, as in Kafka.
        let expected = entry.recent.back().map_or(0, |last| last.last_sequence.wrapping_add(1) & i32::MAX);
        if batch.base_sequence == expected {
            Ok(SequenceCheck::Append)
        } else {
            Err(ResponseError::OutOfOrderSequenceNumber)
        }
    }

    pub(crate) fn appended(&mut self, batch: &BatchHeader, base_offset: i64, now: Millis) {
        self.make_room(batch.producer_id);
        let entry = self.entries.entry(batch.producer_id).or_insert_with(|| Entry::new(batch.producer_epoch));
        entry.enter_epoch(batch.producer_epoch);
        entry.used = now;
        entry.recent.push_back(Recent {
            first_sequence: batch.base_sequence,
            last_sequence: batch.last_sequence(),
            base_offset,
        });
        if entry.recent.len() > RECENT_BATCHES {
            entry.recent.pop_front();
        }
        if batch.is_transactional() && entry.open_from.is_none() {
            entry.open_from = Some(base_offset);
            self.open.insert(base_offset, batch.producer_id);
        }
    }

    /// A marker of `epoch` was written: the producer's transaction is no longer open here. Returns where it had begun.
    pub(crate) fn ended(&mut self, producer_id: i64, epoch: i16, now: Millis) -> Option<i64> {
        self.make_room(producer_id);
        let entry = self.entries.entry(producer_id).or_insert_with(|| Entry::new(epoch));
        entry.enter_epoch(epoch);
        entry.used = now;
        let from = entry.open_from.take()?;
        self.open.remove(&from);
        Some(from)
    }

    /// Forgets the idle producer unused for longest when a new one would be one too many.
    fn make_room(&mut self, newcomer: i64) {
        if self.entries.len() < self.entries_max || self.entries.contains_key(&newcomer) {
            return;
        }
        let idle = self.entries.iter().filter(|(_, entry)| entry.open_from.is_none());
        if let Some(oldest) = idle.min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id) {
            self.entries.remove(&oldest);
        }
    }
}

impl Entry {
    fn new(epoch: i16) -> Self {
        Self { epoch, recent: VecDeque::new(), open_from: None, used: 0 }
    }

    /// A new epoch starts its sequence over.
    fn enter_epoch(&mut self, epoch: i16) {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.recent.clear();
        }
    }
}
