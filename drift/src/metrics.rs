//! Metrics of the drift worker: names, descriptions, and the calls that record them, once per checkpoint or report.
//!
//! What a report says is shown as gauges of the newest window. Features, tests and slices are many, so their series are
//! capped; what does not fit is shown together under `__other__`, by its worst.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use metrics::{Gauge, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use schemas::report::{DriftRow, Verdict, WindowReport};

use crate::observation::Odd;
use crate::slice::OTHER;
use crate::state::{TopicPartition, Totals};

pub const RECORDS: &str = "labelstream_drift_records_total";
pub const REFUSED: &str = "labelstream_drift_refused_records_total";
pub const CLAMPED: &str = "labelstream_drift_clamped_records_total";
pub const TOMBSTONES: &str = "labelstream_drift_tombstones_total";
pub const CLAMPED_SHARES: &str = "labelstream_drift_clamped_shares_total";
pub const UNUSUAL_TIMES: &str = "labelstream_drift_unusual_times_total";
pub const LATE: &str = "labelstream_drift_late_records_total";
pub const WATERMARK: &str = "labelstream_drift_watermark_seconds";
pub const CHECKPOINTS: &str = "labelstream_drift_checkpoints_total";
pub const CHECKPOINT_SECONDS: &str = "labelstream_drift_checkpoint_seconds";
pub const RESTORE_SECONDS: &str = "labelstream_drift_restore_seconds";
pub const STALLED: &str = "labelstream_drift_stage_stalled_seconds";
pub const REWINDS: &str = "labelstream_drift_rewinds_total";
pub const STATE_BYTES: &str = "labelstream_drift_state_bytes";
pub const WINDOWS: &str = "labelstream_drift_windows_total";
pub const WINDOW_LAG: &str = "labelstream_drift_window_lag_seconds";
pub const REPORTS_PENDING: &str = "labelstream_drift_reports_pending";
pub const REPORT_SECONDS: &str = "labelstream_drift_report_seconds";
pub const STORE_FAILURES: &str = "labelstream_drift_store_failures_total";
pub const VERDICT: &str = "labelstream_drift_verdict";
pub const STATISTIC: &str = "labelstream_drift_statistic";
pub const Q_VALUE: &str = "labelstream_drift_q_value";
pub const ESTIMATED_ACCURACY: &str = "labelstream_drift_estimated_accuracy";
pub const ACCURACY: &str = "labelstream_drift_accuracy";
pub const LABELS_READ: &str = "labelstream_drift_labels_total";

/// Series of a finding's gauges; 20 features at three lengths of windows with two tests each leave room for slices.
const SERIES_MAX: usize = 300;

/// Registers what each metric means.
pub fn describe() {
    describe_counter!(RECORDS, Unit::Count, "Records counted as events or dead letters.");
    describe_counter!(REFUSED, Unit::Count, "Records that are not labelled events, by reason.");
    describe_counter!(CLAMPED, Unit::Count, "Records with an event time in the future, set back to the record's time.");
    describe_counter!(TOMBSTONES, Unit::Count, "Records without a payload, skipped.");
    describe_counter!(CLAMPED_SHARES, Unit::Count, "Scores slightly outside 0..1 by rounding, clamped.");
    describe_counter!(UNUSUAL_TIMES, Unit::Count, "Events counted with a time before 2000 or after 2100.");
    describe_counter!(LATE, Unit::Count, "Records behind the watermark of their window, by fate: taken, dropped.");
    describe_gauge!(WATERMARK, Unit::Seconds, "Event time up to which a partition is complete, since 1970 UTC.");
    describe_counter!(CHECKPOINTS, Unit::Count, "Saved states, by outcome: committed, stale.");
    describe_histogram!(CHECKPOINT_SECONDS, Unit::Seconds, "From the begin of a checkpoint to its commit.");
    describe_histogram!(RESTORE_SECONDS, Unit::Seconds, "Reading the state back after an assignment or a rewind.");
    describe_counter!(REWINDS, Unit::Count, "Rewinds to the last checkpoint after an error.");
    describe_gauge!(STALLED, Unit::Seconds, "Seconds since a hanging stage last made progress: read, count, report.");
    describe_gauge!(STATE_BYTES, Unit::Bytes, "The state topic in this process's memory.");
    describe_counter!(WINDOWS, Unit::Count, "Reports made, by granularity and state: first, revised, final.");
    describe_gauge!(
        WINDOW_LAG,
        Unit::Seconds,
        "From the end of the newest reported window to its report, by the clock."
    );
    describe_gauge!(REPORTS_PENDING, Unit::Count, "Reports that wait for the store.");
    describe_histogram!(REPORT_SECONDS, Unit::Seconds, "Writing one report.");
    describe_counter!(STORE_FAILURES, Unit::Count, "Times that the report store failed.");
    describe_gauge!(VERDICT, Unit::Count, "Verdict of the newest window: 0 ok, 1 warn, 2 drift, -1 none.");
    describe_gauge!(STATISTIC, Unit::Count, "Statistic of the newest window.");
    describe_gauge!(
        Q_VALUE,
        Unit::Count,
        "q-value of the newest window; a finding is significant at or below its threshold."
    );
    describe_gauge!(ESTIMATED_ACCURACY, Unit::Count, "Accuracy of the newest window, estimated without labels.");
    describe_gauge!(ACCURACY, Unit::Count, "Accuracy of the window that true labels were joined to last.");
    describe_counter!(LABELS_READ, Unit::Count, "Records of the labels topic, by outcome: taken, refused.");
}

