//! Runs planned batches on several sessions at once, and narrows a failing run down to the rows that are to blame.
//!
//! Each session belongs to one thread for the time of a call. They take runs from one list, largest first, until it is
//! empty. A session that fails again and again has to score a row that a sound model scores, the probe: where it does,
//! the texts are to blame, however many they are; where it does not, the model is broken.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::batching::{self, Run};
use crate::model::{Model, ModelError, TokenBatch};

/// The rows that runs point into, and what the scores must look like.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// Token ids, special ones included.
    pub rows: &'a [&'a [u32]],
    pub pad_id: u32,
    /// Tokens that a row may have.
    pub tokens_max: usize,
    /// Scores per row.
    pub classes: usize,
    /// A row that a sound model scores: it tells a broken model from texts that it cannot take.
    pub probe: &'a [u32],
    /// Rows that a session may fail on in a row before it has to score the probe.
    pub failures_max: usize,
    /// Called after every run of the model: a batch of many runs is no run that hangs.
    pub went_on: &'a (dyn Fn() + Sync),
}

/// What became of each row, by its index.
#[derive(Debug, Default)]
pub struct Outcome {
    /// `(row, logits)`; rows that failed are in `failures` instead.
    pub logits: Vec<(usize, Vec<f32>)>,
    pub failures: Vec<(usize, ModelError)>,
    /// Failing runs that were cut in two.
    pub bisections: usize,
    /// Times that a session failed on `failures_max` rows in a row, and then scored the probe.
    pub acquittals: usize,
    /// A session cannot score the probe: rows are missing from the outcome.
    pub broken: Option<Broken>,
}

/// Why a model counts as broken.
#[derive(Debug)]
pub struct Broken {
    /// Rows that it failed on since its last success.
    pub failures: usize,
    /// Why it failed on the probe, too.
    pub probe: ModelError,
}

/// A model, and how many rows it failed on since its last success, across calls. Each session counts for itself: one
/// that is broken beside sound ones must not turn its share of the stream into dead letters.
pub struct Session<M> {
    pub model: M,
    streak: usize,
}

impl<M> Session<M> {
    pub fn new(model: M) -> Self {
        Self { model, streak: 0 }
    }
}

