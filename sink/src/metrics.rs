//! Metrics of the publishing edge: names, descriptions, and the calls that record them, once per batch.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use schemas::Reason;

pub const TRANSACTIONS: &str = "sink_transactions_total";
pub const TRANSACTION_TIME: &str = "sink_transaction_seconds";
pub const COMMIT_TIME: &str = "sink_commit_seconds";
pub const LABELS: &str = "sink_labels_total";
pub const DEAD_LETTERS: &str = "sink_dead_letters_total";
pub const CLAIM_CHECKS: &str = "sink_claim_checks_total";
pub const TOMBSTONES: &str = "sink_tombstones_total";
pub const BYTES: &str = "sink_bytes_total";
pub const RETRIES: &str = "sink_retries_total";
pub const REBUILDS: &str = "sink_producer_rebuilds_total";

/// What one batch made visible.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) labels: usize,
    pub(crate) dead_letters: BTreeMap<Reason, usize>,
    /// Dead letters of which a part is only at their origin.
    pub(crate) claim_checks: usize,
    pub(crate) tombstones: usize,
    /// Keys, payloads and headers.
    pub(crate) bytes: usize,
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Committed,
    /// Its generation was over before it began, or the broker refused its offsets.
    Stale,
    /// Aborted, and tried again or given up.
    Aborted,
    /// A commit without a clear answer: the committed offsets say what became of it.
    Unresolved,
}

/// Registers what each metric means.
pub fn describe() {
    describe_counter!(TRANSACTIONS, Unit::Count, "Transactions by outcome: committed, stale, aborted, unresolved.");
    describe_histogram!(TRANSACTION_TIME, Unit::Seconds, "From the begin of a transaction to its commit.");
    describe_histogram!(COMMIT_TIME, Unit::Seconds, "The commit alone, after all deliveries are acknowledged.");
    describe_counter!(LABELS, Unit::Count, "Labelled events published.");
    describe_counter!(DEAD_LETTERS, Unit::Count, "Dead letters published, by reason.");
    describe_counter!(
        CLAIM_CHECKS,
        Unit::Count,
        "Dead letters written without a part of the record, which was too large."
    );
    describe_counter!(TOMBSTONES, Unit::Count, "Tombstones forwarded to the output topic.");
    describe_counter!(BYTES, Unit::Bytes, "Bytes of keys, payloads and headers published.");
    describe_counter!(RETRIES, Unit::Count, "Batches published again after an abort.");
    describe_counter!(REBUILDS, Unit::Count, "Times that a new producer was created.");
}

pub(crate) fn transaction(outcome: Outcome) {
    let outcome = match outcome {
        Outcome::Committed => "committed",
        Outcome::Stale => "stale",
        Outcome::Aborted => "aborted",
        Outcome::Unresolved => "unresolved",
    };
    counter!(TRANSACTIONS, "outcome" => outcome).increment(1);
}

pub(crate) fn timed(whole: Duration, commit: Duration) {
    histogram!(TRANSACTION_TIME).record(whole.as_secs_f64());
    histogram!(COMMIT_TIME).record(commit.as_secs_f64());
}

pub(crate) fn published(counts: &Counts) {
    counter!(LABELS).increment(counts.labels as u64);
    for (reason, count) in &counts.dead_letters {
        counter!(DEAD_LETTERS, "reason" => reason.name()).increment(*count as u64);
    }
    counter!(CLAIM_CHECKS).increment(counts.claim_checks as u64);
    counter!(TOMBSTONES).increment(counts.tombstones as u64);
    counter!(BYTES).increment(counts.bytes as u64);
}

pub(crate) fn retried() {
    counter!(RETRIES).increment(1);
}

pub(crate) fn rebuilt() {
    counter!(REBUILDS).increment(1);
}
