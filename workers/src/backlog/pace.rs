//! How fast a group goes on: what it has committed between two looks. Pure: whoever looks brings the clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

type Committed = BTreeMap<(String, i32), i64>;

/// The looks of the last while, oldest first.
#[derive(Debug)]
pub(super) struct Pace {
    over: Duration,
    looks: VecDeque<(Instant, Committed)>,
}

impl Pace {
    pub(super) fn new(over: Duration) -> Self {
        Self { over, looks: VecDeque::new() }
    }

    /// Takes in a look; those that are older than needed are forgotten, but for one that begins the while.
    pub(super) fn heard(&mut self, now: Instant, committed: Committed) {
        self.looks.push_back((now, committed));
        while self.looks.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= self.over) {
            self.looks.pop_front();
        }
    }

    /// Offsets committed per second over the while; 0 before two looks. A partition that was set back counts as standing.
    #[expect(clippy::cast_precision_loss, reason = "offsets of a minute are far below 2^52")]
    pub(super) fn records_per_second(&self) -> f64 {
        let (Some((from, before)), Some((to, now))) = (self.looks.front(), self.looks.back()) else { return 0.0 };
        let seconds = to.duration_since(*from).as_secs_f64();
        let gone =
            |(slot, offset): (&(String, i32), &i64)| before.get(slot).map_or(0, |before| (offset - before).max(0));
        let records: i64 = now.iter().map(gone).sum();
        if seconds > 0.0 { records as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(offsets: &[i64]) -> Committed {
        (0..).zip(offsets).map(|(partition, offset)| (("in".to_owned(), partition), *offset)).collect()
    }

    #[test]
    fn the_pace_is_what_was_committed_over_the_last_while() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut pace = Pace::new(second * 60);
        let check =
            |pace: &Pace, expected: f64| assert!((pace.records_per_second() - expected).abs() < 1e-9, "{pace:?}");
        check(&pace, 0.0);
        pace.heard(start, look(&[100]));
        check(&pace, 0.0);
        pace.heard(start + second * 10, look(&[150, 7_000]));
        check(&pace, 5.0); // a partition that was not known before says nothing
        pace.heard(start + second * 20, look(&[50, 7_300]));
        check(&pace, 0.0); // set back; the other is not known from the beginning of the while
        pace.heard(start + second * 75, look(&[50, 7_650]));
        check(&pace, 10.0); // since second 10
        pace.heard(start + second * 500, look(&[50, 7_650]));
        check(&pace, 0.0);
    }
}
