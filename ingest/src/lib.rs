//! Everything that enters: Kafka records, settings, signals.
//!
//! The crate reads and decodes; it does not know who labels or publishes. Only here and in `sink` is `rdkafka` imported.

pub mod batcher;
pub mod decode;
pub mod history;
pub mod kafka;
pub mod metrics;
pub mod quiet;
pub mod settings;
pub mod shutdown;
pub mod source;
pub mod stages;
pub mod supervision;
pub mod texts;
