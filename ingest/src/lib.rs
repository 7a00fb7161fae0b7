//! Everything that enters beside Kafka records: histories and texts in files.
//!
//! The crate reads; it does not know who decodes, labels or publishes.

pub mod batcher;
pub mod history;
pub mod metrics;
pub mod texts;
pub mod unusual_times;
