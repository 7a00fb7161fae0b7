//! Everything that enters beside Kafka records: decoding, histories and texts in files, settings, signals.
//!
//! The crate reads and decodes; it does not know who labels or publishes.

pub mod batcher;
pub mod decode;
pub mod history;
pub mod metrics;
pub mod settings;
pub mod shutdown;
pub mod stages;
pub mod supervision;
pub mod texts;
