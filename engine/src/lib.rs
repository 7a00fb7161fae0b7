//! Texts to labels: model packages, tokens, batching, inference, label rules and signals.
//!
//! Threads that own their sessions take texts from one bounded queue, in three classes, for any number of models at once.
//! Each text is answered alone, to its caller. Only this crate imports `ort` and `tokenizers`. The engine knows nothing
//! of Kafka, nor where texts come from.
//!
//! [`load::load`] turns a package into a client, [`load::load_into`] adds it to a running engine; any [`model::Model`] works:
//!
//! ```
//! use engine::label::{ProblemType, Rules};
//! use engine::model::{Model, ModelError, Scores, TokenBatch};
//! use engine::tokens::{LongText, TokenLimits, Tokens};
//! use engine::{Class, Engine, Limits, Loaded, News, Pool, Removal, Slot, SlotConfig};
//!
//! /// More good words than bad ones?
//! struct Counts;
//!
//! impl Model for Counts {
//!     fn scores(&mut self, batch: &TokenBatch) -> Result<Scores, ModelError> {
//!         let count = |row: &[i64], word| row.iter().filter(|id| **id == word).count() as f32;
//!         let rows = batch.input_ids.chunks_exact(batch.columns);
//!         Ok(Scores { logits: rows.flat_map(|row| [count(row, 1), count(row, 2)]).collect(), classes: 2 })
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tokens = Tokens::of_words(&["good", "bad"], TokenLimits { tokens_max: 64, long_text: LongText::Head })?;
//! let rules = Rules {
//!     problem_type: ProblemType::Softmax,
//!     names: vec!["praise".into(), "blame".into()],
//!     temperature: 1.0,
//!     abstain_below: None,
//!     thresholds: vec![None, None],
//!     top_k: 2,
//! };
//! let config = SlotConfig {
//!     tokens_per_run: 512.try_into()?,
//!     rows_per_run: 256.try_into()?,
//!     pool: Pool::Max,
//!     cache_entries: 1_000,
//!     failures_max: 32.try_into()?,
//! };
//! let id = schemas::ModelId { name: "counts".into(), version: "1".into(), digest: "sha256:0".into() };
//! let model = Loaded {
//!     sessions: vec![Box::new(Counts), Box::new(Counts)],
//!     slots: vec![Slot::new(id.into(), tokens, rules, config)],
//! };
//! let engine = Engine::new(Limits { bytes_max: 1 << 20, passed_over_max: 8 });
//! let clients = engine.add(model);
//!
//! // Wait for the answers, in order ...
//! let answers = clients[0].predict(&["good good", "so bad bad"])?;
//! assert_eq!(answers[1].as_ref().map(|prediction| prediction.labels.label.as_deref()).ok(), Some(Some("blame")));
//!
//! // ... or be told of each as it comes.
//! let (tell, told) = std::sync::mpsc::sync_channel(1);
//! let caller = clients[0].of_class(Class::Interactive).caller(move |place, news| {
//!     if let News::Answered(reply) = news {
//!         tell.send((place, reply)).ok();
//!     }
//! });
//! assert!(caller.submit([(7, "a good one")]).is_empty(), "not known yet");
//! let (place, reply) = told.recv()?;
//! assert_eq!((place, reply?.map(|prediction| prediction.labels.label.clone()).ok()), (7, Some(Some("praise".into()))));
//!
//! // Rather be refused than wait for room, with what is needed to say when to come back.
//! match caller.try_submit([(8, "a bad one")]) {
//!     Ok(known) => assert!(known.is_empty()),
//!     Err(full) => println!("{} texts wait; come back in {:?}", full.texts, full.waited),
//! }
//!
//! // Take the model out again once it has answered what it was asked; others go on meanwhile.
//! clients[0].remove(Removal::Finish);
//! assert!(matches!(clients[0].predict(&["good"]), Err(engine::error::LabelError::Removed)));
//! # Ok(())
//! # }
//! ```

mod answer;
mod batching;
mod cache;
pub mod check;
mod client;
mod engine;
pub mod error;
#[cfg(test)]
mod fake;
pub mod label;
mod lane;
pub mod load;
pub mod metrics;
pub mod model;
pub mod onnx;
pub mod package;
mod queue;
mod room;
mod session;
pub mod settings;
mod signals;
mod slot;
mod threads;
pub mod tokens;
mod workers;

pub use answer::{Answer, Class, News};
pub use client::{Caller, Client};
pub use engine::Engine;
pub use queue::Limits;
pub use slot::{Pool, Prediction, Slot, SlotConfig};
pub use threads::{KnownAnswers, Loaded, Removal};
