//! Text to labels: model packages, tokens, batching, inference, and the pipeline that runs them on a stream.
//!
//! Only here are `ort` and `tokenizers` imported.

pub mod batching;
pub mod cache;
pub mod error;
pub mod http;
pub mod label;
pub mod labeler;
pub mod load;
pub mod metrics;
pub mod model;
pub mod onnx;
pub mod package;
pub mod pipeline;
pub mod sessions;
pub mod settings;
pub mod signals;
pub mod tokens;
