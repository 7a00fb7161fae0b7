//! What a drift pipeline has done so far: read by the supervisor, by readiness and by the summary at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use schemas::report::WindowReport;
use service::stages::{Pulse, Stages};

use super::Stage;

/// Counters since the process started, which only grow; and how things stand.
#[derive(Debug)]
pub struct Progress {
    records: AtomicU64,
    checkpoints: AtomicU64,
    reports: AtomicU64,
    rewinds: AtomicU64,
    restores: AtomicU64,
    /// A record with a time in another unit was seen.
    saw_bad_time: AtomicBool,
    partitions: AtomicUsize,
    pending: AtomicUsize,
    newest: Mutex<Option<NewestReport>>,
    stages: Arc<Stages>,
}

/// The report that was written last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestReport {
    /// As in the report: `PT1M`.
    pub granularity: String,
    /// Milliseconds since 1970 UTC.
    pub window_start_ms: i64,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            records: AtomicU64::default(),
            checkpoints: AtomicU64::default(),
            reports: AtomicU64::default(),
            rewinds: AtomicU64::default(),
            restores: AtomicU64::default(),
            saw_bad_time: AtomicBool::default(),
            partitions: AtomicUsize::default(),
            pending: AtomicUsize::default(),
            newest: Mutex::default(),
            stages: Stages::new(crate::metrics::STALLED, &[Stage::Read, Stage::Count, Stage::Report].map(Stage::name)),
        }
    }
}

impl Progress {
    /// What each stage is at, for a watchdog.
    pub fn stages(&self) -> &Arc<Stages> {
        &self.stages
    }

    /// Partitions that this worker counts.
    pub fn partitions(&self) -> usize {
        self.partitions.load(Ordering::Relaxed)
    }

    /// Reports that wait for the store.
    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// The report that this worker wrote last.
    pub fn newest_report(&self) -> Option<NewestReport> {
        self.newest.lock().clone()
    }

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

    /// True for the first record with a time in another unit: it is logged, the others are only counted.
    pub(super) fn first_bad_time(&self) -> bool {
        !self.saw_bad_time.swap(true, Ordering::Relaxed)
    }

    pub(super) fn observed(&self, records: usize) {
        self.records.fetch_add(records as u64, Ordering::Relaxed);
    }

    pub(super) fn committed(&self) {
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn reported(&self, report: &WindowReport) {
        self.reports.fetch_add(1, Ordering::Relaxed);
        let (granularity, window_start_ms) = (report.granularity.clone(), report.key.window_start_ms);
        *self.newest.lock() = Some(NewestReport { granularity, window_start_ms });
    }

    pub(super) fn pulse(&self, stage: Stage) -> Pulse {
        self.stages.pulse(stage.name())
    }

    pub(super) fn waits(&self, pending: usize) {
        self.pending.store(pending, Ordering::Relaxed);
    }

    pub(super) fn owns(&self, partitions: usize) {
        self.partitions.store(partitions, Ordering::Relaxed);
    }

    pub(super) fn rewound(&self) {
        self.rewinds.fetch_add(1, Ordering::Relaxed);
        crate::metrics::rewound();
    }

    pub(super) fn restored(&self) {
        self.restores.fetch_add(1, Ordering::Relaxed);
    }
}
