//! The broker's one clock: unix milliseconds that never run backwards.
//!
//! It is set from the system clock once, when the broker starts, and advanced by the monotonic clock from then on, so that
//! the same number serves as a record timestamp and as a deadline. Everything below the edges takes the time as an argument.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the unix epoch, or a span of milliseconds.
pub(crate) type Millis = i64;

pub(crate) struct Clock {
    started: Instant,
    started_unix: Millis,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_unix: saturating_millis(unix) }
    }

    pub(crate) fn now(&self) -> Millis {
        self.started_unix + saturating_millis(self.started.elapsed())
    }
}

/// A `Duration` as milliseconds, at most `i64::MAX`.
pub(crate) fn saturating_millis(span: std::time::Duration) -> Millis {
    Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX)
}
