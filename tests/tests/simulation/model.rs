//! An engine whose model is a few lines: it fails on one word and where the plan says, and else labels by the words.

use std::collections::HashMap;
use std::sync::Arc;

use engine::label::{ProblemType, Rules};
use engine::model::{Model, ModelError, Scores, TokenBatch};
use engine::tokens::{LongText, TokenLimits, Tokens};
use engine::{Client, Engine, Limits, Loaded, Pool, Slot, SlotConfig};
use formats::time::TimeUnit;
use formats::{DecodeConfig, DecodeSettings, Decoder, Format, Layout, OnClash, Tombstones};
use schemas::ModelId;
use tokenizers::Tokenizer;

use crate::broker::Broker;
use crate::faults::{Faults, PlannedFault, Seam};

/// The model fails on every text that holds this word.
pub(crate) const POISON: &str = "poison";
const POISON_ID: i64 = 2;

/// Words by their token ids; the model adds the ids up, and the label is the rest.
const WORDS: [&str; 11] = ["?", "text", POISON, "0", "1", "2", "3", "4", "5", "6", "7"];
const LABELS: [&str; 5] = ["zero", "one", "two", "three", "four"];

/// The label that a text has to get.
pub(crate) fn expected_label(text: &str) -> &'static str {
    let ids = text.split_whitespace().map(|word| WORDS.iter().position(|known| *known == word).unwrap_or(0));
    LABELS[ids.sum::<usize>() % LABELS.len()]
}

struct FakeModel {
    broker: Broker,
    faults: Arc<Faults>,
    /// What the last run ended with, for the planted bug that swaps answers.
    last: Vec<f32>,
}

impl Model for FakeModel {
    fn scores(&mut self, batch: &TokenBatch) -> Result<Scores, ModelError> {
        let failed = |why: &str| ModelError::Run { rows: batch.rows, columns: batch.columns, source: why.into() };
        match self.faults.call(Seam::Infer) {
            Some(PlannedFault::FailsBefore | PlannedFault::FailsAfter) => return Err(failed("planned")),
            Some(PlannedFault::Rebalance) => self.broker.state().new_generation(),
            Some(PlannedFault::Panic) => panic!("planned: model"),
            Some(PlannedFault::Hangs) | None => {}
        }
        if batch.input_ids.contains(&POISON_ID) {
            return Err(failed("poison"));
        }
        let rows = batch.input_ids.chunks_exact(batch.columns).zip(batch.attention_mask.chunks_exact(batch.columns));
        let sums = rows.map(|(ids, mask)| ids.iter().zip(mask).map(|(id, mask)| id * mask).sum::<i64>());
        let mut logits: Vec<f32> = sums.flat_map(|sum| (0..5).map(move |label| f32::from(sum % 5 == label))).collect();
        if self.broker.swaps_answers() {
            let own = logits.split_off(logits.len() - LABELS.len());
            let foreign = std::mem::replace(&mut self.last, own);
            logits.splice(0..0, if foreign.is_empty() { self.last.clone() } else { foreign });
        }
        Ok(Scores { logits, classes: LABELS.len() })
    }
}

pub(crate) fn client(broker: &Broker, faults: &Arc<Faults>) -> Client {
    let session = || FakeModel { broker: broker.clone(), faults: Arc::clone(faults), last: Vec::new() };
    let sessions = (0..2).map(|_| Box::new(session()) as Box<dyn Model>).collect();
    let id = ModelId { name: "fake".into(), version: "1".into(), digest: format!("sha256:{}", "0".repeat(64)) };
    let rules = Rules {
        problem_type: ProblemType::Softmax,
        names: LABELS.map(Into::into).into(),
        temperature: 1.0,
        abstain_below: None,
        thresholds: vec![None; LABELS.len()],
        top_k: 2,
    };
    let positive = |value: usize| value.try_into().expect("a positive limit");
    let config = SlotConfig {
        tokens_per_run: positive(8),
        rows_per_run: positive(4),
        pool: Pool::Max,
        cache_entries: 0,
        failures_max: positive(8),
    };
    let slots = vec![Slot::new(Arc::new(id), tokens(), rules, config)];
    Engine::new(Limits { bytes_max: 10_000, passed_over_max: 8 }).add(Loaded { sessions, slots }).remove(0)
}

fn tokens() -> Tokens {
    let vocabulary: HashMap<&str, usize> = WORDS.into_iter().zip(0..).collect();
    let words = serde_json::json!({
        "version": "1.0",
        "pre_tokenizer": { "type": "Whitespace" },
        "model": { "type": "WordLevel", "unk_token": "?", "vocab": vocabulary },
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
