//! Everything that leaves: Kafka transactions, dead letters, reports and scored files.
//!
//! The crate publishes whole batches or nothing; it does not know who read or labelled them.

pub mod labels;
pub mod metrics;
pub mod publisher;
pub mod reports;
pub mod scored;
pub mod settings;
