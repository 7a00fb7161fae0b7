//! How a process is: shared by those who know (the command that wires it, the pipeline's counters) with the server.
//!
//! Alive is not ready. A process that waits for the broker is alive, and killing it would mend nothing; it is not ready,
//! so a rollout does not go on to the next replica.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::pipeline::Progress;

/// Why a process should not be counted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReady {
    Stopping,
    ModelNotLoaded,
    GroupNotJoined,
}

impl NotReady {
    /// For people and for `/ready`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Stopping => "stopping: finishing what is under way",
            Self::ModelNotLoaded => "the model is not loaded",
            Self::GroupNotJoined => "not a member of the consumer group yet",
        }
    }
}

/// What a pipeline has committed, as [`Progress`] counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records.
    pub labeled: u64,
    /// Records.
    pub dead_letters: u64,
    pub batches: u64,
    pub rewinds: u64,
}

impl From<&Progress> for Counts {
    fn from(progress: &Progress) -> Self {
        Self {
            labeled: progress.labeled(),
            dead_letters: progress.dead_letters(),
            batches: progress.batches(),
            rewinds: progress.rewinds(),
        }
    }
}

/// The state of one process. All of it may be read and set from any thread.
pub struct Health {
    started: Instant,
    stop: CancellationToken,
    counts: Box<dyn Fn() -> Counts + Send + Sync>,
    model_loaded: AtomicBool,
    group_joined: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
    /// Batches at the last look.
    batches: AtomicU64,
    /// Milliseconds from `started` to the look that found a new batch; `u64::MAX` before the first.
    commit_seen_ms: AtomicU64,
}

impl Health {
    /// A process that has just started; `stop` is the token that asks it to end.
    pub fn new(stop: CancellationToken, counts: impl Fn() -> Counts + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            stop,
            batches: AtomicU64::new(counts().batches),
            counts: Box::new(counts),
            model_loaded: AtomicBool::new(false),
            group_joined: OnceLock::new(),
            commit_seen_ms: AtomicU64::new(u64::MAX),
        })
    }

    /// The model passed its checks and is warm.
    pub fn model_loaded(&self) {
        self.model_loaded.store(true, Ordering::Release);
    }

    /// From now on `joined` tells whether this process is a member of its group, with partitions or as a spare. Only the
    /// first call counts.
    pub fn watch_group(&self, joined: impl Fn() -> bool + Send + Sync + 'static) {
        self.group_joined.get_or_init(|| Box::new(joined));
    }

    /// # Errors
    /// The first reason why not, in the order in which a person would mend it.
    pub fn ready(&self) -> Result<(), NotReady> {
        if self.stop.is_cancelled() {
            Err(NotReady::Stopping)
        } else if !self.model_loaded.load(Ordering::Acquire) {
            Err(NotReady::ModelNotLoaded)
        } else if !self.group_joined.get().is_some_and(|joined| joined()) {
            Err(NotReady::GroupNotJoined)
        } else {
            Ok(())
        }
    }

    pub(super) fn counts(&self) -> Counts {
        (self.counts)()
    }

    pub(super) fn uptime(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// Notes that a batch was committed since the last look.
    pub(super) fn look(&self, now: Instant) {
        let batches = self.counts().batches;
        if self.batches.swap(batches, Ordering::Relaxed) != batches {
            let at = u64::try_from(self.uptime(now).as_millis()).unwrap_or(u64::MAX - 1);
            self.commit_seen_ms.store(at, Ordering::Relaxed);
        }
    }

    /// `None` before the first commit.
    pub(super) fn since_last_commit(&self, now: Instant) -> Option<Duration> {
        let seen = self.commit_seen_ms.load(Ordering::Relaxed);
        (seen != u64::MAX).then(|| self.uptime(now).saturating_sub(Duration::from_millis(seen)))
    }
}
