//! One batch of texts in, one batch of labelled events out, in the same order.
//!
//! Tokenise, answer what is known from the cache, plan the runs, run them on the sessions, pool windows of long texts,
//! predict, restore order. A text that cannot be labelled becomes a dead letter, and so do any number of them: only a model
//! that fails on a text which it is known to label, too, ends the labeller. Knows nothing of Kafka, files or ONNX Runtime:
//! any [`Model`] will do.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use schemas::{Batch, DeadLetter, LabeledEvent, Labels, ModelId, Reason, Signals, TextEvent, chain};
use serde::Deserialize;

use crate::batching::{self, Budget, Run};
use crate::cache::{Cache, TextKey};
use crate::error::{Known, LabelError, TextError};
use crate::label::Rules;
use crate::metrics as names;
use crate::model::Model;
use crate::sessions::{self, Broken, Session, Work};
use crate::signals;
use crate::tokens::{Encoded, TokenError, Tokens};

/// Any model can say something of this text; what it says does not matter.
const PLAIN_TEXT: &str = "hello";

/// How the scores of a long text's windows become one row of scores, before temperature and softmax.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// The highest logit of each label.
    #[default]
    Max,
    /// The mean logit of each label.
    Mean,
}

/// Limits and choices of a labeller.
#[derive(Clone, Copy, Debug)]
pub struct LabelerConfig {
    /// Padded tokens per run of the model.
    pub tokens_per_run: NonZeroUsize,
    /// Rows per run of the model; 1 when scores depend on the other rows.
    pub rows_per_run: NonZeroUsize,
    pub pool: Pool,
    /// Outcomes remembered; 0 switches the cache off.
    pub cache_entries: usize,
    /// Texts that a session may fail on in a row before it must label a text that the model is known to label.
    pub failures_max: NonZeroUsize,
}

/// What is said of one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    pub labels: Labels,
    pub signals: Signals,
}

/// Where the time of [`Labeler::predict`] went, summed over calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub tokenise: Duration,
    pub inference: Duration,
    /// Tokens given to the model, padding included.
    pub padded_tokens: usize,
    /// Tokens given to the model that belong to texts.
    pub real_tokens: usize,
}

/// Labels batches with the sessions it owns.
pub struct Labeler<M> {
    model: Arc<ModelId>,
    tokens: Tokens,
    rules: Rules,
    sessions: Vec<Session<M>>,
    config: LabelerConfig,
    cache: Cache<Arc<Prediction>>,
    probe: Probe,
    is_broken: bool,
    went_on: Option<WentOn>,
    spent: Spent,
}

/// What a sound model scores: it tells a broken model from texts that it cannot take.
struct Probe {
    known: Known,
    row: Vec<u32>,
}

/// Called from any thread.
pub type WentOn = Box<dyn Fn() + Send + Sync>;

/// The answer for one text of a batch; identical texts share it.
pub type Answer = Result<Arc<Prediction>, Arc<TextError>>;

/// One text's logits, its windows taken together.
type Pooled = Result<Vec<f32>, Arc<TextError>>;

impl<M: Model> Labeler<M> {
    /// # Panics
    /// When `sessions` is empty: a labeller without a model is a bug of its maker.
    pub fn new(model: Arc<ModelId>, tokens: Tokens, rules: Rules, sessions: Vec<M>, config: LabelerConfig) -> Self {
        assert!(!sessions.is_empty(), "a labeller has at least one session");
        let probe = Probe { known: Known::PlainText, row: first_row(&tokens, PLAIN_TEXT).unwrap_or_else(|| vec![0]) };
        Self {
            model,
            tokens,
            rules,
            sessions: sessions.into_iter().map(Session::new).collect(),
            cache: Cache::new(config.cache_entries),
            config,
            probe,
            is_broken: false,
            went_on: None,
            spent: Spent::default(),
        }
    }

    /// Takes a text that this model has labelled well for the one that a sound model labels; without one it is the first
    /// text of the stream that it labels.
    pub fn knows(&mut self, golden_text: &str) {
        if let Some(row) = first_row(&self.tokens, golden_text) {
            self.probe = Probe { known: Known::GoldenText, row };
        }
    }

    /// Calls `went_on` after every run of the model from now on.
    pub fn tell(&mut self, went_on: WentOn) {
        self.went_on = Some(went_on);
    }

    /// The model that labels.
    pub fn model(&self) -> &Arc<ModelId> {
        &self.model
    }

