//! Output: labelled events and dead letters as Kafka records, drift reports, scored files.
//!
//! The crate publishes a whole batch or nothing; it does not know who read or labelled it.

pub mod labels;
pub mod metrics;
pub mod publisher;
pub mod reports;
pub mod scored;
pub mod settings;
