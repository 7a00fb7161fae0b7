//! What a drift pipeline has done so far: read by the supervisor, by readiness and by the summary at the end.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the process started. They only grow.
#[derive(Debug, Default)]
pub struct Progress {
    records: AtomicU64,
    checkpoints: AtomicU64,
    reports: AtomicU64,
    rewinds: AtomicU64,
    restores: AtomicU64,
}

impl Progress {
    /// Records that were read and counted or refused; one that is read again counts again.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Checkpoints committed.
    pub fn checkpoints(&self) -> u64 {
        self.checkpoints.load(Ordering::Relaxed)
    }

    /// Reports written.
    pub fn reports(&self) -> u64 {
        self.reports.load(Ordering::Relaxed)
    }

    /// Rewinds to the last checkpoint after an error.
    pub fn rewinds(&self) -> u64 {
        self.rewinds.load(Ordering::Relaxed)
    }

    /// Times that the state was read back: one per assignment or rewind.
    pub fn restores(&self) -> u64 {
        self.restores.load(Ordering::Relaxed)
    }

    pub(super) fn observed(&self, records: usize) {
        self.records.fetch_add(records as u64, Ordering::Relaxed);
    }

    pub(super) fn committed(&self) {
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn reported(&self) {
        self.reports.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn rewound(&self) {
        self.rewinds.fetch_add(1, Ordering::Relaxed);
        crate::metrics::rewound();
    }

    pub(super) fn restored(&self) {
        self.restores.fetch_add(1, Ordering::Relaxed);
    }
}