/// Once per batch; again after a rewind.
pub(crate) fn odd(odd: &Odd) {
    counter!(TOMBSTONES).increment(odd.tombstones);
    counter!(CLAMPED_SHARES).increment(odd.clamped_shares);
    counter!(UNUSUAL_TIMES).increment(odd.unusual_times);
}

/// What a checkpoint adds to the totals of its partitions; `before` is what was counted up to the last one.
pub(crate) fn counted(before: &Totals, after: &Totals) {
    let more = |counted: u64, known: u64| counted.saturating_sub(known);
    counter!(RECORDS).increment(more(after.accepted, before.accepted));
    counter!(CLAMPED).increment(more(after.clamped, before.clamped));
    for (reason, count) in &after.refused {
        let known = before.refused.get(reason).copied().unwrap_or(0);
        counter!(REFUSED, "reason" => reason.clone()).increment(more(*count, known));
    }
    for (fate, after, before) in [("taken", &after.late, &before.late), ("dropped", &after.dropped, &before.dropped)] {
        for (granularity, count) in after {
            let known = before.get(granularity).copied().unwrap_or(0);
            counter!(LATE, "granularity" => granularity.to_string(), "fate" => fate).increment(more(*count, known));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^52")]
pub(crate) fn watermark(source: &TopicPartition, watermark_ms: Option<i64>) {
    let Some(watermark_ms) = watermark_ms else { return };
    watermark_gauge(source).set(watermark_ms as f64 / 1000.0);
}

/// The partition is another worker's now: a value of ours would look as if it stood still.
pub(crate) fn no_watermark(source: &TopicPartition) {
    watermark_gauge(source).set(f64::NAN);
}

fn watermark_gauge(source: &TopicPartition) -> Gauge {
    let labels = [("topic", source.topic.to_string()), ("partition", source.partition.to_string())];
    gauge!(WATERMARK, &labels)
}

pub(crate) fn checkpointed(outcome: &'static str, took: Duration) {
    counter!(CHECKPOINTS, "outcome" => outcome).increment(1);
    histogram!(CHECKPOINT_SECONDS).record(took);
}

pub(crate) fn restored(took: Duration) {
    histogram!(RESTORE_SECONDS).record(took);
}

/// Records of the labels topic; refused are those without id or label.
pub(crate) fn labels_read(taken: u64, refused: u64) {
    counter!(LABELS_READ, "outcome" => "taken").increment(taken);
    counter!(LABELS_READ, "outcome" => "refused").increment(refused);
}

pub(crate) fn rewound() {
    counter!(REWINDS).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "a state is far below 2^52 bytes")]
pub(crate) fn state(bytes: usize) {
    gauge!(STATE_BYTES).set(bytes as f64);
}

#[expect(clippy::cast_precision_loss, reason = "their number is a setting")]
pub(crate) fn pending(reports: usize) {
    gauge!(REPORTS_PENDING).set(reports as f64);
}

pub(crate) fn store_failed() {
    counter!(STORE_FAILURES).increment(1);
}

/// A report is in the store. `now_ms` is the clock, milliseconds since 1970 UTC.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^52")]
pub(crate) fn reported(report: &WindowReport, series: &mut Series, took: Duration, now_ms: i64) {
    let granularity = || report.granularity.clone();
    let state = match (report.key.revision, report.key.is_final) {
        (_, true) => "final",
        (0, false) => "first",
        _ => "revised",
    };
    histogram!(REPORT_SECONDS).record(took);
    // A revision that true labels made tests nothing again, and its window ended long ago.
    if !report.drift.is_empty() {
        counter!(WINDOWS, "granularity" => granularity(), "state" => state).increment(1);
        gauge!(WINDOW_LAG, "granularity" => granularity()).set((now_ms - report.key.window_end_ms) as f64 / 1000.0);
        series.show(report);
    }
    for row in report.performance.iter().filter(|row| row.slice_key.is_none() && row.label.is_none()) {
        let name = match row.metric.as_str() {
            "estimated_accuracy" => ESTIMATED_ACCURACY,
            "accuracy" => ACCURACY,
            _ => continue,
        };
        if let Some(value) = row.value {
            gauge!(name, "model" => report.model.clone(), "granularity" => granularity()).set(value);
        }
    }
}

/// What tells one finding's gauges from another's.
type Labels = [(&'static str, String); 5];

/// The findings that have gauges of their own: the first ones seen, up to a bound.
#[derive(Debug, Default)]
pub(crate) struct Series {
    known: BTreeSet<Labels>,
    /// The newest window shown per model and granularity: a late revision of an older one changes no gauge.
    shown_ms: BTreeMap<(String, String), i64>,
}

/// What the findings without gauges of their own show together.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Worst {
    verdict: f64,
    q_value: f64,
}

impl Series {
    fn show(&mut self, report: &WindowReport) {
        let newest = self.shown_ms.entry((report.model.clone(), report.granularity.clone())).or_insert(i64::MIN);
        if report.key.window_start_ms < *newest {
            return;
        }
        *newest = report.key.window_start_ms;
        let mut other: Option<Worst> = None;
        for row in &report.drift {
            let labels = labels(report, &row.feature, &row.test, &slice(row));
            if !self.has_room(&labels) {
                other = Some(worse(other, row));
                continue;
            }
            gauge!(VERDICT, &labels).set(number(row.verdict));
            if let Some(statistic) = row.statistic {
                gauge!(STATISTIC, &labels).set(statistic);
            }
            if let Some(q_value) = row.q_value {
                gauge!(Q_VALUE, &labels).set(q_value);
            }
        }
        if let Some(Worst { verdict, q_value }) = other {
            let labels = labels(report, OTHER, OTHER, OTHER);
            gauge!(VERDICT, &labels).set(verdict);
            gauge!(Q_VALUE, &labels).set(q_value);
        }
    }

    /// Whether these labels have, or now get, gauges of their own.
    fn has_room(&mut self, labels: &Labels) -> bool {
        self.known.contains(labels) || (self.known.len() < SERIES_MAX && self.known.insert(labels.clone()))
    }
}

fn labels(report: &WindowReport, feature: &str, test: &str, slice: &str) -> Labels {
    [
        ("model", report.model.clone()),
        ("granularity", report.granularity.clone()),
        ("feature", feature.to_owned()),
        ("test", test.to_owned()),
        ("slice", slice.to_owned()),
    ]
}

/// `key=value`, or nothing for all events.
fn slice(row: &DriftRow) -> String {
    match (&row.slice_key, &row.slice_value) {
        (Some(key), Some(value)) => format!("{key}={value}"),
        _ => String::new(),
    }
}

fn worse(known: Option<Worst>, row: &DriftRow) -> Worst {
    let own = Worst { verdict: number(row.verdict), q_value: row.q_value.unwrap_or(1.0) };
    known
        .map_or(own, |known| Worst { verdict: known.verdict.max(own.verdict), q_value: known.q_value.min(own.q_value) })
}

fn number(verdict: Verdict) -> f64 {
    match verdict {
        Verdict::Ok => 0.0,
        Verdict::Warn => 1.0,
        Verdict::Drift => 2.0,
        Verdict::NotApplicable | Verdict::InsufficientData | Verdict::Error => -1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_capped_and_those_that_are_known_stay() {
        let mut series = Series::default();
        let of = |number: usize| {
            [
                ("model", number.to_string()),
                ("granularity", String::new()),
                ("feature", String::new()),
                ("test", String::new()),
                ("slice", String::new()),
            ]
        };
        assert!((0..SERIES_MAX).all(|number| series.has_room(&of(number))));
        assert!(!series.has_room(&of(SERIES_MAX)));
        assert!(series.has_room(&of(0)));
    }

    #[test]
    fn a_verdict_is_a_number_that_an_alert_can_compare() {
        let numbers = Verdict::ALL.map(number);
        assert_eq!(numbers, [-1.0, -1.0, 0.0, -1.0, 1.0, 2.0]);
    }
}
