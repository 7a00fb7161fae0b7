//! Texts to labels: model packages, tokens, batching, inference, label rules and signals.
//!
//! Only here are `ort` and `tokenizers` imported. Knows nothing of Kafka, and nothing of where texts come from.

pub mod batching;
pub mod cache;
pub mod check;
pub mod error;
pub mod label;
pub mod labeler;
pub mod load;
pub mod metrics;
pub mod model;
pub mod onnx;
pub mod package;
pub mod sessions;
pub mod settings;
pub mod signals;
pub mod tokens;