    /// The labels that it can give.
    pub fn labels(&self) -> &[Arc<str>] {
        &self.rules.names
    }

    /// Where the time went so far.
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// Gives the sessions back, for another labeller on the same model.
    pub fn into_sessions(self) -> Vec<M> {
        self.sessions.into_iter().map(|session| session.model).collect()
    }

    /// Labels every event of the batch; those that the model fails on become dead letters. Order is kept.
    ///
    /// # Errors
    /// [`LabelError::Broken`] when the model is broken rather than a text; the batch is lost and must be read again.
    pub fn label(&mut self, batch: Batch<TextEvent>) -> Result<Batch<LabeledEvent>, LabelError> {
        let texts: Vec<&str> = batch.items().iter().map(|event| event.text.as_str()).collect();
        let answers = self.predict(&texts)?;
        let model = Arc::clone(&self.model);
        Ok(batch.zip_map(answers, |event, answer| (event, answer)).try_map(|(event, answer)| match answer {
            Ok(prediction) => Ok(LabeledEvent {
                event,
                labels: prediction.labels.clone(),
                signals: prediction.signals.clone(),
                model: Arc::clone(&model),
            }),
            Err(error) => Err(DeadLetter::new(event.raw, Reason::ModelFailed, chain(&*error))),
        }))
    }

    /// Judges texts, one answer each, in order.
    ///
    /// # Errors
    /// As [`Self::label`].
    pub fn predict(&mut self, texts: &[&str]) -> Result<Vec<Answer>, LabelError> {
        let mut known: HashMap<TextKey, Option<Answer>> = HashMap::with_capacity(texts.len());
        let keys: Vec<TextKey> = texts.iter().map(|text| TextKey::of(text)).collect();
        let (mut new_keys, mut new_texts) = (Vec::new(), Vec::new());
        for (text, key) in texts.iter().zip(&keys) {
            known.entry(*key).or_insert_with(|| {
                let answer = self.cache.get(key).map(Ok);
                if answer.is_none() {
                    new_keys.push(*key);
                    new_texts.push(*text);
                }
                answer
            });
        }
        counter!(names::CACHE_MISSES).increment(new_texts.len() as u64);
        counter!(names::CACHE_HITS).increment((texts.len() - new_texts.len()) as u64);
        let answers = self.predict_new(&new_texts)?;
        for (key, answer) in new_keys.into_iter().zip(answers) {
            if let Ok(prediction) = &answer {
                self.cache.insert(key, Arc::clone(prediction));
            }
            known.insert(key, Some(answer));
        }
        Ok(keys.iter().map(|key| known[key].clone().expect("every key was known or predicted")).collect())
    }

