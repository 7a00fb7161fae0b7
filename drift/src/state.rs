//! The state topic: keys that a person can read, values of a version.
//!
//! | key | value |
//! |---|---|
//! | `partial/<topic>/<partition>/PT1H/<start_ms>/on_time` or `.../late` | [`Partial`] |
//! | `progress/<topic>/<partition>` | [`CountProgress`] |
//! | `closed/PT1H/<start_ms>` | [`Closed`] |
//! | `horizon/PT1H` | [`Horizon`] |
//! | `predictions/<topic>/<partition>/PT1H/<start_ms>` | [`Predictions`](crate::labels::predictions::Predictions) |
//! | `performance/PT1H/<start_ms>` | [`Reported`] |
//!
//! The topic is compacted: the newest value of a key counts, and a record without a value removes it. A value is a
//! version byte, the length of a JSON object (four bytes, lowest first), the object, and the bytes of the counts
//! ([`WindowCounts::encode`](crate::counts::WindowCounts::encode)) where it has any.

mod key;
pub mod value;

pub use key::{Key, Part, PartialKey, StateError, TopicPartition};
pub use value::{Closed, CountProgress, Entry, Horizon, Partial, PartialHeader, Reported, Tally, Totals, Value};

#[cfg(test)]
mod tests;
