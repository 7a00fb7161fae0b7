//! The words of labelstream, and the JSON Schema files of its formats. No I/O, no async, no clock.
//!
//! | word | meaning |
//! |---|---|
//! | record | key, payload, headers and timestamp, as stored on Kafka |
//! | event | a record inside labelstream: [`RawEvent`] as read, [`TextEvent`] decoded, [`LabeledEvent`] classified |
//! | origin | topic, partition and offset of the record; an event keeps it to the end |
//! | batch | events that travel together, the records rejected on the way, and a ticket |
//! | ticket | the offsets that a batch covers, and the generation under which they were read |
//! | generation | our counter of partition ownership; a batch of an older one is discarded and its records are read again |
//! | label | a name from the model's closed set, with its score |
//! | dead letter | a record that cannot be labelled: its original bytes, and why |
//! | tombstone | a record that deletes its key: skipped or forwarded |
//!
//! Data flows one way: `RawEvent -> TextEvent -> LabeledEvent`, each inside a [`Batch`].

pub mod batch;
pub mod dead_letter;
pub mod event;
pub mod label;
pub mod package_files;
pub mod problem;
pub mod recovery;
pub mod report;
pub mod tombstone;

pub use batch::{Batch, Generation, Ticket};
pub use dead_letter::{DeadLetter, Reason};
pub use event::{Fields, Header, LabeledEvent, Origin, RawEvent, TextEvent, UserValue, content_bytes, held_bytes};
pub use label::{Label, Labels, ModelId, Signals};
pub use problem::Problem;
pub use recovery::Recovery;
pub use tombstone::{Aside, Fate, Tombstone};
