//! What each stage of a pipeline is doing at this moment, and a watchdog that says which one hangs.
//!
//! A stage that waits for work is idle, however long; one that has work and does not go on for longer than it may is
//! stalled. The watchdog counts only time in which it ran itself, so a process that was suspended does not count as one
//! that hangs. It ends nothing: it logs, sets a gauge, and whoever asks [`Stages::stalls`], such as `/health`, tells the
//! orchestrator.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io};

use jiff::{SignedDuration, Timestamp};
use metrics::gauge;
use parking_lot::Mutex;
use schemas::Origin;

/// How often the watchdog looks; a stall is noticed so much later.
const LOOK: Duration = Duration::from_millis(250);
/// The most that one look counts: what is beyond it, the process did not run.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// The stages of one pipeline, by name.
#[derive(Debug)]
pub struct Stages {
    /// A gauge by `stage`: seconds since it last went on, while that is longer than it may be; else 0.
    metric: &'static str,
    stages: Vec<Stage>,
}

#[derive(Debug)]
struct Stage {
    name: &'static str,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    work: Option<Work>,
    /// Since it last went on, as far as the watchdog saw.
    still: Duration,
    is_stalled: bool,
}

/// What a stage has taken on. Texts are no part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// What is done, for people: `label a batch`.
    pub task: &'static str,
    /// Records, where it is done to some.
    pub records: usize,
    /// Where the first of them was read.
    pub first: Option<Origin>,
}

impl Work {
    /// A task that is not about records.
    pub fn of(task: &'static str) -> Self {
        Self { task, records: 0, first: None }
    }
}

/// A stage that has work and does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    pub stage: &'static str,
    pub work: Work,
    /// When it last went on.
    pub since: Timestamp,
    pub seconds: u64,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, work: Work { task, records, first }, since, seconds } = self;
        write!(f, "stage {stage} hangs since {since} ({seconds} s): {task}")?;
        match first {
            Some(first) => write!(f, ", {records} records from {first} on"),
            None => Ok(()),
        }
    }
}

impl Stages {
    pub fn new(metric: &'static str, names: &[&'static str]) -> Arc<Self> {
        let stages = names.iter().map(|name| Stage { name, state: Mutex::default() });
        Arc::new(Self { metric, stages: stages.collect() })
    }

    /// The handle of the stage of this name.
    ///
    /// # Panics
    /// When there is none: names are constants of one crate.
    pub fn pulse(self: &Arc<Self>, name: &str) -> Pulse {
        let place = self.stages.iter().position(|stage| stage.name == name).expect("a stage of this pipeline");
        Pulse { stages: Arc::clone(self), place }
    }

    /// The stages that hang, as the watchdog saw last.
    pub fn stalls(&self) -> Vec<Stall> {
        self.stages.iter().filter_map(|stage| stage.stall(&stage.state.lock())).collect()
    }

    /// Adds the time since the last look to every stage that has work; says which began to hang, or goes on again.
    fn look(&self, passed: Duration, allowed: impl Fn(&str) -> Duration) {
        for stage in &self.stages {
            let mut state = stage.state.lock();
            if state.work.is_some() {
                state.still += passed;
            }
            let was_stalled = state.is_stalled;
            state.is_stalled = state.work.is_some() && state.still > allowed(stage.name);
            let stall = stage.stall(&state);
            drop(state);
            gauge!(self.metric, "stage" => stage.name).set(stall.as_ref().map_or(0.0, |stall| float(stall.seconds)));
            match stall {
                Some(stall) if !was_stalled => {
                    let Stall { stage, work: Work { task, records, first }, since, seconds } = stall;
                    let first = first.map(|first| first.to_string());
                    tracing::error!(
                        stage, task, records, first, %since, seconds,
                        "a stage hangs; /health answers 503 (run.stall_max_ms)"
                    );
                }
                None if was_stalled => tracing::warn!(stage = stage.name, "the stage makes progress again"),
                _ => {}
            }
        }
    }
}

