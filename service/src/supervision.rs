//! The one way to recover, as far as it is the same for every pipeline: how often and how soon to rewind and run again.
//!
//! Pure but for [`pause`]. Who rewinds what, the pipelines know themselves.

use std::any::Any;
use std::thread;
use std::time::{Duration, Instant};

use schemas::backoff::backoff;
use tokio_util::sync::CancellationToken;

/// How often a pause looks whether it is asked to stop.
const LOOK: Duration = Duration::from_millis(20);

/// How long and how often to try again.
#[derive(Clone, Copy, Debug)]
pub struct Supervision {
    /// Rewinds in a row that commit nothing between them; one more ends the process.
    pub rewinds_max: u32,
    /// The wait before the first rewind; it doubles with each one in a row, up to 32 times.
    pub backoff: Duration,
}

/// Rewinds in a row, counted against their bound.
#[derive(Debug)]
pub struct Rewinds {
    supervision: Supervision,
    in_a_row: u32,
    committed: u64,
}

impl Rewinds {
    /// `committed` is what the pipeline has committed so far, in any unit that grows with every commit.
    pub fn new(supervision: Supervision, committed: u64) -> Self {
        Self { supervision, in_a_row: 0, committed }
    }

    /// The pause before one more rewind; `None` when that would be one too many in a row.
    pub fn one_more(&mut self, committed: u64) -> Option<Duration> {
        if committed > self.committed {
            self.in_a_row = 0;
        }
        self.committed = committed;
        self.in_a_row += 1;
        (self.in_a_row <= self.supervision.rewinds_max).then(|| backoff(self.supervision.backoff, self.in_a_row))
    }

    /// Rewinds since something was last committed.
    pub fn in_a_row(&self) -> u32 {
        self.in_a_row
    }
}

/// Sleeps, or returns early when asked to stop.
pub fn pause(length: Duration, stop: &CancellationToken) {
    let deadline = Instant::now() + length;
    while !stop.is_cancelled() && Instant::now() < deadline {
        thread::sleep(LOOK.min(deadline.saturating_duration_since(Instant::now())));
    }
}

/// What a thread said when it panicked.
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewinds_are_bounded_in_a_row_and_come_ever_later() {
        let backoff = Duration::from_millis(100);
        let mut rewinds = Rewinds::new(Supervision { rewinds_max: 8, backoff }, 5);
        let mut pauses = |committed| rewinds.one_more(committed).map(|pause| pause.as_millis());
        let first: Vec<_> = (0..8).map(|_| pauses(5)).collect();
        assert_eq!(first, [100, 200, 400, 800, 1600, 3200, 3200, 3200].map(Some));
        assert_eq!(pauses(5), None, "the ninth");
        assert_eq!(pauses(6), Some(100), "something was committed");
        assert_eq!(rewinds.in_a_row(), 1);
        let mut none = Rewinds::new(Supervision { rewinds_max: 0, backoff }, 0);
        assert_eq!(none.one_more(0), None);
    }

    #[test]
    fn a_pause_ends_when_asked_to_stop() {
        let stop = CancellationToken::new();
        stop.cancel();
        let started = Instant::now();
        pause(Duration::from_secs(60), &stop);
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
