//! Text to labels: model packages, tokens, batching, inference, and the pipeline that runs them on a stream.
//!
//! Only here are `ort` and `tokenizers` imported.

pub mod model;
