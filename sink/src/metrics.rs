//! Metrics of what is published: labels, dead letters, tombstones. Recorded once per batch.

use std::collections::BTreeMap;

use metrics::{Unit, counter, describe_counter};
use schemas::Reason;

pub const LABELS: &str = "labelstream_labels_total";
pub const DEAD_LETTERS: &str = "labelstream_dead_letters_total";
pub const CLAIM_CHECKS: &str = "labelstream_claim_checks_total";
pub const TOMBSTONES: &str = "labelstream_tombstones_total";

/// What one batch made visible.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) labels: usize,
    pub(crate) dead_letters: BTreeMap<Reason, usize>,
    /// Dead letters of which a part is only at their origin.
    pub(crate) claim_checks: usize,
    pub(crate) tombstones: usize,
}

/// Registers what each metric means.
pub fn describe() {
    describe_counter!(LABELS, Unit::Count, "Labelled events published.");
    describe_counter!(DEAD_LETTERS, Unit::Count, "Dead letters published, by reason.");
    describe_counter!(
        CLAIM_CHECKS,
        Unit::Count,
        "Dead letters written without a part of the record, which was too large."
    );
    describe_counter!(TOMBSTONES, Unit::Count, "Tombstones forwarded to the output topic.");
}

pub(crate) fn published(counts: &Counts) {
    counter!(LABELS).increment(counts.labels as u64);
    for (reason, count) in &counts.dead_letters {
        counter!(DEAD_LETTERS, "reason" => reason.name()).increment(*count as u64);
    }
    counter!(CLAIM_CHECKS).increment(counts.claim_checks as u64);
    counter!(TOMBSTONES).increment(counts.tombstones as u64);
}
