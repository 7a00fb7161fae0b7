//! How a process is: shared by those who know (the command that wires it, the pipeline's counters) with the server.
//!
//! Alive is not ready. A process that waits for the broker is alive, and killing it would fix nothing; it is not ready,
//! so a rollout does not go on to the next replica. Only a stage that hangs makes a process less than alive.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::stages::{Stages, Stall};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Which program this is, and its words for what every program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// As typed after `labelstream`.
    pub command: &'static str,
    /// Where it answers when `http.listen` is not set, if that is free.
    pub port: u16,
    /// Why it is not ready before [`Health::loaded`].
    pub not_loaded: &'static str,
    /// Why it is not ready before what [`Health::watch_group`] watches is so.
    pub not_joined: &'static str,
    /// The member of `/health` that tells how long ago it last committed.
    pub since_last_commit: &'static str,
}

/// What a program has done so far.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Grows with every commit.
    pub commits: u64,
    /// For `/health`, in this order.
    pub members: Vec<(&'static str, Value)>,
}

type Tell<T> = Box<dyn Fn() -> T + Send + Sync>;

/// The state of one process. All of it may be read and set from any thread.
pub struct Health {
    program: Program,
    started: Instant,
    stop: CancellationToken,
    stages: Arc<Stages>,
    facts: Tell<Facts>,
    is_loaded: AtomicBool,
    group_joined: OnceLock<Tell<bool>>,
    /// Commits at the last look.
    commits: AtomicU64,
    /// Milliseconds from `started` to the look that found a new commit; `u64::MAX` before the first.
    commit_seen_ms: AtomicU64,
}

impl Health {
    /// A process that has just started; `stop` is the token that asks it to end.
    pub fn new(
        program: Program,
        stop: CancellationToken,
        stages: Arc<Stages>,
        facts: impl Fn() -> Facts + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            program,
            started: Instant::now(),
            stop,
            stages,
            commits: AtomicU64::new(facts().commits),
            facts: Box::new(facts),
            is_loaded: AtomicBool::new(false),
            group_joined: OnceLock::new(),
            commit_seen_ms: AtomicU64::new(u64::MAX),
        })
    }

    /// What it works with, a model say, passed its checks.
    pub fn loaded(&self) {
        self.is_loaded.store(true, Ordering::Release);
    }

    /// From now on `joined` tells whether this process is a member of its group, with partitions or as a spare. Only the
    /// first call counts.
    pub fn watch_group(&self, joined: impl Fn() -> bool + Send + Sync + 'static) {
        self.group_joined.get_or_init(|| Box::new(joined));
    }

    /// # Errors
    /// The first reason why not, in the order in which a person would fix it.
    pub fn ready(&self) -> Result<(), &'static str> {
        if self.stop.is_cancelled() {
            Err("stopping: finishing work in progress")
        } else if !self.stalls().is_empty() {
            Err("a stage hangs: see /health")
        } else if !self.is_loaded.load(Ordering::Acquire) {
            Err(self.program.not_loaded)
        } else if !self.group_joined.get().is_some_and(|joined| joined()) {
            Err(self.program.not_joined)
        } else {
            Ok(())
        }
    }

    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    pub(super) fn facts(&self) -> Facts {
        (self.facts)()
    }

    /// The stages that hang.
    pub(super) fn stalls(&self) -> Vec<Stall> {
        self.stages.stalls()
    }

    pub(super) fn uptime(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// Notes that something was committed since the last look.
    pub(super) fn look(&self, now: Instant) {
        let commits = self.facts().commits;
        if self.commits.swap(commits, Ordering::Relaxed) != commits {
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
