//! What is told of a group's backlog, as Prometheus sees it: set by every look of `scaler`, and of a worker that is asked for
//! `/backlog`.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

/// Gauge, offsets that wait for the group over all partitions; NaN while that is not known, as the next two.
pub const BACKLOG_RECORDS: &str = "labelstream_backlog_records";
/// Gauge, how long working them off takes at the present rate.
pub const BACKLOG_DRAIN: &str = "labelstream_backlog_drain_seconds";
/// Gauge, the age of the oldest waiting record.
pub const BACKLOG_AGE: &str = "labelstream_backlog_oldest_age_seconds";
/// Counter, looks that came to nothing.
pub const BACKLOG_FAILURES: &str = "labelstream_backlog_failures_total";

/// Registers what each metric means.
pub fn describe() {
    describe_gauge!(BACKLOG_RECORDS, Unit::Count, "offsets that wait for the whole group, NaN while not known");
    describe_gauge!(
        BACKLOG_DRAIN,
        Unit::Seconds,
        "how long the group takes to work off what waits, at its present rate"
    );
    describe_gauge!(BACKLOG_AGE, Unit::Seconds, "age of the oldest record that waits for the group");
    describe_counter!(BACKLOG_FAILURES, Unit::Count, "looks at the backlog of the group that failed");
}

#[expect(clippy::cast_precision_loss, reason = "records far below 2^52")]
pub(crate) fn backlog(records: u64, drain_seconds: f64, oldest_age_seconds: f64) {
    gauge!(BACKLOG_RECORDS).set(records as f64);
    gauge!(BACKLOG_DRAIN).set(drain_seconds);
    gauge!(BACKLOG_AGE).set(oldest_age_seconds);
}

pub(crate) fn backlog_unknown() {
    for name in [BACKLOG_RECORDS, BACKLOG_DRAIN, BACKLOG_AGE] {
        gauge!(name).set(f64::NAN);
    }
    counter!(BACKLOG_FAILURES).increment(1);
}
