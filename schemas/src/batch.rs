//! A batch carries its own progress: events, rejected records, and the ticket with their offsets.
//!
//! **Conservation:** every record read becomes exactly one label, one dead letter or one tombstone that is settled as the
//! settings say. All ways forward assert it, counted in records: offsets have gaps, so their differences say nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dead_letter::DeadLetter;
use crate::event::{Origin, RawEvent};
use crate::tombstone::{Aside, Tombstone};

/// Our own counter of partition ownership: bumped on every assignment, loss and rewind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

impl Generation {
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    pub fn number(self) -> u64 {
        self.0
    }
}

/// The progress that a batch stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    next_offsets: BTreeMap<(Arc<str>, i32), i64>,
    generation: Generation,
}

impl Ticket {
    pub fn new(generation: Generation) -> Self {
        Self { next_offsets: BTreeMap::new(), generation }
    }

    /// Covers one more record: its partition continues after it.
    pub fn cover(&mut self, origin: &Origin) {
        self.cover_to((Arc::clone(&origin.topic), origin.partition), origin.offset + 1);
    }

    /// Covers a partition up to before `next`, also offsets at which no record is to be seen.
    pub fn cover_to(&mut self, partition: (Arc<str>, i32), next: i64) {
        self.next_offsets.entry(partition).and_modify(|known| *known = next.max(*known)).or_insert(next);
    }

    /// The offset to continue from, per topic and partition.
    pub fn next_offsets(&self) -> &BTreeMap<(Arc<str>, i32), i64> {
        &self.next_offsets
    }

    pub fn generation(&self) -> Generation {
        self.generation
    }
}

/// Events of one stage `T` that are published together, or read again together.
#[derive(Debug)]
pub struct Batch<T> {
    items: Vec<T>,
    rejects: Vec<DeadLetter>,
    tombstones: Vec<Tombstone>,
    ticket: Ticket,
}

impl Batch<RawEvent> {
    /// A batch of records read under one generation; the ticket covers them all.
    pub fn read(items: Vec<RawEvent>, generation: Generation) -> Self {
        Self::of(items, generation, |record| &record.origin)
    }

    /// Takes apart what was read together, for a stage that makes batches of its records again.
    pub fn into_records(self) -> (Vec<RawEvent>, Ticket) {
        assert!(self.rejects.is_empty() && self.tombstones.is_empty(), "nothing was decided of these records");
        (self.items, self.ticket)
    }
}

impl<T> Batch<T> {
    /// A batch of whatever was made of records of one generation; the ticket covers them all.
    pub fn of(items: Vec<T>, generation: Generation, origin: impl Fn(&T) -> &Origin) -> Self {
        let mut ticket = Ticket::new(generation);
        for item in &items {
            ticket.cover(origin(item));
        }
        Self { items, rejects: Vec::new(), tombstones: Vec::new(), ticket }
    }

    /// Also covers these partitions up to before an offset: the ends of drained ones lie behind their last records.
    #[must_use]
    pub fn covering(mut self, ends: impl IntoIterator<Item = ((Arc<str>, i32), i64)>) -> Self {
        for (partition, next) in ends {
            self.ticket.cover_to(partition, next);
        }
        self
    }

    pub fn items(&self) -> &[T] {
        &self.items
    }

    pub fn rejects(&self) -> &[DeadLetter] {
        &self.rejects
    }

    pub fn tombstones(&self) -> &[Tombstone] {
        &self.tombstones
    }

    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// Records that the batch stands for: items, rejects and tombstones.
    pub fn records(&self) -> usize {
        self.items.len() + self.rejects.len() + self.tombstones.len()
    }

    /// Takes every item one stage on; an item that cannot go becomes a reject. Order is kept.
    #[must_use]
    pub fn try_map<U>(self, mut step: impl FnMut(T) -> Result<U, DeadLetter>) -> Batch<U> {
        self.sift(|item| step(item).map_err(Aside::DeadLetter))
    }

    /// As [`Self::try_map`], for the stage that also knows tombstones.
    #[must_use]
    pub fn sift<U>(self, mut step: impl FnMut(T) -> Result<U, Aside>) -> Batch<U> {
        let before = self.records();
        let mut items = Vec::with_capacity(self.items.len());
        let (mut rejects, mut tombstones) = (self.rejects, self.tombstones);
        for item in self.items {
            match step(item) {
                Ok(next) => items.push(next),
                Err(Aside::DeadLetter(letter)) => rejects.push(letter),
                Err(Aside::Tombstone(tombstone)) => tombstones.push(tombstone),
            }
        }
        let after = Batch { items, rejects, tombstones, ticket: self.ticket };
        assert_eq!(after.records(), before, "a stage lost or invented records");
        after
    }

    /// Joins every item with the value at its place.
    ///
    /// # Panics
    /// When `values` has another length than the items: that is a bug of the stage which made them.
    #[must_use]
    pub fn zip_map<V, U>(self, values: Vec<V>, mut join: impl FnMut(T, V) -> U) -> Batch<U> {
        assert_eq!(self.items.len(), values.len(), "one value per item");
        let items = self.items.into_iter().zip(values).map(|(item, value)| join(item, value)).collect();
        Batch { items, rejects: self.rejects, tombstones: self.tombstones, ticket: self.ticket }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dead_letter::Reason;
    use crate::tombstone::Fate;

    fn raw(partition: i32, offset: i64) -> RawEvent {
        RawEvent {
            origin: Origin { topic: "in".into(), partition, offset },
            key: None,
            payload: None,
            headers: Vec::new(),
            timestamp_ms: None,
        }
    }

    /// Every third of the poisoned records is a tombstone.
    fn unless_poison(event: RawEvent, place: usize, poison: i64) -> Result<(RawEvent, usize), Aside> {
        if event.origin.offset % poison != 0 {
            Ok((event, place))
        } else if event.origin.offset % 3 == 0 {
            Err(Tombstone { raw: event, fate: Fate::Skip }.into())
        } else {
            Err(DeadLetter::new(event, Reason::Empty, "poison").into())
        }
    }

    proptest! {
        #[test]
        fn conserves_records_and_keeps_order(offsets in prop::collection::vec((0..4i32, 0..1000i64), 0..200), poison in 1..7i64) {
            let events: Vec<_> = offsets.iter().map(|(partition, offset)| raw(*partition, *offset)).collect();
            let batch = Batch::read(events.clone(), Generation::default());
            let values: Vec<_> = (0..batch.items().len()).collect();
            let batch = batch
                .zip_map(values, |event, place| (event, place))
                .sift(|(event, place)| unless_poison(event, place, poison));
            prop_assert_eq!(batch.records(), events.len());
            prop_assert!(batch.items().windows(2).all(|pair| pair[0].1 < pair[1].1));
            prop_assert!(batch.items().iter().all(|(event, place)| *event == events[*place]));
            for ((_, partition), next) in batch.ticket().next_offsets() {
                let highest = offsets.iter().filter(|(own, _)| own == partition).map(|(_, offset)| *offset).max();
                prop_assert_eq!(Some(next - 1), highest);
            }
        }
    }

    #[test]
    #[should_panic(expected = "one value per item")]
    fn refuses_a_value_too_few() {
        let short = Batch::read(vec![raw(0, 0), raw(0, 1)], Generation::default()).zip_map(vec![1], |event, _| event);
        drop(short);
    }
}
