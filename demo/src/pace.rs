//! How fast the demo sends: as fast as this machine labels with ease, and no faster.
//!
//! A pure rule: the rate creeps up while answers come quickly, and falls at once when messages queue up. So the
//! latency on the screen is that of a pipeline with room to breathe, on a laptop and on a busy shared core alike.

use std::time::Duration;

/// Records per second at the start: two slow cores carry it.
const START: f64 = 60.0;
const LEAST: f64 = 5.0;
/// Enough to look lively; the demo is no benchmark.
const MOST: f64 = 250.0;
/// Half of the answers must come faster than this for the rate to go up: a short text and a transaction on slow cores.
const QUICK: Duration = Duration::from_millis(40);
/// Half of the answers taking longer than this means that texts wait for one another.
const SLOW: Duration = Duration::from_millis(80);
/// More than this much of sending under way means that messages queue up.
const QUEUE: Duration = Duration::from_millis(500);
const UP: f64 = 1.1;
const DOWN: f64 = 0.85;
const FAR_DOWN: f64 = 0.7;

/// The rate of sending, adapted by [`Pace::adapt`] or fixed by the user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    records_per_second: f64,
    fixed: bool,
}

impl Pace {
    /// `fixed`: records per second that the user asked for.
    pub(crate) fn new(fixed: Option<f64>) -> Self {
        Self { records_per_second: fixed.unwrap_or(START), fixed: fixed.is_some() }
    }

    pub(crate) fn records_per_second(self) -> f64 {
        self.records_per_second
    }

    /// Once a second: `p50` of the last seconds (`None` when nothing was answered) and the records now under way.
    pub(crate) fn adapt(&mut self, p50: Option<Duration>, under_way: u64) {
        if self.fixed {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "records under way are far below 2^52")]
        let queued = Duration::from_secs_f64(under_way as f64 / self.records_per_second);
        let factor = if queued > QUEUE {
            FAR_DOWN
        } else if p50.is_some_and(|p50| p50 > SLOW) {
            DOWN
        } else if p50.is_some_and(|p50| p50 < QUICK) {
            UP
        } else {
            1.0
        };
        self.records_per_second = (self.records_per_second * factor).clamp(LEAST, MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_the_machine() {
        let fast = Some(Duration::from_millis(10));
        let fair = Some(Duration::from_millis(60));
        let slow = Some(Duration::from_millis(200));
        let check = |start: Option<f64>, p50, under_way, expected: f64| {
            let mut pace = Pace::new(start);
            pace.adapt(p50, under_way);
            assert!((pace.records_per_second() - expected).abs() < 1e-9, "{}", pace.records_per_second());
        };
        check(None, fast, 2, START * UP);
        check(None, fair, 2, START);
        check(None, slow, 2, START * DOWN);
        check(None, None, 2, START);
        check(None, fast, 31, START * FAR_DOWN);
        check(None, None, 1_000_000, START * FAR_DOWN);
        check(Some(1_000.0), fast, 1_000_000, 1_000.0);
    }

    #[test]
    fn the_rate_stays_within_its_bounds() {
        let mut pace = Pace::new(None);
        for _ in 0..100 {
            pace.adapt(Some(Duration::from_millis(1)), 0);
        }
        assert!((pace.records_per_second() - MOST).abs() < 1e-9);
        for _ in 0..100 {
            pace.adapt(None, u64::MAX / 2);
        }
        assert!((pace.records_per_second() - LEAST).abs() < 1e-9);
    }
}
