//! Decides when a batch is full: a pure struct without channels, clocks or metrics.
//!
//! A batch closes when the labeller falls free (its reader asks for [`Batcher::take`]) or when a limit of work is
//! reached ([`Batcher::is_full`]). There is no linger: at low load a batch is one record, under backlog it is large.

use std::num::NonZeroUsize;
use std::sync::Arc;

use schemas::{Batch, Generation, RawEvent};

/// How much work one batch may hold.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    pub records_max: NonZeroUsize,
    /// Bytes of keys, payloads and headers; the record that crosses the limit is still taken, so that any single record fits.
    pub bytes_max: NonZeroUsize,
}

/// The open batch. Records of an older generation than the newest seen are void and dropped.
#[derive(Debug)]
pub struct Batcher {
    limits: BatchLimits,
    generation: Generation,
    records: Vec<RawEvent>,
    bytes: usize,
    /// Ends of drained partitions, behind their last records.
    ends: Vec<((Arc<str>, i32), i64)>,
}

impl Batcher {
    pub fn new(limits: BatchLimits) -> Self {
        Self { limits, generation: Generation::default(), records: Vec::new(), bytes: 0, ends: Vec::new() }
    }

    /// Adds one record. A newer generation voids what is open; an older record is itself void.
    pub fn push(&mut self, record: RawEvent, generation: Generation) {
        if self.is_current(generation) {
            self.bytes += record.held_bytes();
            self.records.push(record);
        }
    }

    /// Adds the end of a drained partition, which a batch covers behind the records that came before.
    pub fn drained(&mut self, partition: (Arc<str>, i32), end: i64, generation: Generation) {
        if self.is_current(generation) {
            self.ends.push((partition, end));
        }
    }

    fn is_current(&mut self, generation: Generation) -> bool {
        if generation > self.generation {
            self.clear();
            self.generation = generation;
        }
        generation == self.generation
    }

    /// Drops the open batch: its records will be read again.
    pub fn clear(&mut self) {
        self.records.clear();
        self.ends.clear();
        self.bytes = 0;
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.ends.is_empty()
    }

    /// True when nothing more may be added: the back-pressure on the source.
    pub fn is_full(&self) -> bool {
        self.records.len() >= self.limits.records_max.get() || self.bytes >= self.limits.bytes_max.get()
    }

    /// Closes the open batch; `None` when nothing is open.
    pub fn take(&mut self) -> Option<Batch<RawEvent>> {
        if self.is_empty() {
            return None;
        }
        self.bytes = 0;
        let records = std::mem::take(&mut self.records);
        Some(Batch::read(records, self.generation).covering(self.ends.drain(..)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schemas::Origin;

    use super::*;

    fn raw(offset: i64, bytes: usize) -> RawEvent {
        RawEvent {
            origin: Origin { topic: "in".into(), partition: 0, offset },
            key: None,
            payload: Some(vec![0; bytes]),
            headers: Vec::new(),
            timestamp_ms: None,
        }
    }

    fn batcher(records_max: usize, bytes_max: usize) -> Batcher {
        let limit = |value| NonZeroUsize::new(value).expect("tests use positive limits");
        Batcher::new(BatchLimits { records_max: limit(records_max), bytes_max: limit(bytes_max) })
    }

    proptest! {
        #[test]
        fn every_record_leaves_once_and_in_order(sizes in prop::collection::vec(0..50usize, 0..200), records_max in 1..20usize, bytes_max in 1..200usize) {
            let mut open = batcher(records_max, bytes_max);
            let mut out = Vec::new();
            for (offset, size) in (0i64..).zip(&sizes) {
                prop_assert!(!open.is_full());
                open.push(raw(offset, *size), Generation::default());
                if open.is_full() {
                    out.extend(open.take());
                }
            }
            out.extend(open.take());
            prop_assert!(open.is_empty());
            prop_assert!(out.iter().all(|batch| batch.records() > 0 && batch.records() <= records_max));
            let offsets: Vec<_> = out.iter().flat_map(Batch::items).map(|event| event.origin.offset).collect();
            let expected: Vec<_> = (0i64..).take(sizes.len()).collect();
            prop_assert_eq!(offsets, expected);
        }
    }

    #[test]
    fn a_newer_generation_voids_the_open_batch_and_an_older_record_is_void() {
        let old = Generation::default();
        let mut open = batcher(10, 1000);
        open.push(raw(0, 1), old);
        open.push(raw(7, 1), old.next());
        open.push(raw(1, 1), old);
        let batch = open.take().expect("one record is open");
        assert_eq!(batch.items().iter().map(|event| event.origin.offset).collect::<Vec<_>>(), [7]);
        assert_eq!(batch.ticket().generation(), old.next());
    }
}
