//! Working up to the present end: the ends when the source starts, and whether reading and committing have reached them.
//!
//! The end is the last stable offset: what an open transaction hides is not yet there. Transaction markers and aborted
//! records take offsets that no reader ever sees, so the last record's offset may stay below the end for ever. Where it
//! does, librdkafka's statistics say that fetching is past it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::context::Positions;
use super::spans::ReadSpans;
use crate::offsets::Slot;
use crate::settings::UntilEnd;

/// How often the committed offsets are looked up.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// After a rebalance or a rewind, statistics may still tell of the time before: librdkafka refreshes them once a second.
/// Also how long an assignment of no partitions must last before it is believed.
pub(super) const SETTLE: Duration = Duration::from_secs(3);

/// The ends that were there at the start, and what is known of the way to them.
pub(super) struct EndWatch {
    until: UntilEnd,
    ends: BTreeMap<Slot, i64>,
    /// Partitions of which a record behind the end was seen: everything before it was read.
    passed: BTreeSet<Slot>,
    settled_since: Instant,
    positions: Option<Positions>,
    next_check: Instant,
    is_told: bool,
}

impl EndWatch {
    pub(super) fn new(until: UntilEnd, ends: BTreeMap<Slot, i64>, now: Instant) -> Self {
        let passed = BTreeSet::new();
        Self { until, ends, passed, settled_since: now, positions: None, next_check: now, is_told: false }
    }

    /// A new generation has begun: older positions mean nothing, and other partitions have other ends.
    pub(super) fn unsettle(&mut self, now: Instant) {
        self.settled_since = now;
        self.positions = None;
        self.passed.clear();
        self.is_told = false;
    }

    /// Whether a record came after the start, so that it is not to be read. A partition that did not exist then has
    /// nothing else.
    pub(super) fn is_behind(&mut self, topic: &str, partition: i32, offset: i64) -> bool {
        let slot = (topic.to_owned(), partition);
        let is_behind = self.ends.get(&slot).is_none_or(|end| offset >= *end);
        if is_behind {
            self.passed.insert(slot);
        }
        is_behind
    }

    /// The reader was told: there is nothing more to find in this generation.
    pub(super) fn told(&mut self) {
        self.is_told = true;
    }

    pub(super) fn heard(&mut self, positions: Positions) {
        if positions.heard_at >= self.settled_since + SETTLE {
            self.positions = Some(positions);
        }
    }

