//! Runs planned batches on several sessions at once, and narrows a failing run down to the rows that are to blame.
//!
//! Each session belongs to one thread for the time of a call. They take runs from one list, largest first, until it is
//! empty. A panic in a session ends the call with the same panic, after the other threads have stopped: nothing hangs.

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
}

/// What became of each row, by its index.
#[derive(Debug, Default)]
pub struct Outcome {
    /// `(row, logits)`; rows that failed are in `failures` instead.
    pub logits: Vec<(usize, Vec<f32>)>,
    pub failures: Vec<(usize, ModelError)>,
    /// Failing runs that were cut in two.
    pub bisections: usize,
}

/// Rows that failed since the last success, across threads and calls; at its limit the model counts as broken for good.
#[derive(Debug)]
pub struct FailureStreak {
    length: AtomicUsize,
    max: usize,
    broken: AtomicBool,
}

impl FailureStreak {
    /// A streak that may reach `max` rows before the model counts as broken.
    pub fn new(max: usize) -> Self {
        Self { length: AtomicUsize::new(0), max, broken: AtomicBool::new(false) }
    }

    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    fn success(&self) {
        self.length.store(0, Ordering::Relaxed);
    }

    fn failure(&self) {
        if self.length.fetch_add(1, Ordering::Relaxed) + 1 >= self.max {
            self.broken.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs all of `runs`. Gives up early once the streak is broken: then rows are missing from the outcome.
///
/// # Panics
/// With the model's own panic, if it panics.
pub fn run_all<M: Model>(sessions: &mut [M], runs: &[Run], work: Work<'_>, streak: &FailureStreak) -> Outcome {
    let next = AtomicUsize::new(0);
    let worker = |session: &mut M| {
        let mut outcome = Outcome::default();
        while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            run_or_bisect(session, &run.rows, work, streak, &mut outcome);
        }
        outcome
    };
    let busy = runs.len().min(sessions.len());
    let Some((own, others)) = sessions[..busy].split_first_mut() else {
        return Outcome::default();
    };
    thread::scope(|scope| {
        let threads: Vec<_> = others.iter_mut().map(|session| scope.spawn(|| worker(session))).collect();
        let mut all = worker(own);
        for thread in threads {
            match thread.join() {
                Ok(outcome) => all.absorb(outcome),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}

impl Outcome {
    fn absorb(&mut self, other: Self) {
        self.logits.extend(other.logits);
        self.failures.extend(other.failures);
        self.bisections += other.bisections;
    }
}

/// Halves a failing run until single rows are left, each tried twice: about `2 log2 n` runs for a single bad row.
fn run_or_bisect<M: Model>(
    session: &mut M,
    rows: &[usize],
    work: Work<'_>,
    streak: &FailureStreak,
    outcome: &mut Outcome,
) {
    if streak.is_broken() {
        return;
    }
    let mut result = run(session, rows, work);
    if result.is_err() && rows.len() == 1 {
        result = run(session, rows, work); // a passing fault must not cost a record its label
    }
    match (result, rows) {
        (Ok(found), _) => {
            for (row, result) in rows.iter().zip(found) {
                match result {
                    Ok(logits) => {
                        streak.success();
                        outcome.logits.push((*row, logits));
                    }
                    Err(error) => {
                        streak.failure();
                        outcome.failures.push((*row, error));
                    }
                }
            }
        }
        (Err(error), [row]) => {
            streak.failure();
            outcome.failures.push((*row, error));
        }
        (Err(_), _) => {
            outcome.bisections += 1;
            let (left, right) = rows.split_at(rows.len() / 2);
            run_or_bisect(session, left, work, streak, outcome);
            run_or_bisect(session, right, work, streak, outcome);
        }
    }
}

/// One run: logits per row, in the order of `rows`.
fn run<M: Model>(
    session: &mut M,
    rows: &[usize],
    work: Work<'_>,
) -> Result<Vec<Result<Vec<f32>, ModelError>>, ModelError> {
    let ids: Vec<&[u32]> = rows.iter().map(|row| work.rows[*row]).collect();
    let longest = ids.iter().map(|row| row.len()).max().unwrap_or(0);
    let columns = batching::columns(longest, work.tokens_max);
    let scores = session.scores(&TokenBatch::pad(&ids, columns, work.pad_id))?;
    if scores.classes != work.classes || scores.logits.len() != rows.len() * work.classes {
        return Err(ModelError::Output {
            expected: format!("{} rows of {} scores", rows.len(), work.classes),
            found: format!("{} scores, {} per row", scores.logits.len(), scores.classes),
        });
    }
    Ok(scores
        .rows()
        .map(|logits| {
            if logits.iter().all(|logit| logit.is_finite()) { Ok(logits.to_vec()) } else { Err(ModelError::NotFinite) }
        })
        .collect())
}
