//! Calls to a store, repeated within a budget: what a call may find, and how long to wait between two.
//!
//! There is one place that repeats, so that there is one budget: the client library's own retries are off.

use service::backoff::jittered;
use service::chain;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::error::{Cause, StoreError};
use super::settings::ReportsConfig;

/// How soon a wait notices that it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Why one attempt failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may work in a moment.
    Again(Cause),
    /// Only a person can help, with this advice.
    Refused(&'static str, Cause),
    /// There is nothing of this name.
    Missing,
}

/// What is done to what, for messages.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) action: &'static str,
    /// The full name of the object or the file.
    pub(super) place: &'a str,
}

/// The budget of a call.
#[derive(Debug)]
pub(super) struct Attempts {
    budget: Duration,
    first_wait: Duration,
    stopped: AtomicBool,
}

impl Attempts {
    pub(super) fn new(config: &ReportsConfig) -> Self {
        Self { budget: config.write_wait, first_wait: config.retry_wait, stopped: AtomicBool::new(false) }
    }

    /// From now on the attempt in progress is the last.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// When a call that begins now has to be over.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.budget
    }

    /// Attempts until one succeeds, one is final, or the next would begin after the deadline.
    pub(super) fn run<T>(
        &self,
        call: Call<'_>,
        deadline: Instant,
        mut attempt: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let place = || call.place.to_owned();
        for attempts in 1.. {
            let source = match attempt() {
                Ok(value) => return Ok(value),
                Err(Failure::Missing) => return Err(StoreError::NotFound { place: place() }),
                Err(Failure::Refused(advice, source)) => {
                    return Err(StoreError::Refused { action: call.action, place: place(), advice, source });
                }
                Err(Failure::Again(source)) => source,
            };
            let wait = jittered(self.first_wait, attempts);
            if self.stopped.load(Ordering::Relaxed) || Instant::now() + wait >= deadline {
                let waited = began.elapsed();
                return Err(StoreError::Unavailable { action: call.action, place: place(), attempts, waited, source });
            }
            let error = chain(source.as_ref());
            tracing::warn!(
                action = call.action,
                place = call.place,
                attempts,
                error,
                "the report store failed, retrying"
            );
            self.sleep(wait);
        }
        unreachable!("a range without an end ends only by returning")
    }

    fn sleep(&self, wait: Duration) {
        let until = Instant::now() + wait;
        while !self.stopped.load(Ordering::Relaxed) {
            match until.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => thread::sleep(left.min(LOOK_EVERY)),
                _ => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use service::backoff::backoff;

    use super::*;

    fn attempts(budget_ms: u64) -> Attempts {
        Attempts {
            budget: Duration::from_millis(budget_ms),
            first_wait: Duration::from_millis(1),
            stopped: AtomicBool::new(false),
        }
    }

    const CALL: Call<'static> = Call { action: "write", place: "here" };

    fn busy() -> Failure {
        Failure::Again("busy".into())
    }

    #[test]
    fn what_fails_for_a_moment_is_tried_again() {
        let attempts = attempts(10_000);
        let mut left = 5;
        let result = attempts.run(CALL, attempts.deadline(), || {
            left -= 1;
            if left > 0 { Err(busy()) } else { Ok("done") }
        });
        assert_eq!(result.expect("the fifth attempt succeeds"), "done");
    }

    #[test]
    fn the_budget_ends_it_and_says_how_often_it_tried() {
        let attempts = attempts(100);
        let began = Instant::now();
        let result: Result<(), _> = attempts.run(CALL, attempts.deadline(), || Err(busy()));
        let Err(StoreError::Unavailable { attempts: count, .. }) = result else { panic!("{result:?}") };
        // Never before the next wait would end after the deadline: that holds on any machine, however slow.
        let next = began.elapsed() + backoff(attempts.first_wait, count);
        assert!(count >= 1 && next >= attempts.budget, "{count} in {:?}", began.elapsed());
    }

    #[test]
    fn a_refusal_is_final() {
        let attempts = attempts(10_000);
        let mut count = 0;
        let result: Result<(), _> = attempts.run(CALL, attempts.deadline(), || {
            count += 1;
            Err(Failure::Refused("ask the owner", "no".into()))
        });
        assert!(matches!(result, Err(StoreError::Refused { advice: "ask the owner", .. })) && count == 1);
    }

    #[test]
    fn a_stop_ends_the_waiting() {
        let attempts = attempts(600_000);
        attempts.stop();
        let result: Result<(), _> = attempts.run(CALL, attempts.deadline(), || Err(busy()));
        assert!(matches!(result, Err(StoreError::Unavailable { attempts: 1, .. })));
    }
}