/// Runs all of `runs`. Gives up early once a session is broken.
///
/// When not one row of the call was scored, the probe is scored at its end: a broken model then costs no row its label.
/// A batch of `n` rows that fail one by one costs at most `3 n` runs of ever fewer rows, `n / failures_max` probes and
/// one probe a session: `log2` of the rows in a run, and two, times the work of a batch without fault.
pub fn run_all<M: Model>(sessions: &mut [Session<M>], runs: &[Run], work: Work<'_>) -> Outcome {
    let next = AtomicUsize::new(0);
    let is_broken = AtomicBool::new(false);
    let worker = |session: &mut Session<M>| {
        let mut worker = Worker { session, work, is_broken: &is_broken, outcome: Outcome::default() };
        while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            worker.run_or_bisect(&run.rows);
        }
        worker.outcome
    };
    let busy = runs.len().min(sessions.len());
    let Some((own, others)) = sessions[..busy].split_first_mut() else {
        return Outcome::default();
    };
    let mut all = thread::scope(|scope| {
        let threads: Vec<_> = others.iter_mut().map(|session| scope.spawn(|| worker(session))).collect();
        let mut all = worker(own);
        for thread in threads {
            match thread.join() {
                Ok(outcome) => all.absorb(outcome),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    if all.logits.is_empty() && !all.failures.is_empty() && all.broken.is_none() {
        let failed = sessions[..busy].iter_mut().filter(|session| session.streak > 0);
        all.broken = failed.filter_map(|session| session.probe(work).err()).next();
    }
    all
}

impl Outcome {
    fn absorb(&mut self, other: Self) {
        self.logits.extend(other.logits);
        self.failures.extend(other.failures);
        self.bisections += other.bisections;
        self.acquittals += other.acquittals;
        self.broken = self.broken.take().or(other.broken);
    }
}

/// A session at work on the runs of one call.
struct Worker<'a, M> {
    session: &'a mut Session<M>,
    work: Work<'a>,
    is_broken: &'a AtomicBool,
    outcome: Outcome,
}

impl<M: Model> Worker<'_, M> {
    /// Halves a failing run until single rows are left, each tried twice: about `2 log2 n` runs for a single bad row.
    fn run_or_bisect(&mut self, rows: &[usize]) {
        if self.is_broken.load(Ordering::Relaxed) {
            return;
        }
        let mut result = self.session.run(rows, self.work);
        if result.is_err() && rows.len() == 1 {
            result = self.session.run(rows, self.work); // a passing fault must not cost a record its label
        }
        match (result, rows) {
            (Ok(found), _) => {
                for (row, result) in rows.iter().zip(found) {
                    match result {
                        Ok(logits) => {
                            self.session.streak = 0;
                            self.outcome.logits.push((*row, logits));
                        }
                        Err(error) => self.failed(*row, error),
                    }
                }
            }
            (Err(error), [row]) => self.failed(*row, error),
            (Err(_), _) => {
                self.outcome.bisections += 1;
                let (left, right) = rows.split_at(rows.len() / 2);
                self.run_or_bisect(left);
                self.run_or_bisect(right);
            }
        }
    }

    /// Notes a row that the model fails on; one too many in a row, or a panic, which may leave a session in any state,
    /// and the session has to score the probe.
    fn failed(&mut self, row: usize, error: ModelError) {
        self.session.streak += 1;
        let is_too_long = self.session.streak >= self.work.failures_max;
        let is_suspect = is_too_long || matches!(error, ModelError::Panicked);
        self.outcome.failures.push((row, error));
        if !is_suspect || self.is_broken.load(Ordering::Relaxed) {
            return;
        }
        match self.session.probe(self.work) {
            Ok(()) if is_too_long => {
                self.session.streak = 0;
                self.outcome.acquittals += 1;
            }
            Ok(()) => {}
            Err(broken) => {
                self.is_broken.store(true, Ordering::Relaxed);
                self.outcome.broken = Some(broken);
            }
        }
    }
}

impl<M: Model> Session<M> {
    /// Scores the row that a sound model scores, twice if it must, as any other row.
    fn probe(&mut self, work: Work<'_>) -> Result<(), Broken> {
        let probe = [work.probe];
        let alone = Work { rows: &probe, ..work };
        let mut score = || self.run(&[0], alone)?.pop().expect("one row was asked for").map(drop);
        let scored = score().or_else(|_| score());
        scored.map_err(|probe| Broken { failures: self.streak, probe })
    }

    /// One run: logits per row, in the order of `rows`.
    fn run(&mut self, rows: &[usize], work: Work<'_>) -> Result<Vec<Result<Vec<f32>, ModelError>>, ModelError> {
        let ids: Vec<&[u32]> = rows.iter().map(|row| work.rows[*row]).collect();
        let longest = ids.iter().map(|row| row.len()).max().unwrap_or(0);
        let columns = batching::columns(longest, work.tokens_max);
        let batch = TokenBatch::pad(&ids, columns, work.pad_id);
        // What a text can provoke is the text's own matter, a panic too; its message may quote the text.
        let scores = catch_unwind(AssertUnwindSafe(|| self.model.scores(&batch)));
        (work.went_on)();
        let scores = scores.unwrap_or(Err(ModelError::Panicked))?;
        if scores.classes != work.classes || scores.logits.len() != rows.len() * work.classes {
            return Err(ModelError::Output {
                expected: format!("{} rows of {} scores", rows.len(), work.classes),
                found: format!("{} scores, {} per row", scores.logits.len(), scores.classes),
            });
        }
        let finite = |logits: &[f32]| logits.iter().all(|logit| logit.is_finite());
        let checked = |logits: &[f32]| if finite(logits) { Ok(logits.to_vec()) } else { Err(ModelError::NotFinite) };
        Ok(scores.rows().map(checked).collect())
    }
}
