//! A labeller whose model is a few lines: it fails on one word and where the plan says, and else labels by length.

use std::sync::Arc;

use engine::label::{ProblemType, Rules};
use engine::labeler::{Labeler, LabelerConfig, Pool};
use engine::model::{Model, ModelError, Scores, TokenBatch};
use engine::tokens::{LongText, TokenLimits, Tokens};
use formats::time::TimeUnit;
use formats::{DecodeConfig, DecodeSettings, Decoder, Format, Layout, OnClash, Tombstones};
use schemas::ModelId;
use tokenizers::Tokenizer;

use crate::broker::Broker;
use crate::faults::{Faults, Kind, Seam};

/// The model fails on every text that holds this word.
pub(crate) const POISON: &str = "poison";
const POISON_ID: i64 = 2;

pub(crate) struct FakeModel {
    broker: Broker,
    faults: Arc<Faults>,
}

impl Model for FakeModel {
    fn scores(&mut self, batch: &TokenBatch) -> Result<Scores, ModelError> {
        let failed = |why: &str| ModelError::Run { rows: batch.rows, columns: batch.columns, source: why.into() };
        match self.faults.call(Seam::Infer) {
            Some(Kind::FailsBefore | Kind::FailsAfter) => return Err(failed("planned")),
            Some(Kind::Rebalance) => self.broker.state().new_generation(),
            Some(Kind::Panic) => panic!("planned: model"),
            Some(Kind::Hangs) | None => {}
        }
        if batch.input_ids.contains(&POISON_ID) {
            return Err(failed("poison"));
        }
        Ok(Scores { logits: [1.0, 0.0].repeat(batch.rows), classes: 2 })
    }
}

pub(crate) fn labeler(broker: &Broker, faults: &Arc<Faults>) -> Labeler<FakeModel> {
    let sessions = (0..2).map(|_| FakeModel { broker: broker.clone(), faults: Arc::clone(faults) }).collect();
    let id = ModelId { name: "fake".into(), version: "1".into(), digest: format!("sha256:{}", "0".repeat(64)) };
    let rules = Rules {
        problem_type: ProblemType::Softmax,
        names: vec!["short".into(), "long".into()],
        temperature: 1.0,
        abstain_below: None,
        thresholds: vec![None, None],
        top_k: 2,
    };
    let positive = |value: usize| value.try_into().expect("a positive limit");
    let config = LabelerConfig {
        tokens_per_run: positive(8),
        rows_per_run: positive(4),
        pool: Pool::Max,
        cache_entries: 0,
        failures_max: positive(8),
    };
    Labeler::new(Arc::new(id), tokens(), rules, sessions, config)
}

fn tokens() -> Tokens {
    let words = serde_json::json!({
        "version": "1.0",
        "pre_tokenizer": { "type": "Whitespace" },
        "model": { "type": "WordLevel", "unk_token": "?", "vocab": { "?": 0, "text": 1, POISON: POISON_ID } },
    });
    let tokenizer: Tokenizer = words.to_string().parse().expect("a whole tokenizer");
    let limits = TokenLimits { tokens_max: 8, long_text: LongText::Head };
    Tokens::from_tokenizer(tokenizer, Some(0), 0, limits).expect("a tokenizer without special tokens")
}

pub(crate) fn decoder() -> Decoder {
    let settings = DecodeSettings {
        on_clash: OnClash::DeadLetter,
        format: Format::Text,
        text_pointer: "/text".into(),
        id_pointer: None,
        event_time_pointer: None,
        event_time_unit: TimeUnit::default(),
        tombstones: Tombstones::default(),
        tombstones_by_topic: Vec::new(),
        payload_bytes_max: 1_000,
    };
    Decoder::new(DecodeConfig::try_from(settings).expect("usable settings"), Layout::Merge)
}