    fn predict_new(&mut self, texts: &[&str]) -> Result<Vec<Answer>, LabelError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let start = Instant::now();
        let encoded = self.tokens.encode_all(texts, self.sessions.len());
        let tokenised = start.elapsed();
        self.spent.tokenise += tokenised;
        histogram!(names::TOKENISE_SECONDS).record(tokenised.as_secs_f64());
        let logits = self.run(&encoded)?;
        Ok(encoded
            .into_iter()
            .zip(logits)
            .map(|(encoded, logits)| match (encoded, logits) {
                (Err(error), _) => Err(Arc::new(error.into())),
                (_, Err(error)) => Err(error),
                (Ok(encoded), Ok(logits)) => Ok(Arc::new(self.prediction(&encoded, &logits))),
            })
            .collect())
    }

    /// Pooled logits for each text, none for those that could not be tokenised.
    fn run(&mut self, encoded: &[Result<Encoded, TokenError>]) -> Result<Vec<Pooled>, LabelError> {
        let mut rows = Vec::new();
        let mut text_of_row = Vec::new();
        for (text, encoded) in encoded.iter().enumerate() {
            for row in encoded.iter().flat_map(|encoded| &encoded.rows) {
                rows.push(row.as_slice());
                text_of_row.push(text);
            }
        }
        let outcome = self.infer(&rows)?;
        let mut windows: Vec<Vec<(usize, Vec<f32>)>> = vec![Vec::new(); encoded.len()];
        for (row, logits) in outcome.logits {
            windows[text_of_row[row]].push((row, logits));
        }
        let mut pooled: Vec<Pooled> = windows
            .into_iter()
            .map(|mut windows| {
                windows.sort_by_key(|(row, _)| *row);
                Ok(pool(self.config.pool, windows))
            })
            .collect();
        for (row, error) in outcome.failures {
            pooled[text_of_row[row]] = Err(Arc::new(error.into()));
        }
        Ok(pooled)
    }

    /// Runs the model on all rows, and notes what that says of the model.
    fn infer(&mut self, rows: &[&[u32]]) -> Result<sessions::Outcome, LabelError> {
        if self.is_broken {
            return Err(LabelError::StillBroken);
        }
        let runs = self.plan(rows);
        let went_on = self.went_on.as_ref();
        let work = Work {
            rows,
            pad_id: self.tokens.pad_id(),
            tokens_max: self.tokens.tokens_max(),
            classes: self.rules.names.len(),
            probe: &self.probe.row,
            failures_max: self.config.failures_max.get(),
            went_on: &|| went_on.into_iter().for_each(|went_on| went_on()),
        };
        let start = Instant::now();
        let mut outcome = sessions::run_all(&mut self.sessions, &runs, work);
        let inference = start.elapsed();
        self.spent.inference += inference;
        histogram!(names::INFERENCE_SECONDS).record(inference.as_secs_f64());
        counter!(names::BISECTIONS).increment(outcome.bisections as u64);
        counter!(names::ACQUITTALS).increment(outcome.acquittals as u64);

        if let Some(Broken { failures, probe }) = outcome.broken.take() {
            self.is_broken = true;
            return Err(LabelError::Broken { failures, known: self.probe.known, source: probe });
        }
        if outcome.acquittals > 0 {
            tracing::warn!(
                failures_in_a_row = self.config.failures_max,
                labels = %self.probe.known,
                "the model failed on many consecutive texts but labels a known one: these texts become dead letters"
            );
        }
        if let (Known::PlainText, Some((row, _))) = (self.probe.known, outcome.logits.first()) {
            self.probe = Probe { known: Known::EarlierText, row: rows[*row].to_vec() };
        }
        Ok(outcome)
    }

    fn plan(&mut self, rows: &[&[u32]]) -> Vec<Run> {
        let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        let runs = batching::plan(
            &lengths,
            Budget {
                tokens_per_run: self.config.tokens_per_run.get(),
                rows_per_run: self.config.rows_per_run.get(),
                sessions: self.sessions.len(),
                tokens_max: self.tokens.tokens_max(),
            },
        );
        let real: usize = lengths.iter().sum();
        let padded: usize = runs.iter().map(Run::padded_tokens).sum();
        self.spent.real_tokens += real;
        self.spent.padded_tokens += padded;
        counter!(names::REAL_TOKENS).increment(real as u64);
        counter!(names::PADDED_TOKENS).increment(padded as u64);
        let (texts, tokens) = (histogram!(names::RUN_TEXTS), histogram!(names::RUN_TOKENS));
        for run in &runs {
            texts.record(float(run.rows.len()));
            tokens.record(float(run.padded_tokens()));
        }
        runs
    }

    fn prediction(&self, encoded: &Encoded, logits: &[f32]) -> Prediction {
        let scored = self.rules.labels(logits);
        let signals = signals::of(encoded, &scored);
        Prediction { labels: scored.labels, signals }
    }
}

/// What the model sees of a text, or of its beginning; `None` when the tokenizer cannot read it.
fn first_row(tokens: &Tokens, text: &str) -> Option<Vec<u32>> {
    tokens.encode(text).ok()?.rows.into_iter().next().filter(|row| !row.is_empty())
}

/// One row of logits out of those of a text's windows, in the order of the text; empty when there are none.
fn pool(how: Pool, windows: Vec<(usize, Vec<f32>)>) -> Vec<f32> {
    let count = float(windows.len());
    let mut windows = windows.into_iter().map(|(_, logits)| logits);
    let Some(first) = windows.next() else {
        return Vec::new();
    };
    // in f64, so that finite logits have a finite mean
    let mut pooled: Vec<f64> = first.into_iter().map(f64::from).collect();
    for logits in windows {
        for (sum, logit) in pooled.iter_mut().zip(logits) {
            *sum = match how {
                Pool::Max => sum.max(f64::from(logit)),
                Pool::Mean => *sum + f64::from(logit),
            };
        }
    }
    let divisor = if how == Pool::Mean { count } else { 1.0 };
    pooled.into_iter().map(|logit| narrow(logit / divisor)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
fn float(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, reason = "logits are f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests;
