//! A model for tests that counts words, misbehaves on three of them, and breaks when it is told to.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use schemas::ModelId;

use crate::client::Client;
use crate::engine::Engine;
use crate::label::{ProblemType, Rules};
use crate::model::{Model, ModelError, Scores, TokenBatch};
use crate::queue::Limits;
use crate::slot::{Pool, Prediction, Slot, SlotConfig};
use crate::threads::Loaded;
use crate::tokens::{LongText, TokenLimits, Tokens};

pub(crate) const WORDS: [&str; 6] = ["good", "bad", "so", "poison", "nan", "panic"];
pub(crate) const LIMITS: Limits = Limits { bytes_max: 1 << 20, passed_over_max: 2 };
pub(crate) const POISON: i64 = 4;
pub(crate) const NAN: i64 = 5;
pub(crate) const PANIC: i64 = 6;

/// How a model breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breakage {
    Fails,
    NotFinite,
    WrongShape,
    Panics,
}

pub(crate) const BREAKAGES: [Breakage; 4] =
    [Breakage::Fails, Breakage::NotFinite, Breakage::WrongShape, Breakage::Panics];

/// Scores of a text follow from its own words; three words make it misbehave.
#[derive(Clone, Default)]
pub(crate) struct Fake {
    pub(crate) runs: usize,
    /// From this run on it is broken, on any text.
    pub(crate) breaks: Option<(usize, Breakage)>,
    pub(crate) seen: Arc<Seen>,
}

/// What all sessions of a model were asked.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) runs: AtomicUsize,
    pub(crate) rows: AtomicUsize,
    /// No run goes on while it is closed.
    pub(crate) gate: Gate,
}

#[derive(Default)]
pub(crate) struct Gate {
    is_closed: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub(crate) fn close(&self) {
        *self.is_closed.lock().expect("nobody panicked") = true;
    }

    pub(crate) fn open(&self) {
        *self.is_closed.lock().expect("nobody panicked") = false;
        self.opened.notify_all();
    }

    pub(crate) fn pass(&self) {
        let closed = self.is_closed.lock().expect("nobody panicked");
        drop(self.opened.wait_while(closed, |closed| *closed).expect("nobody panicked"));
    }
}

impl Model for Fake {
    fn scores(&mut self, batch: &TokenBatch) -> Result<Scores, ModelError> {
        self.runs += 1;
        self.seen.runs.fetch_add(1, Ordering::Relaxed);
        self.seen.rows.fetch_add(batch.rows, Ordering::Relaxed);
        self.seen.gate.pass();
        assert!(!batch.input_ids.contains(&PANIC), "planted");
        match self.breaks.filter(|(run, _)| self.runs > *run) {
            None => {}
            Some((_, Breakage::Fails)) => {
                return Err(ModelError::Run { rows: batch.rows, columns: batch.columns, source: "device lost".into() });
            }
            Some((_, Breakage::NotFinite)) => return Ok(Scores { logits: vec![f32::NAN; 2 * batch.rows], classes: 2 }),
            Some((_, Breakage::WrongShape)) => return Ok(Scores { logits: vec![0.0; 3 * batch.rows], classes: 3 }),
            Some((_, Breakage::Panics)) => panic!("planted: broken"),
        }
        if batch.input_ids.contains(&POISON) {
            return Err(ModelError::Run { rows: batch.rows, columns: batch.columns, source: "poison".into() });
        }
        let mut logits = Vec::new();
        for row in 0..batch.rows {
            let columns = row * batch.columns..(row + 1) * batch.columns;
            let count = |id: i64| {
                let own = columns.clone().filter(|at| batch.attention_mask[*at] == 1);
                own.filter(|at| batch.input_ids[*at] == id).count() as f32
            };
            logits.push(if count(NAN) > 0.0 { f32::NAN } else { count(1) });
            logits.push(count(2));
        }
        Ok(Scores { logits, classes: 2 })
    }
}

pub(crate) fn client(sessions: usize, cache_entries: usize, long_text: LongText) -> Client {
    client_of(vec![Fake::default(); sessions], cache_entries, long_text)
}

pub(crate) fn client_of(sessions: Vec<Fake>, cache_entries: usize, long_text: LongText) -> Client {
    let slot = slot("positive", cache_entries, long_text);
    Engine::new(LIMITS).add(loaded(sessions, vec![slot])).remove(0)
}

pub(crate) fn loaded(sessions: Vec<Fake>, slots: Vec<Slot>) -> Loaded {
    Loaded { sessions: sessions.into_iter().map(|session| Box::new(session) as Box<dyn Model>).collect(), slots }
}

pub(crate) fn slot(good: &str, cache_entries: usize, long_text: LongText) -> Slot {
    let limit = |value| NonZeroUsize::new(value).expect("tests use positive limits");
    let tokens = Tokens::of_words(&WORDS, TokenLimits { tokens_max: 4, long_text });
    let rules = Rules {
        problem_type: ProblemType::Softmax,
        names: vec![good.into(), "negative".into()],
        temperature: 1.0,
        abstain_below: None,
        thresholds: vec![None, None],
        top_k: 2,
    };
    let model = ModelId { name: "fake".to_owned(), version: "1".to_owned(), digest: "sha256:0".to_owned() };
    let config = SlotConfig {
        tokens_per_run: limit(8),
        rows_per_run: limit(8),
        pool: Pool::Max,
        cache_entries,
        failures_max: limit(4),
    };
    Slot::new(Arc::new(model), tokens.expect("the limits leave room"), rules, config)
}

pub(crate) fn answers(client: &Client, texts: &[&str]) -> Vec<Option<Prediction>> {
    let answers = client.predict(texts).expect("the model works");
    answers.into_iter().map(|answer| answer.ok().map(|prediction| (*prediction).clone())).collect()
}

pub(crate) fn labels(client: &Client, texts: &[&str]) -> Vec<Option<String>> {
    let labels = answers(client, texts).into_iter();
    labels.map(|prediction| prediction?.labels.label.map(|label| label.to_string())).collect()
}

/// Texts that the model has no answer for.
pub(crate) fn failures(client: &Client, texts: &[&str]) -> usize {
    answers(client, texts).iter().filter(|answer| answer.is_none()).count()
}

pub(crate) fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