impl Stage {
    fn stall(&self, state: &State) -> Option<Stall> {
        let work = state.work.clone().filter(|_| state.is_stalled)?;
        let still = SignedDuration::try_from(state.still).unwrap_or(SignedDuration::MAX);
        let since = Timestamp::now().checked_sub(still).unwrap_or(Timestamp::MIN);
        Some(Stall { stage: self.name, work, since, seconds: state.still.as_secs() })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a process runs for far less than 2^52 seconds")]
fn float(seconds: u64) -> f64 {
    seconds as f64
}

/// One stage's way to tell what it does. Cheap: an uncontended lock.
#[derive(Clone, Debug)]
pub struct Pulse {
    stages: Arc<Stages>,
    place: usize,
}

impl Pulse {
    /// The stage has this to do until the guard is dropped.
    #[must_use = "the stage is idle again when the guard is dropped"]
    pub fn work(&self, work: Work) -> Working<'_> {
        self.set(Some(work));
        Working { pulse: self }
    }

    /// What the stage has to do goes on.
    pub fn beat(&self) {
        self.stages.stages[self.place].state.lock().still = Duration::ZERO;
    }

    fn set(&self, work: Option<Work>) {
        let mut state = self.stages.stages[self.place].state.lock();
        state.work = work;
        state.still = Duration::ZERO;
    }
}

/// A stage at work.
#[derive(Debug)]
pub struct Working<'a> {
    pulse: &'a Pulse,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.pulse.set(None);
    }
}

/// Looks at the stages on a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct Watchdog {
    end: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Begins to look. `allowed` is how long the stage of a name may have work and not go on.
    ///
    /// # Errors
    /// When the process may have no further thread.
    pub fn start(stages: Arc<Stages>, allowed: impl Fn(&str) -> Duration + Send + 'static) -> io::Result<Self> {
        let (end, ended) = sync_channel(1);
        let watch = move || {
            let mut looked_at = Instant::now();
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let now = Instant::now();
                stages.look((now - looked_at).min(LOOK_MAX), &allowed);
                looked_at = now;
            }
        };
        let thread = thread::Builder::new().name("watchdog".to_owned()).spawn(watch)?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.end.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the watchdog panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: Duration = Duration::from_secs(10);

    fn look(stages: &Stages, seconds: u64) {
        stages.look(Duration::from_secs(seconds), |_| ALLOWED);
    }

    fn batch() -> Work {
        let first = Origin { topic: "messages".into(), partition: 3, offset: 17 };
        Work { task: "label a batch", records: 5, first: Some(first) }
    }

    #[test]
    fn a_stage_that_has_work_and_does_not_go_on_is_told_until_it_does() {
        let stages = Stages::new("stalled", &["read", "label"]);
        let label = stages.pulse("label");
        let working = label.work(batch());
        look(&stages, 10);
        assert_eq!(stages.stalls(), []);
        look(&stages, 1);
        let stalls = stages.stalls();
        assert_eq!((stalls[0].stage, &stalls[0].work, stalls[0].seconds), ("label", &batch(), 11));
        let said = stalls[0].to_string();
        assert!(said.contains("(11 s): label a batch, 5 records from messages[3]@17 on"), "{said}");
        label.beat();
        look(&stages, 9);
        assert_eq!(stages.stalls(), [], "it goes on");
        look(&stages, 2);
        assert_eq!(stages.stalls().len(), 1, "and hangs again");
        drop(working);
        look(&stages, 1);
        assert_eq!(stages.stalls(), []);
    }

    #[test]
    fn waiting_for_work_is_no_stall_and_a_batch_after_another_is_progress() {
        let stages = Stages::new("stalled", &["label"]);
        look(&stages, 3_600);
        assert_eq!(stages.stalls(), []);
        let label = stages.pulse("label");
        for _ in 0..100 {
            let _working = label.work(batch());
            look(&stages, 9);
        }
        assert_eq!(stages.stalls(), []);
    }

    #[test]
    fn a_stage_may_be_allowed_more_than_another() {
        let stages = Stages::new("stalled", &["label", "publish"]);
        let (label, publish) = (stages.pulse("label"), stages.pulse("publish"));
        let (_labels, _publishes) = (label.work(batch()), publish.work(batch()));
        stages.look(Duration::from_secs(60), |stage| if stage == "publish" { 9 * ALLOWED } else { ALLOWED });
        let stalls: Vec<_> = stages.stalls().into_iter().map(|stall| stall.stage).collect();
        assert_eq!(stalls, ["label"]);
    }
}
