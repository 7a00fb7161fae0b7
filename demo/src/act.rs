//! When customers begin to write of other things, and when the demo ends: in the middle and after its length, unless the
//! drift worker needs longer on this machine. A pure rule.
//!
//! The change waits for a window that could be judged: before it nothing is known of what is usual. The end waits for
//! the change to be found. Neither waits forever: the change comes at the latest after the whole length, and the end at
//! the latest after twice the length. A number of records is kept exactly.

use std::time::Duration;

use crate::view::{Facts, Stretch};
use crate::watch::Watch;

/// Whether something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    NotYet,
    /// It would be due, and waits.
    Later(Stretch),
    Now,
}

/// The run so far.
pub(crate) struct Act<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) watch: &'a Watch,
    pub(crate) elapsed: Duration,
}

impl Act<'_> {
    /// Customers begin to write of other things.
    pub(crate) fn change(&self, sent: u64) -> Moment {
        if self.watch.has_changed() || self.facts.records.is_some_and(|records| sent >= records / 2) {
            return Moment::Now;
        }
        match self.facts.seconds {
            Some(length) if self.elapsed >= length => Moment::Now,
            Some(length) if self.elapsed >= length / 2 && self.watch.has_judged() => Moment::Now,
            Some(length) if self.elapsed >= length / 2 => Moment::Later(Stretch::ToLearn),
            _ => Moment::NotYet,
        }
    }

    /// Nothing more is sent.
    pub(crate) fn end(&self) -> Moment {
        let (Some(length), Some(longest)) = (self.facts.seconds, self.facts.seconds_max()) else {
            return Moment::NotYet;
        };
        match self.elapsed {
            elapsed if elapsed < length => Moment::NotYet,
            elapsed if elapsed < longest && self.watch.found().is_none() => Moment::Later(Stretch::ToFind),
            _ => Moment::Now,
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::report::Verdict;

    use super::*;
    use crate::topics::Topics;
    use crate::watch::Judged;

    fn facts(seconds: Option<u64>, records: Option<u64>) -> Facts {
        Facts {
            model: "banking77-minilm 1.1.0".to_owned(),
            brokers: "in-process devbroker".to_owned(),
            topics: Topics::plain(),
            seconds: seconds.map(Duration::from_secs),
            records,
        }
    }

    fn judged(window_end_ms: i64, verdict: Verdict) -> Judged {
        Judged {
            window_start_ms: window_end_ms - 2_000,
            window_end_ms,
            verdict,
            reasons: Vec::new(),
            at_ms: window_end_ms,
        }
    }

    /// Change and end of a demo of 30 seconds at this second.
    fn at(watch: &Watch, second: u64) -> (Moment, Moment) {
        let facts = facts(Some(30), None);
        let act = Act { facts: &facts, watch, elapsed: Duration::from_secs(second) };
        (act.change(0), act.end())
    }

    #[test]
    fn a_fast_machine_changes_midway_and_ends_after_its_length() {
        use Moment::{NotYet, Now};
        let mut watch = Watch::default();
        assert_eq!(at(&watch, 14), (NotYet, NotYet));
        watch.hear(judged(8_000, Verdict::Ok));
        assert_eq!(at(&watch, 14), (NotYet, NotYet));
        assert_eq!(at(&watch, 15), (Now, NotYet));
        watch.changed(15_000);
        watch.hear(judged(18_000, Verdict::Drift));
        assert_eq!(at(&watch, 29), (Now, NotYet));
        assert_eq!(at(&watch, 30), (Now, Now));
    }

    #[test]
    fn a_slow_machine_gets_up_to_twice_the_length() {
        use Moment::{Later, NotYet, Now};
        let mut watch = Watch::default();
        watch.hear(judged(8_000, Verdict::InsufficientData));
        assert_eq!(at(&watch, 16), (Later(Stretch::ToLearn), NotYet));
        assert_eq!(at(&watch, 30), (Now, Later(Stretch::ToFind)), "at the latest");
        watch.changed(30_000);
        watch.hear(judged(40_000, Verdict::Ok));
        assert_eq!(at(&watch, 59), (Now, Later(Stretch::ToFind)));
        assert_eq!(at(&watch, 60), (Now, Now), "at the latest");
        watch.hear(judged(44_000, Verdict::Drift));
        assert_eq!(at(&watch, 45), (Now, Now), "found");
    }

    #[test]
    fn a_number_of_records_is_kept() {
        let (facts, watch) = (facts(None, Some(100)), Watch::default());
        let act = Act { facts: &facts, watch: &watch, elapsed: Duration::from_secs(3_600) };
        assert_eq!((act.change(49), act.change(50), act.end()), (Moment::NotYet, Moment::Now, Moment::NotYet));
    }
}
