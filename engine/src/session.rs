//! One copy of a model, owned by one thread: scores a run of rows, and narrows a failing run down to the rows to blame.
//!
//! A session that fails again and again has to score a row that a sound model scores, the probe: if it does, the texts
//! are to blame, however many they are; if it does not, the model is broken. A run of which no row was scored asks the
//! same at its end, before anybody is answered: a broken model then costs no text its label.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::batching;
use crate::model::{Model, ModelError, TokenBatch};

/// What a run needs beside its rows, and what its scores must look like.
#[derive(Clone, Copy)]
pub(crate) struct Work<'a> {
    pub(crate) pad_id: u32,
    /// Tokens that a row may have.
    pub(crate) tokens_max: usize,
    /// Scores per row.
    pub(crate) classes: usize,
    /// A row that a sound model scores.
    pub(crate) probe: &'a [u32],
    /// Rows that a session may fail on in a row before it has to score the probe.
    pub(crate) failures_max: usize,
    /// Called after every call of the model: a run that is cut in pieces is no run that hangs.
    pub(crate) went_on: &'a dyn Fn(),
}

type Row = Result<Vec<f32>, ModelError>;

/// A run with its scores, as far as there are any.
#[derive(Debug, Default)]
pub(crate) struct ScoredRun {
    /// Logits or error of each row, in order; some are missing when the model is broken.
    pub(crate) rows: Vec<Option<Row>>,
    /// Failing runs that were cut in two.
    pub(crate) bisections: usize,
    /// Times that the session failed on `failures_max` rows in a row, and then scored the probe.
    pub(crate) acquittals: usize,
    pub(crate) broken: Option<Broken>,
}

/// Why a model counts as broken.
#[derive(Debug)]
pub(crate) struct Broken {
    /// Rows that it failed on since its last success.
    pub(crate) failures: usize,
    /// Why it failed on the probe, too.
    pub(crate) probe: ModelError,
}

/// A model, and how many rows it failed on since its last success. Each session counts for itself: one that is broken
/// beside sound ones must not turn its share of the texts into failures.
pub(crate) struct Session {
    model: Box<dyn Model>,
    streak: usize,
}

impl Session {
    pub(crate) fn new(model: Box<dyn Model>) -> Self {
        Self { model, streak: 0 }
    }

    /// Scores the rows as one run, and in ever smaller ones while it fails.
    ///
    /// `n` rows that fail one by one cost at most `3 n` calls of the model, `n / failures_max` probes and one more probe.
    pub(crate) fn score(&mut self, rows: &[&[u32]], work: Work<'_>) -> ScoredRun {
        let scored = ScoredRun { rows: rows.iter().map(|_| None).collect(), ..ScoredRun::default() };
        let mut run = Run { session: self, rows, work, scored };
        run.score_or_bisect(&(0..rows.len()).collect::<Vec<_>>());
        let mut scored = run.scored;
        let is_scored = scored.rows.iter().any(|row| matches!(row, Some(Ok(_))));
        if !is_scored && self.streak > 0 && scored.broken.is_none() {
            scored.broken = self.probe(work).err();
        }
        scored
    }

    /// Scores the row that a sound model scores, twice if it must, as any other row.
    fn probe(&mut self, work: Work<'_>) -> Result<(), Broken> {
        let mut score = || self.call(&[work.probe], work)?.pop().expect("one row was asked for").map(drop);
        let scored = score().or_else(|_| score());
        scored.map_err(|probe| Broken { failures: self.streak, probe })
    }

    /// One call of the model: logits per row, in order.
    fn call(&mut self, rows: &[&[u32]], work: Work<'_>) -> Result<Vec<Row>, ModelError> {
        let longest = rows.iter().map(|row| row.len()).max().unwrap_or(0);
        let columns = batching::columns(longest, work.tokens_max);
        let batch = TokenBatch::pad(rows, columns, work.pad_id);
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

/// A session at work on the rows of one run.
struct Run<'a> {
    session: &'a mut Session,
    rows: &'a [&'a [u32]],
    work: Work<'a>,
    scored: ScoredRun,
}

impl Run<'_> {
    /// Halves a failing run until single rows are left, each tried twice: about `2 log2 n` calls for a single bad row.
    fn score_or_bisect(&mut self, places: &[usize]) {
        if self.scored.broken.is_some() {
            return;
        }
        let rows: Vec<&[u32]> = places.iter().map(|place| self.rows[*place]).collect();
        let mut result = self.session.call(&rows, self.work);
        if result.is_err() && rows.len() == 1 {
            result = self.session.call(&rows, self.work); // a transient error must not cost a text its label
        }
        match (result, places) {
            (Ok(found), _) => {
                for (place, row) in places.iter().zip(found) {
                    match row {
                        Ok(logits) => {
                            self.session.streak = 0;
                            self.scored.rows[*place] = Some(Ok(logits));
                        }
                        Err(error) => self.failed(*place, error),
                    }
                }
            }
            (Err(error), [place]) => self.failed(*place, error),
            (Err(_), _) => {
                self.scored.bisections += 1;
                let (left, right) = places.split_at(places.len() / 2);
                self.score_or_bisect(left);
                self.score_or_bisect(right);
            }
        }
    }

    /// Notes a row that the model fails on; one too many in a row, or a panic, which may leave a session in any state,
    /// and the session has to score the probe.
    fn failed(&mut self, place: usize, error: ModelError) {
        self.session.streak += 1;
        let is_too_long = self.session.streak >= self.work.failures_max;
        let is_suspect = is_too_long || matches!(error, ModelError::Panicked);
        self.scored.rows[place] = Some(Err(error));
        if !is_suspect || self.scored.broken.is_some() {
            return;
        }
        match self.session.probe(self.work) {
            Ok(()) if is_too_long => {
                self.session.streak = 0;
                self.scored.acquittals += 1;
            }
            Ok(()) => {}
            Err(broken) => self.scored.broken = Some(broken),
        }
    }
}

#[cfg(test)]
mod tests;
