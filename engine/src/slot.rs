//! One model as its users see it: its tokenizer, its label rules, its cache and its limits.
//!
//! Several slots may share the sessions of one model, with other rules; several models live side by side in one
//! [`Engine`](crate::Engine). A slot turns a text into rows of tokens and the scores of the rows into a [`Prediction`].

use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

use metrics::Gauge;
use parking_lot::Mutex;
use schemas::{Labels, ModelId, Signals};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::cache::TextKey;
use crate::error::Known;
use crate::label::Rules;
use crate::signals;
use crate::tokens::{Encoded, Tokens};

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

/// Limits and choices of a slot.
#[derive(Clone, Copy, Debug)]
pub struct SlotConfig {
    /// Padded tokens per run of the model.
    pub tokens_per_run: NonZeroUsize,
    /// Rows per run of the model; 1 when scores depend on the other rows.
    pub rows_per_run: NonZeroUsize,
    pub pool: Pool,
    /// Predictions remembered; 0 switches the cache off.
    pub cache_entries: usize,
    /// Texts that a session may fail on in a row before it must label a text that the model is known to label.
    pub failures_max: NonZeroUsize,
}

/// What the model says about one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    pub labels: Labels,
    pub signals: Signals,
}

/// What a sound model scores: it tells a broken model from texts that it cannot take.
#[derive(Clone)]
pub(crate) struct Probe {
    pub(crate) known: Known,
    pub(crate) row: Arc<[u32]>,
}

/// A model's tokenizer, rules and limits.
pub struct Slot {
    model: Arc<ModelId>,
    tokens: Tokens,
    rules: Rules,
    config: SlotConfig,
    probe: Mutex<Probe>,
    /// Says that the model is in use.
    info: OnceLock<Gauge>,
}

impl Slot {
    pub fn new(model: Arc<ModelId>, tokens: Tokens, rules: Rules, config: SlotConfig) -> Self {
        let row = first_row(&tokens, PLAIN_TEXT).unwrap_or_else(|| [0].into());
        Self {
            model,
            tokens,
            rules,
            config,
            probe: Mutex::new(Probe { known: Known::PlainText, row }),
            info: OnceLock::new(),
        }
    }

    /// Takes a text that this model has labelled well for the one that a sound model labels; without one it is the first
    /// text that it labels.
    #[must_use]
    pub fn knowing(self, golden_text: &str) -> Self {
        if let Some(row) = first_row(&self.tokens, golden_text) {
            *self.probe.lock() = Probe { known: Known::GoldenText, row };
        }
        self
    }

    pub(crate) fn model(&self) -> &Arc<ModelId> {
        &self.model
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    pub(crate) fn config(&self) -> &SlotConfig {
        &self.config
    }

    /// Shows by a gauge that the model is in use, until the slot is removed.
    pub(crate) fn show(&self, info: Gauge) {
        self.info.get_or_init(|| info).set(1.0);
    }

    /// It was removed.
    pub(crate) fn hide(&self) {
        if let Some(info) = self.info.get() {
            info.set(0.0);
        }
    }

    /// The labels that it can give.
    pub(crate) fn labels(&self) -> &[Arc<str>] {
        &self.rules.names
    }

    pub(crate) fn probe(&self) -> Probe {
        self.probe.lock().clone()
    }

    /// A row of a text was scored: from now on it tells whether the model is sound, if nothing better does.
    pub(crate) fn scored(&self, row: &[u32]) {
        let mut probe = self.probe.lock();
        if probe.known == Known::PlainText {
            *probe = Probe { known: Known::EarlierText, row: row.into() };
        }
    }

    /// Names a text for this model: another model's answer never comes from the cache.
    pub(crate) fn key(&self, text: &str) -> TextKey {
        TextKey(Sha256::new().chain_update(&self.model.digest).chain_update([0]).chain_update(text).finalize().into())
    }

    /// The prediction for a text, from the logits of each of its windows, in the order of the text.
    pub(crate) fn predict(&self, encoded: &Encoded, windows: Vec<Vec<f32>>) -> Prediction {
        let scored = self.rules.labels(&pool(self.config.pool, windows));
        let signals = signals::of(encoded, &scored);
        Prediction { labels: scored.labels, signals }
    }
}

/// What the model sees of a text, or of its beginning; `None` when the tokenizer cannot read it.
fn first_row(tokens: &Tokens, text: &str) -> Option<Arc<[u32]>> {
    tokens.encode(text).ok()?.rows.into_iter().next().filter(|row| !row.is_empty()).map(Into::into)
}

/// One row of logits out of those of a text's windows, in the order of the text; empty when there are none.
fn pool(how: Pool, windows: Vec<Vec<f32>>) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "windows of a text are far below 2^52")]
    let count = windows.len() as f64;
    let mut windows = windows.into_iter();
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

#[expect(clippy::cast_possible_truncation, reason = "logits are f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_by_maximum_or_mean() {
        let windows = || vec![vec![1.0, -2.0], vec![3.0, -4.0]];
        assert_eq!(pool(Pool::Max, windows()), [3.0, -2.0]);
        assert_eq!(pool(Pool::Mean, windows()), [2.0, -3.0]);
        assert!(pool(Pool::Max, Vec::new()).is_empty());
        assert_eq!(pool(Pool::Mean, vec![vec![f32::MAX], vec![f32::MAX]]), [f32::MAX]);
    }
}
