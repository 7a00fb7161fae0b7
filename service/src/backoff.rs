//! How long to wait before trying again.
//!
//! By hand, checked against `backon` 1.6: its jitter adds up to the whole wait again, and the bound on the longest publish
//! counts on jitter that only shortens. Without its jitter it would replace one line.

use std::time::Duration;

/// Doublings of the first wait: what returns is found within seconds.
const DOUBLINGS_MAX: u32 = 5;

/// The wait after this many failures in a row: the first, then doubled each time, at most 32 times.
pub fn backoff(first: Duration, failures: u32) -> Duration {
    first.saturating_mul(2u32.pow(failures.saturating_sub(1).min(DOUBLINGS_MAX)))
}

/// At random between half of that wait and all of it, so that many callers do not return at once.
pub fn jittered(first: Duration, failures: u32) -> Duration {
    backoff(first, failures).mul_f64(0.5 + 0.5 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let first = Duration::from_millis(100);
        let waits: Vec<_> = (0..9).map(|failures| backoff(first, failures).as_millis()).collect();
        assert_eq!(waits, [100, 100, 200, 400, 800, 1600, 3200, 3200, 3200]);
        assert_eq!(backoff(Duration::MAX, 9), Duration::MAX);
    }

    #[test]
    fn jitter_varies_and_only_shortens() {
        let first = Duration::from_millis(100);
        for (failures, whole) in [(1, 100), (2, 200), (6, 3200), (60, 3200)] {
            let waits: BTreeSet<_> = (0..100).map(|_| jittered(first, failures).as_millis()).collect();
            assert!(waits.len() > 1 && waits.iter().all(|wait| (whole / 2..=whole).contains(wait)), "{waits:?}");
        }
    }
}
