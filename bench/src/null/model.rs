//! A model whose scores are always the same: all that is left is what surrounds it.

use std::error::Error;

use engine::label::{ProblemType, Rules};
use engine::model::{Model, ModelError, Scores, TokenBatch};
use engine::tokens::{LongText, TokenLimits, Tokens};
use engine::{Client, Engine, Limits, Loaded, Pool, Slot, SlotConfig};
use schemas::ModelId;

struct Null;

impl Model for Null {
    fn scores(&mut self, batch: &TokenBatch) -> Result<Scores, ModelError> {
        Ok(Scores { logits: [1.0, 0.0].repeat(batch.rows), classes: 2 })
    }
}

/// An engine with the limits of the default settings, without a cache: a session a core when `sessions` is 0.
pub(super) fn client(sessions: usize) -> Result<Client, Box<dyn Error>> {
    // A tokenizer that reads the first words only: what it costs belongs to a model.
    let limits = TokenLimits { tokens_max: 2, long_text: LongText::Head };
    let tokens = Tokens::of_words(&["the", "a", "to"], limits)?;
    let rules = Rules {
        problem_type: ProblemType::Softmax,
        names: vec!["one".into(), "other".into()],
        temperature: 1.0,
        abstain_below: None,
        thresholds: vec![None, None],
        top_k: 2,
    };
    let config = SlotConfig {
        tokens_per_run: 512.try_into()?,
        rows_per_run: 256.try_into()?,
        pool: Pool::Max,
        cache_entries: 0,
        failures_max: 32.try_into()?,
    };
    let id = ModelId { name: "null".into(), version: "1".into(), digest: format!("sha256:{}", "0".repeat(64)) };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let sessions = if sessions == 0 { cores } else { sessions };
    let model = Loaded {
        sessions: (0..sessions).map(|_| Box::new(Null) as Box<dyn Model>).collect(),
        slots: vec![Slot::new(id.into(), tokens, rules, config)],
    };
    Ok(Engine::new(Limits { bytes_max: 64 << 20, passed_over_max: 8 }).add(model).remove(0))
}
