//! How long to wait before trying again.
//!
//! By hand: `backon` adds its jitter on top of a wait, and what is promised of the longest publish counts on waits that are
//! never longer than doubled.

use std::time::Duration;

/// Doublings of the first wait: what returns is found within seconds.
const DOUBLINGS_MAX: u32 = 5;

/// The wait after so many failures in a row: the first, then doubled each time, at most 32 times.
pub fn backoff(first: Duration, failures: u32) -> Duration {
    first.saturating_mul(2u32.pow(failures.saturating_sub(1).min(DOUBLINGS_MAX)))
}

/// From half of a wait to all of it, by a random `share` of 0 to 1, so that many callers do not return at once.
pub fn jittered(wait: Duration, share: f64) -> Duration {
    wait.mul_f64(0.5 + 0.5 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_jitter_only_shortens_them() {
        let first = Duration::from_millis(100);
        let waits: Vec<_> = (0..9).map(|failures| backoff(first, failures).as_millis()).collect();
        assert_eq!(waits, [100, 100, 200, 400, 800, 1600, 3200, 3200, 3200]);
        assert_eq!(backoff(Duration::MAX, 9), Duration::MAX);
        assert_eq!([0.0, 1.0].map(|share| jittered(first, share).as_millis()), [50, 100]);
    }
}
