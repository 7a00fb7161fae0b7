//! The one way to recover, the same for every pipeline: rewind and run again, with a pause before, within a bound.
//!
//! What is run and what is rewound, the pipelines know themselves.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use schemas::Recovery;
use tokio_util::sync::CancellationToken;

use crate::backoff::backoff;
use crate::chain;

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

/// The same trouble again and again, with nothing committed between.
#[derive(Debug, thiserror::Error)]
#[error("recover: {rewinds} consecutive rewinds without a commit (run.rewinds_max)")]
pub struct TooManyRewinds<E: Error + 'static> {
    pub rewinds: u32,
    /// Why the pipeline failed last.
    pub source: Box<E>,
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

    /// Waits until a pipeline that failed may be rewound and run again.
    ///
    /// # Errors
    /// The failure itself, when it asks for [`Recovery::Exit`] or `stop` is cancelled; [`TooManyRewinds`] around it, when
    /// that would be one too many in a row.
    pub fn wait<E>(&mut self, failure: E, recovery: Recovery, committed: u64, stop: &CancellationToken) -> Result<(), E>
    where
        E: Error + From<TooManyRewinds<E>> + 'static,
    {
        if recovery == Recovery::Exit || stop.is_cancelled() {
            return Err(failure);
        }
        let Some(length) = self.one_more(committed) else {
            return Err(TooManyRewinds { rewinds: self.supervision.rewinds_max, source: Box::new(failure) }.into());
        };
        let rewinds = self.in_a_row;
        tracing::warn!(error = chain(&failure), rewinds, "pipeline failed, restarting from committed offsets");
        pause(length, stop);
        Ok(())
    }

    /// The pause before one more rewind; `None` when that would be one too many in a row.
    fn one_more(&mut self, committed: u64) -> Option<Duration> {
        if committed > self.committed {
            self.in_a_row = 0;
        }
        self.committed = committed;
        self.in_a_row += 1;
        (self.in_a_row <= self.supervision.rewinds_max).then(|| backoff(self.supervision.backoff, self.in_a_row))
    }
}

/// Sleeps, or returns early when asked to stop.
pub fn pause(length: Duration, stop: &CancellationToken) {
    let deadline = Instant::now() + length;
    while !stop.is_cancelled() && Instant::now() < deadline {
        thread::sleep(LOOK.min(deadline.saturating_duration_since(Instant::now())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Failure {
        #[error("it failed")]
        Plain,
        #[error(transparent)]
        TooMany(#[from] TooManyRewinds<Failure>),
    }

    #[test]
    fn rewinds_are_bounded_in_a_row_and_come_ever_later() {
        let backoff = Duration::from_millis(100);
        let mut rewinds = Rewinds::new(Supervision { rewinds_max: 8, backoff }, 5);
        let mut pauses = |committed| rewinds.one_more(committed).map(|pause| pause.as_millis());
        let first: Vec<_> = (0..8).map(|_| pauses(5)).collect();
        assert_eq!(first, [100, 200, 400, 800, 1600, 3200, 3200, 3200].map(Some));
        assert_eq!(pauses(5), None, "the ninth");
        assert_eq!(pauses(6), Some(100), "something was committed");
        assert_eq!(rewinds.in_a_row, 1);
        let mut none = Rewinds::new(Supervision { rewinds_max: 0, backoff }, 0);
        assert_eq!(none.one_more(0), None);
    }

    #[test]
    fn a_failure_ends_what_no_rewind_helps() {
        let mut rewinds = Rewinds::new(Supervision { rewinds_max: 1, backoff: Duration::from_millis(1) }, 0);
        let (going, stopped) = (CancellationToken::new(), CancellationToken::new());
        stopped.cancel();
        let mut wait = |recovery, stop: &CancellationToken| rewinds.wait(Failure::Plain, recovery, 0, stop);
        assert!(matches!(wait(Recovery::Exit, &going), Err(Failure::Plain)));
        assert!(matches!(wait(Recovery::Rewind, &stopped), Err(Failure::Plain)));
        assert!(wait(Recovery::Rewind, &going).is_ok(), "neither counted");
        let Err(Failure::TooMany(error)) = wait(Recovery::Rewind, &going) else { panic!("one is allowed") };
        assert_eq!(chain(&error), "recover: 1 consecutive rewinds without a commit (run.rewinds_max): it failed");
    }

    #[test]
    fn a_pause_ends_when_asked_to_stop() {
        let mut rewinds = Rewinds::new(Supervision { rewinds_max: 1, backoff: Duration::from_secs(60) }, 0);
        let stop = CancellationToken::new();
        let started = Instant::now();
        thread::scope(|scope| {
            let waits = scope.spawn(|| rewinds.wait(Failure::Plain, Recovery::Rewind, 0, &stop));
            thread::sleep(LOOK);
            stop.cancel();
            // Asked before the pause began, or in it: either way it is over soon.
            let _either = waits.join().expect("it does not panic");
        });
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
