//! The words of labelstream, and the JSON Schema files of its formats: no I/O, no async, no clock.
//!
//! | word | meaning |
//! |---|---|
//! | record | what lies on Kafka: key, payload, headers, timestamp |
//! | event | a record inside labelstream; [`RawEvent`] as read, [`TextEvent`] decoded, [`LabeledEvent`] classified |
//! | origin | the topic, partition and offset that an event was read from; it keeps it to the end |
//! | batch | events that travel together, with the records turned away on the way and a ticket |
//! | ticket | the offsets that a batch covers, and the generation that it was read under |
//! | generation | our counter of partition ownership; a batch of an older one is dropped, its records are read again |
//! | label | a name out of the model's closed set, with its score |
//! | dead letter | a record that cannot be labelled: the original bytes, and why |
//! | tombstone | a record that says that its key is gone: passed over, or passed on |
//!
//! Data walks one way: `RawEvent -> TextEvent -> LabeledEvent`, each inside a [`Batch`].

pub mod backoff;
pub mod batch;
pub mod chain;
pub mod dead_letter;
pub mod event;
pub mod label;
pub mod package_files;
pub mod problem;
pub mod quiet;
pub mod recovery;
pub mod report;
pub mod secret;
pub mod tombstone;

pub use batch::{Batch, Generation, Ticket};
pub use chain::chain;
pub use dead_letter::{DeadLetter, Reason};
pub use event::{Fields, Header, LabeledEvent, Origin, RawEvent, TextEvent, UserValue, content_bytes, held_bytes};
pub use label::{Label, Labels, ModelId, Signals};
pub use problem::Problem;
pub use recovery::Recovery;
pub use secret::Secret;
pub use tombstone::{Aside, Fate, Tombstone};