    /// True once per [`CHECK_INTERVAL`], until the reader was told.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = !self.is_told && now >= self.next_check;
        if due {
            self.next_check = now + CHECK_INTERVAL;
        }
        due
    }

    /// Whether all assigned partitions, given with their committed offsets, are at their ends.
    pub(super) fn is_reached(&self, assigned: &BTreeMap<Slot, Option<i64>>, spans: &ReadSpans, now: Instant) -> bool {
        if assigned.is_empty() {
            return now >= self.settled_since + SETTLE;
        }
        assigned.iter().all(|(slot, committed)| {
            let read_to = spans.get(slot).map(|span| span.next);
            let fetched_to = self.positions.as_ref().and_then(|positions| positions.fetched_to.get(slot)).copied();
            let position = [*committed, read_to, fetched_to].into_iter().flatten().max().unwrap_or(0);
            // A partition that did not exist at the start has no end to reach.
            let at_end = self.passed.contains(slot) || self.ends.get(slot).is_none_or(|end| position >= *end);
            let settled = match self.until {
                UntilEnd::Delivered => true,
                UntilEnd::Committed => {
                    read_to.is_none_or(|next| committed.is_some_and(|committed| committed >= next))
                        || spans.get(slot).is_some_and(|span| span.first == span.next)
                }
            };
            at_end && settled
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        until: UntilEnd,
        end: i64,
        committed: Option<i64>,
        read: &'static [i64],
        fetched_to: Option<i64>,
    }

    fn check(case: &Case, expected: bool) {
        let start = Instant::now();
        let slot = ("in".to_owned(), 0);
        let mut watch = EndWatch::new(case.until, BTreeMap::from([(slot.clone(), case.end)]), start);
        let mut spans = ReadSpans::default();
        for offset in case.read {
            spans.read("in", 0, *offset);
        }
        if let Some(offset) = case.fetched_to {
            watch.heard(Positions {
                heard_at: start + SETTLE,
                fetched_to: BTreeMap::from([(slot.clone(), offset)]),
                at_end: BTreeSet::new(),
                is_connected: true,
            });
        }
        let assigned = BTreeMap::from([(slot, case.committed)]);
        let name = format!("{:?} {} {:?} {:?}", case.until, case.end, case.committed, case.read);
        assert_eq!(watch.is_reached(&assigned, &spans, start), expected, "{name}");
    }

    #[test]
    fn the_end_is_reached_when_all_is_read_and_committed() {
        use UntilEnd::{Committed, Delivered};
        let case = |until, end, committed, read, fetched_to| Case { until, end, committed, read, fetched_to };
        check(&case(Committed, 0, None, &[], None), true);
        check(&case(Committed, 3, None, &[], None), false);
        check(&case(Committed, 3, None, &[0, 1, 2], None), false);
        check(&case(Committed, 3, Some(2), &[0, 1, 2], None), false);
        check(&case(Committed, 3, Some(3), &[0, 1, 2], None), true);
        check(&case(Delivered, 3, None, &[0, 1, 2], None), true);
        check(&case(Delivered, 3, None, &[0, 1], None), false);
        // A marker at offset 3 makes the end 4: only the statistics see past it.
        check(&case(Committed, 4, Some(3), &[0, 1, 2], None), false);
        check(&case(Committed, 4, Some(3), &[0, 1, 2], Some(4)), true);
        check(&case(Committed, 4, Some(2), &[0, 1, 2], Some(4)), false);
        // A restart at the end, with nothing new.
        check(&case(Committed, 4, Some(4), &[], None), true);
        check(&case(Committed, 4, Some(3), &[], Some(4)), true);
    }

    #[test]
    fn a_record_from_after_the_start_is_not_read_and_shows_that_the_end_is_passed() {
        let start = Instant::now();
        let slot = ("in".to_owned(), 0);
        let mut watch = EndWatch::new(UntilEnd::Committed, BTreeMap::from([(slot.clone(), 4)]), start);
        let assigned = BTreeMap::from([(slot, Some(3))]);
        assert!(!watch.is_behind("in", 0, 3));
        assert!(!watch.is_reached(&assigned, &ReadSpans::default(), start));
        assert!(watch.is_behind("in", 0, 4));
        assert!(watch.is_reached(&assigned, &ReadSpans::default(), start));
        assert!(watch.is_behind("in", 1, 0), "a partition that did not exist");
        watch.unsettle(start);
        assert!(!watch.is_reached(&assigned, &ReadSpans::default(), start));
    }

    #[test]
    fn positions_from_before_a_rewind_are_not_believed() {
        let start = Instant::now();
        let slot = ("in".to_owned(), 0);
        let mut watch = EndWatch::new(UntilEnd::Committed, BTreeMap::from([(slot.clone(), 9)]), start);
        watch.unsettle(start);
        let fetched_to = BTreeMap::from([(slot.clone(), 9)]);
        watch.heard(Positions {
            heard_at: start + SETTLE / 2,
            fetched_to,
            at_end: BTreeSet::new(),
            is_connected: true,
        });
        let assigned = BTreeMap::from([(slot, Some(2))]);
        assert!(!watch.is_reached(&assigned, &ReadSpans::default(), start + SETTLE));
    }

    #[test]
    fn an_assignment_of_nothing_is_believed_after_a_while() {
        let start = Instant::now();
        let watch = EndWatch::new(UntilEnd::Committed, BTreeMap::new(), start);
        assert!(!watch.is_reached(&BTreeMap::new(), &ReadSpans::default(), start));
        assert!(watch.is_reached(&BTreeMap::new(), &ReadSpans::default(), start + SETTLE));
    }
}
