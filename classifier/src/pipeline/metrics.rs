//! What the pipeline tells Prometheus: records by outcome, the size of batches, and where their time goes.

use std::time::Duration;

use kafka::transactor::Published;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};

use super::summary::Summary;

/// Counter by `outcome`: `stale` will be read again, the others are committed.
pub const RECORDS: &str = "labelstream_records_total";
/// Histogram, records of a batch when it closed.
pub const BATCH_RECORDS: &str = "labelstream_batch_records";
/// Histogram by `stage` (`decode`, `label`, `publish`), seconds a batch spent there.
pub const STAGE_SECONDS: &str = "labelstream_stage_seconds";
/// Histogram, seconds from the oldest record's timestamp to its commit, by the wall clock.
pub const RECORD_AGE_SECONDS: &str = "labelstream_record_age_seconds";
/// Counter, rewinds to the committed offsets after an error.
pub const REWINDS: &str = "labelstream_rewinds_total";
/// Counter, events with a time before 2000 or after 2100.
pub const UNUSUAL_TIMES: &str = "labelstream_unusual_times_total";
/// Gauge by `stage` (`read`, `label`, `publish`), seconds since a stage that hangs last went on; 0 while none does.
pub const STALLED: &str = "labelstream_stage_stalled_seconds";

/// Describes every metric of the pipeline to the recorder.
pub fn describe() {
    describe_counter!(
        RECORDS,
        Unit::Count,
        "records by outcome: labeled, dead_letter, tombstone_skipped, tombstone_forwarded, stale"
    );
    describe_histogram!(BATCH_RECORDS, Unit::Count, "records of a batch when it closed");
    describe_histogram!(STAGE_SECONDS, Unit::Seconds, "seconds a batch spent in a stage: decode, label, publish");
    describe_histogram!(RECORD_AGE_SECONDS, Unit::Seconds, "age of a batch's oldest record at its commit");
    describe_gauge!(STALLED, Unit::Seconds, "seconds since a hanging stage last made progress: read, label, publish");
    describe_counter!(UNUSUAL_TIMES, Unit::Count, "events with a time before 2000 or after 2100");
    describe_counter!(REWINDS, Unit::Count, "rewinds to the committed offsets after an error");
}

pub(super) fn unusual_times(events: usize) {
    counter!(UNUSUAL_TIMES).increment(events as u64);
}

#[expect(clippy::cast_precision_loss, reason = "a batch has far fewer than 2^52 records")]
pub(super) fn released(records: usize, label: Duration) {
    histogram!(BATCH_RECORDS).record(records as f64);
    histogram!(STAGE_SECONDS, "stage" => "label").record(label);
}

pub(super) fn decoded(took: Duration) {
    histogram!(STAGE_SECONDS, "stage" => "decode").record(took);
}

/// Records that were under way and are read again.
pub(super) fn stale(records: usize) {
    counter!(RECORDS, "outcome" => "stale").increment(records as u64);
}

pub(crate) fn published(summary: &Summary, published: Published, took: Duration) {
    histogram!(STAGE_SECONDS, "stage" => "publish").record(took);
    match published {
        Published::Committed => {
            counter!(RECORDS, "outcome" => "labeled").increment(summary.labeled);
            counter!(RECORDS, "outcome" => "dead_letter").increment(summary.dead_letters);
            counter!(RECORDS, "outcome" => "tombstone_skipped").increment(summary.skipped);
            counter!(RECORDS, "outcome" => "tombstone_forwarded").increment(summary.forwarded);
            if let Some(age) = summary.oldest_age() {
                histogram!(RECORD_AGE_SECONDS).record(age);
            }
        }
        Published::Stale => counter!(RECORDS, "outcome" => "stale").increment(summary.records()),
    }
}

pub(crate) fn rewound() {
    counter!(REWINDS).increment(1);
}
