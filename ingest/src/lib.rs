//! Everything that enters beside Kafka records: histories and texts in files, settings, signals.
//!
//! The crate reads; it does not know who decodes, labels or publishes.

pub mod batcher;
pub mod history;
pub mod metrics;
pub mod settings;
pub mod shutdown;
pub mod stages;
pub mod supervision;
pub mod texts;
pub mod unusual_times;
