//! Metrics of reading and publishing: names, descriptions, and the calls that record them.
//!
//! Recorded per hand-over, per transaction or per event of the group, never per record. Lag has one series per assigned partition.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

pub const RECORDS: &str = "labelstream_read_records_total";
pub const BYTES: &str = "labelstream_read_bytes_total";
pub const FETCHED_BYTES: &str = "labelstream_fetched_bytes_total";
pub const REBALANCES: &str = "labelstream_rebalances_total";
pub const REWINDS: &str = "labelstream_source_rewinds_total";
pub const GENERATION: &str = "labelstream_generation";
pub const PARTITIONS: &str = "labelstream_assigned_partitions";
pub const LAG: &str = "labelstream_lag_records";
pub const PAUSE: &str = "labelstream_pause_seconds";
pub const OUTAGES: &str = "labelstream_broker_outages_total";
pub const UNREADABLE_HEADERS: &str = "labelstream_unreadable_headers_total";
pub const LOST: &str = "labelstream_lost_records_total";
pub const BEGUN_AGAIN: &str = "labelstream_logs_begun_again_total";
pub const DRAINED: &str = "labelstream_drained_partitions_total";

pub const TRANSACTIONS: &str = "labelstream_transactions_total";
pub const TRANSACTION_TIME: &str = "labelstream_transaction_seconds";
pub const COMMIT_TIME: &str = "labelstream_commit_seconds";
pub const PUBLISHED_BYTES: &str = "labelstream_published_bytes_total";
pub const RETRIES: &str = "labelstream_retries_total";
pub const REBUILDS: &str = "labelstream_producer_rebuilds_total";

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransactionEnd {
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
    describe_counter!(RECORDS, Unit::Count, "Records read; a record that is read again counts again.");
    describe_counter!(BYTES, Unit::Bytes, "Bytes of keys, payloads and headers read.");
    describe_counter!(FETCHED_BYTES, Unit::Bytes, "Bytes of keys and payloads fetched from brokers, headers left out.");
    describe_counter!(REBALANCES, Unit::Count, "Changes of the group's assignment, by kind: assign, revoke, lost.");
    describe_counter!(REWINDS, Unit::Count, "Rewinds to the committed offsets.");
    describe_gauge!(GENERATION, Unit::Count, "Our own counter of assignments, losses and rewinds.");
    describe_gauge!(PARTITIONS, Unit::Count, "Partitions assigned to this process.");
    describe_gauge!(LAG, Unit::Count, "Offsets between the next one to read and the end, per assigned partition.");
    describe_histogram!(PAUSE, Unit::Seconds, "How long reading was paused because later stages were busy.");
    describe_counter!(OUTAGES, Unit::Count, "Times that no broker could be reached.");
    describe_counter!(UNREADABLE_HEADERS, Unit::Count, "Headers dropped because their name is not UTF-8.");
    describe_counter!(LOST, Unit::Count, "Offsets of records that were deleted before they were read.");
    describe_counter!(BEGUN_AGAIN, Unit::Count, "Times that a committed offset was beyond the end of its partition.");
    describe_counter!(DRAINED, Unit::Count, "Times that a partition was read to an end behind its last record.");
    describe_counter!(TRANSACTIONS, Unit::Count, "Transactions by outcome: committed, stale, aborted, unresolved.");
    describe_histogram!(TRANSACTION_TIME, Unit::Seconds, "From the begin of a transaction to its commit.");
    describe_histogram!(COMMIT_TIME, Unit::Seconds, "The commit alone, after all deliveries are acknowledged.");
    describe_counter!(PUBLISHED_BYTES, Unit::Bytes, "Bytes of keys, payloads and headers published.");
    describe_counter!(RETRIES, Unit::Count, "Batches published again after an abort.");
    describe_counter!(REBUILDS, Unit::Count, "Times that a new producer was created.");
}

pub(crate) fn handed_over(records: usize, bytes: usize) {
    counter!(RECORDS).increment(records as u64);
    counter!(BYTES).increment(bytes as u64);
}

pub(crate) fn fetched(bytes: u64) {
    counter!(FETCHED_BYTES).increment(bytes);
}

pub(crate) fn rebalanced(kind: &'static str) {
    counter!(REBALANCES, "kind" => kind).increment(1);
}

pub(crate) fn rewound() {
    counter!(REWINDS).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) fn owns(generation: u64, partitions: usize) {
    gauge!(GENERATION).set(generation as f64);
    gauge!(PARTITIONS).set(partitions as f64);
}

#[expect(clippy::cast_precision_loss, reason = "lags far below 2^52")]
pub(crate) fn lag(topic: &str, partition: i32, records: i64) {
    gauge!(LAG, "topic" => topic.to_owned(), "partition" => partition.to_string()).set(records as f64);
}

pub(crate) fn paused(time: Duration) {
    histogram!(PAUSE).record(time.as_secs_f64());
}

pub(crate) fn outage() {
    counter!(OUTAGES).increment(1);
}

pub(crate) fn lost(topic: &str, records: u64) {
    counter!(LOST, "topic" => topic.to_owned()).increment(records);
}

pub(crate) fn begun_again(topic: &str) {
    counter!(BEGUN_AGAIN, "topic" => topic.to_owned()).increment(1);
}

pub(crate) fn drained() {
    counter!(DRAINED).increment(1);
}

pub(crate) fn unreadable_headers(headers: u64) {
    counter!(UNREADABLE_HEADERS).increment(headers);
}

pub(crate) fn transaction(end: TransactionEnd) {
    let outcome = match end {
        TransactionEnd::Committed => "committed",
        TransactionEnd::Stale => "stale",
        TransactionEnd::Aborted => "aborted",
        TransactionEnd::Unresolved => "unresolved",
    };
    counter!(TRANSACTIONS, "outcome" => outcome).increment(1);
}

pub(crate) fn timed(whole: Duration, commit: Duration) {
    histogram!(TRANSACTION_TIME).record(whole.as_secs_f64());
    histogram!(COMMIT_TIME).record(commit.as_secs_f64());
}

pub(crate) fn retried() {
    counter!(RETRIES).increment(1);
}

pub(crate) fn rebuilt() {
    counter!(REBUILDS).increment(1);
}

pub(crate) fn published(bytes: usize) {
    counter!(PUBLISHED_BYTES).increment(bytes as u64);
}
