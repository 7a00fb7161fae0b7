//! Which ends of drained partitions are to be told, and when: a pure struct without clocks.
//!
//! An end counts when two statistics in a row show the same, with nothing waiting to be read, so a busy partition costs nothing
//! and a drained one is told once.

use std::collections::BTreeMap;

use crate::offsets::Slot;

/// What is known of the ends of one generation's partitions.
#[derive(Debug, Default)]
pub(super) struct Drains {
    /// Where partitions ended at the last statistics, of those that were read to there.
    seen: BTreeMap<Slot, i64>,
    /// Ends that stood still, to be told when the reader has everything before them.
    due: BTreeMap<Slot, i64>,
    told: BTreeMap<Slot, i64>,
    is_in_doubt: bool,
}

impl Drains {
    /// librdkafka may have passed over something that it could not read: no end of this generation is believed.
    pub(super) fn doubt(&mut self) {
        self.is_in_doubt = true;
    }

    /// Takes in ends that fetching stands at. `position` is the next offset to be read, if that is known.
    pub(super) fn heard(&mut self, ends: BTreeMap<Slot, i64>, position: impl Fn(&Slot) -> Option<i64>) {
        let is_due = |slot: &Slot, end: i64| {
            let is_still = self.seen.get(slot) == Some(&end) && self.told.get(slot) != Some(&end);
            is_still && !self.is_in_doubt && position(slot).is_some_and(|position| position < end)
        };
        self.due =
            ends.iter().filter(|(slot, end)| is_due(slot, **end)).map(|(slot, end)| (slot.clone(), *end)).collect();
        self.seen = ends;
    }

    /// Whether anything is to be told.
    pub(super) fn is_any_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Ends to tell now; a partition of which a record came meanwhile is not drained.
    pub(super) fn take(&mut self, position: impl Fn(&Slot) -> Option<i64>) -> Vec<(Slot, i64)> {
        let due = std::mem::take(&mut self.due).into_iter();
        let ends: Vec<_> = due.filter(|(slot, end)| position(slot).is_some_and(|position| position < *end)).collect();
        self.told.extend(ends.iter().cloned());
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(partition: i32) -> Slot {
        ("in".to_owned(), partition)
    }

    /// Ends of partitions 0, 1, ... at three statistics, with the position of each partition at all times.
    fn check(heard: [&[Option<i64>]; 3], positions: &[Option<i64>], expected: [&[(i32, i64)]; 3]) {
        let mut drains = Drains::default();
        let position = |slot: &Slot| positions[usize::try_from(slot.1).expect("small")];
        for (ends, expected) in heard.into_iter().zip(expected) {
            let ends = (0..).zip(ends).filter_map(|(partition, end)| Some((slot(partition), (*end)?)));
            drains.heard(ends.collect(), position);
            let told: Vec<_> =
                drains.take(position).into_iter().map(|((_, partition), end)| (partition, end)).collect();
            assert_eq!(told, expected, "{heard:?} at {positions:?}");
        }
    }

    #[test]
    fn an_end_behind_the_last_record_is_told_once_when_it_stands_still() {
        let still: &[Option<i64>] = &[Some(4)];
        check([still; 3], &[Some(3)], [&[], &[(0, 4)], &[]]);
        check([still; 3], &[Some(4)], [&[], &[], &[]]);
        check([still; 3], &[None], [&[], &[], &[]]);
        check([&[Some(4)], &[Some(6)], &[Some(6)]], &[Some(3)], [&[], &[], &[(0, 6)]]);
        check([&[Some(4)], &[None], &[Some(4)]], &[Some(3)], [&[], &[], &[]]);
        check([&[None, Some(9)], still, &[Some(4), Some(9)]], &[Some(3), Some(8)], [&[], &[], &[(0, 4)]]);
    }

    #[test]
    fn a_record_that_comes_before_the_end_is_told_takes_its_place() {
        let mut drains = Drains::default();
        for _ in 0..2 {
            drains.heard(BTreeMap::from([(slot(0), 4)]), |_| Some(3));
        }
        assert_eq!(drains.take(|_| Some(5)), []);
    }

    #[test]
    fn no_end_is_believed_when_something_could_not_be_read() {
        let mut drains = Drains::default();
        drains.doubt();
        for _ in 0..3 {
            drains.heard(BTreeMap::from([(slot(0), 4)]), |_| Some(3));
            assert_eq!(drains.take(|_| Some(3)), []);
        }
    }
}
