//! `[batch]` and `[run]`, checked: how much is in flight, and how long a process may take to recover and to stop.

use std::num::NonZeroUsize;
use std::time::Duration;

use classifier::pipeline::{Limits, Supervision};
use kafka::batcher::BatchLimits;
use schemas::Problem;

use super::written::{BatchSettings, RunSettings};

/// `[run]`, checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunConfig {
    pub(super) shutdown_grace: Duration,
    pub(super) supervision: Supervision,
    pub(super) stall_max: Duration,
}

impl TryFrom<BatchSettings> for Limits {
    type Error = Vec<Problem>;

    fn try_from(settings: BatchSettings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut positive = |key: &str, value: usize| {
            let checked = NonZeroUsize::new(value);
            if checked.is_none() {
                problems.push(Problem::new(key, "expected 1 or more, found 0"));
            }
            checked
        };
        let records_max = positive("batch.records_max", settings.records_max);
        let bytes_max = positive("batch.bytes_max", settings.bytes_max);
        let in_flight_max = positive("batch.in_flight_max", settings.in_flight_max);
        let batch = records_max.zip(bytes_max).map(|(records_max, bytes_max)| BatchLimits { records_max, bytes_max });
        batch.zip(in_flight_max).map(|(batch, in_flight_max)| Self { batch, in_flight_max }).ok_or(problems)
    }
}

impl TryFrom<RunSettings> for RunConfig {
    type Error = Vec<Problem>;

    fn try_from(settings: RunSettings) -> Result<Self, Vec<Problem>> {
        let RunSettings { shutdown_grace_ms, rewinds_max, rewind_wait_ms, stall_max_ms } = settings;
        let mut problems = Vec::new();
        if !(1..=60_000).contains(&rewind_wait_ms) {
            let expected = format!("expected 1 to 60000 ms, found {rewind_wait_ms}");
            problems.push(Problem::new("run.rewind_wait_ms", expected));
        }
        if !(1_000..=86_400_000).contains(&stall_max_ms) {
            let expected = format!("expected 1000 to 86400000 ms (a day), found {stall_max_ms}");
            problems.push(Problem::new("run.stall_max_ms", expected));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            shutdown_grace: Duration::from_millis(shutdown_grace_ms),
            supervision: Supervision { rewinds_max, backoff: Duration::from_millis(rewind_wait_ms) },
            stall_max: Duration::from_millis(stall_max_ms),
        })
    }
}
