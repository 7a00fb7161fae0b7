//! Where reading of a partition begins: what the group has committed, held against what the log still holds.
//!
//! Pure: the poll thread asks the brokers, and does what comes out. Existing records are never skipped: wherever the
//! committed offset is of no use, reading begins at the first record that is left.

use std::collections::{BTreeMap, VecDeque};

use crate::offsets::{Log, Slot};

/// Deleted ranges remembered per partition. A rewind goes back over a few of the newest at most, and one that is
/// forgotten would only be counted again.
const TOLD_MAX: usize = 64;

/// Where reading begins, and what is wrong about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) offset: i64,
    pub(super) gap: Option<Gap>,
}

/// Why reading cannot begin where it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// Records from the committed offset on were deleted before they were read; `to` is the first that is left.
    Deleted { from: i64, to: i64 },
    /// The same while the partition is read: it had been read up to `from`.
    Passed { from: i64, to: i64 },
    /// The log ends at `end`, before the offset `from`: it is another log, or it was cut off. Its records count as new.
    BeyondEnd { from: i64, end: i64 },
}

/// Finds where to begin. Without a wanted offset that is the first record.
///
/// An offset beyond the end says nothing about the records that there are: the topic was deleted and created again, or
/// an unclean leader election cut it off. Reading them twice is a nuisance, never reading them would be a loss.
pub(super) fn find(wanted: Option<i64>, log: Log) -> Start {
    let wanted = wanted.unwrap_or(log.first);
    let begin_again = |gap| Start { offset: log.first, gap: Some(gap) };
    if wanted < log.first {
        begin_again(Gap::Deleted { from: wanted, to: log.first })
    } else if wanted > log.end {
        begin_again(Gap::BeyondEnd { from: wanted, end: log.end })
    } else {
        Start { offset: wanted, gap: None }
    }
}

/// The starts of the partitions that are ours, and what is needed to find more.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// Where a group that is new to a topic begins with `latest`: the ends when this process started, so that nothing
    /// that came since is skipped. A partition that is not in it appeared later, and begins with its first record.
    ends_at_start: BTreeMap<Slot, i64>,
    /// Partitions whose start is found since they became ours.
    found: BTreeMap<Slot, i64>,
    /// What was told as deleted, oldest first, so that it is told and counted once.
    told: BTreeMap<Slot, VecDeque<(i64, i64)>>,
    /// Log starts that reading has not come to: the records before them are gone.
    awaited: BTreeMap<Slot, i64>,
    /// Positions from which reading went back without a seek of ours.
    went_back: BTreeMap<Slot, i64>,
}

impl Starts {
    /// The group is new to the topic of these partitions, which end there.
    pub(super) fn is_new_to(&mut self, ends: impl IntoIterator<Item = (Slot, i64)>) {
        self.ends_at_start.extend(ends);
    }

    pub(super) fn end_at_start(&self, slot: &Slot) -> Option<i64> {
        self.ends_at_start.get(slot).copied()
    }

    pub(super) fn get(&self, slot: &Slot) -> Option<i64> {
        self.found.get(slot).copied()
    }

    pub(super) fn found(&mut self, slot: Slot, offset: i64) {
        self.awaited.remove(&slot);
        self.went_back.remove(&slot);
        self.found.insert(slot, offset);
    }

    /// A new owner finds its own start.
    pub(super) fn forget(&mut self, slot: &Slot) {
        self.found.remove(slot);
        self.awaited.remove(slot);
        self.went_back.remove(slot);
    }

    /// The partition was read up to `position`, where its log may be no longer.
    pub(super) fn went_back(&mut self, slot: Slot, position: i64) {
        self.went_back.insert(slot, position);
    }

    /// What was logged about the earlier log means nothing for this one.
    pub(super) fn is_another_log(&mut self, slot: &Slot) {
        self.told.remove(slot);
    }

    /// From where reading went back, if it did.
    pub(super) fn position_before(&self, slot: &Slot) -> Option<i64> {
        self.went_back.get(slot).copied()
    }

