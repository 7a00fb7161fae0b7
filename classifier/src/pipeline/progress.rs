//! What a pipeline has done so far: read by the supervisor, by readiness and by the summary at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kafka::transactor::Published;
use service::stages::Stages;

use super::summary::Summary;
use super::{Stage, metrics};

/// Counters in records, since the process started, which only grow; and what each stage is at.
#[derive(Debug)]
pub struct Progress {
    labeled: AtomicU64,
    dead_letters: AtomicU64,
    tombstones: AtomicU64,
    batches: AtomicU64,
    rewinds: AtomicU64,
    stages: Arc<Stages>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            labeled: AtomicU64::default(),
            dead_letters: AtomicU64::default(),
            tombstones: AtomicU64::default(),
            batches: AtomicU64::default(),
            rewinds: AtomicU64::default(),
            stages: Stages::new(metrics::STALLED, &[Stage::Read, Stage::Label, Stage::Publish].map(Stage::name)),
        }
    }
}

impl Progress {
    /// What each stage is at, for a watchdog.
    pub fn stages(&self) -> &Arc<Stages> {
        &self.stages
    }

    /// Records whose label is committed.
    pub fn labeled(&self) -> u64 {
        self.labeled.load(Ordering::Relaxed)
    }

    /// Records whose dead letter is committed.
    pub fn dead_letters(&self) -> u64 {
        self.dead_letters.load(Ordering::Relaxed)
    }

    /// Tombstones that were passed over or passed on, for good.
    pub fn tombstones(&self) -> u64 {
        self.tombstones.load(Ordering::Relaxed)
    }

    /// Batches of records committed; the ends of drained partitions alone are none.
    pub fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    /// Rewinds to the committed offsets after an error.
    pub fn rewinds(&self) -> u64 {
        self.rewinds.load(Ordering::Relaxed)
    }

    pub(crate) fn rewound(&self) {
        self.rewinds.fetch_add(1, Ordering::Relaxed);
        metrics::rewound();
    }

    pub(crate) fn record(&self, summary: &Summary, published: Published, took: Duration) {
        if published == Published::Committed {
            self.labeled.fetch_add(summary.labeled, Ordering::Relaxed);
            self.dead_letters.fetch_add(summary.dead_letters, Ordering::Relaxed);
            self.tombstones.fetch_add(summary.skipped + summary.forwarded, Ordering::Relaxed);
            self.batches.fetch_add(u64::from(summary.records() > 0), Ordering::Relaxed);
        }
        metrics::published(summary, published, took);
    }
}