    /// How many offsets of `from..to` were not told as deleted before.
    pub(super) fn tell(&mut self, slot: &Slot, from: i64, to: i64) -> u64 {
        let told = self.told.entry(slot.clone()).or_default();
        let again: i64 = told.iter().map(|(start, end)| (to.min(*end) - from.max(*start)).max(0)).sum();
        let mut joined = (from, to);
        told.retain(|(start, end)| {
            let is_apart = *end < from || to < *start;
            if !is_apart {
                joined = (joined.0.min(*start), joined.1.max(*end));
            }
            is_apart
        });
        told.push_back(joined);
        if told.len() > TOLD_MAX {
            told.pop_front();
        }
        u64::try_from(to - from - again).unwrap_or(0)
    }

    /// The log of a partition that is read begins at `first` now. Records before it that are fetched already still come:
    /// what is lost shows when reading jumps there.
    pub(super) fn log_begins(&mut self, slot: Slot, first: i64) {
        self.awaited.insert(slot, first);
    }

    pub(super) fn awaits_any(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// Reading of the partition went from `position` on to `offset`. The deleted offsets in between, if any are.
    pub(super) fn jumped(&mut self, slot: &Slot, position: i64, offset: i64) -> Option<Gap> {
        let to = *self.awaited.get(slot)?;
        if offset < to {
            return None;
        }
        self.awaited.remove(slot);
        (position < to).then_some(Gap::Passed { from: position, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: Option<i64>, first: i64, end: i64, offset: i64, gap: Option<Gap>) {
        let found = find(wanted, Log { first, end });
        assert_eq!(found, Start { offset, gap }, "{wanted:?} in {first}..{end}");
    }

    #[test]
    fn reading_begins_where_the_group_stands_else_at_the_first_record_that_is_left() {
        let deleted = |from, to| Some(Gap::Deleted { from, to });
        check(None, 0, 0, 0, None);
        check(None, 25, 30, 25, None);
        check(Some(20), 0, 30, 20, None);
        check(Some(25), 25, 30, 25, None);
        check(Some(30), 25, 30, 30, None);
        check(Some(20), 25, 30, 25, deleted(20, 25));
        check(Some(20), 30, 30, 30, deleted(20, 30));
        check(Some(31), 0, 30, 0, Some(Gap::BeyondEnd { from: 31, end: 30 }));
        check(Some(31), 25, 30, 25, Some(Gap::BeyondEnd { from: 31, end: 30 }));
    }

    #[test]
    fn what_is_deleted_is_counted_once() {
        let mut starts = Starts::default();
        let slot = ("in".to_owned(), 0);
        assert_eq!(starts.tell(&slot, 20, 25), 5);
        assert_eq!(starts.tell(&slot, 20, 25), 0, "the same again, after a rewind");
        assert_eq!(starts.tell(&slot, 15, 25), 5, "what was read and not committed is gone as well");
        assert_eq!(starts.tell(&slot, 20, 40), 15);
        assert_eq!(starts.tell(&slot, 15, 40), 0);
        assert_eq!(starts.tell(&slot, 100, 120), 20);
        assert_eq!(starts.tell(&slot, 60, 120), 40, "a rewind: what was in hand between is gone as well");
        assert_eq!(starts.tell(&("in".to_owned(), 1), 20, 25), 5);
        starts.is_another_log(&slot);
        assert_eq!(starts.tell(&slot, 20, 25), 5);
    }

    #[test]
    fn records_fetched_before_they_were_deleted_are_not_lost() {
        let mut starts = Starts::default();
        let slot = ("in".to_owned(), 0);
        assert_eq!(starts.jumped(&slot, 15, 17), None, "a gap of a transaction marker");
        starts.log_begins(slot.clone(), 25);
        assert_eq!(starts.jumped(&slot, 15, 17), None);
        assert_eq!(starts.jumped(&slot, 20, 27), Some(Gap::Passed { from: 20, to: 25 }));
        assert_eq!(starts.jumped(&slot, 28, 30), None);
        assert!(!starts.awaits_any());
    }
}
