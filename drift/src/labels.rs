//! How right the model really was: predictions kept beside the counts, true labels that arrive later, the two joined by id.
//!
//! | word | meaning |
//! |---|---|
//! | prediction | what the model said about one event with an id, in a few bytes |
//! | label record | a record of the labels topic: an id and the true label of that event |
//! | sample | the events of a window whose id hashes are smallest: the same ones however the input is split |
//! | book | the newest true label per id |
//! | join | predictions and true labels of one window, brought together by id |
//!
//! All of it is pure: bytes and times come in as arguments. A true label counts for a window when it was given before the
//! window's end plus `labels.ttl_ms`, so the last revision of a window follows from the two topics alone.

pub mod book;
pub mod calibration;
pub mod confusion;
pub mod encoding;
pub mod join;
pub mod performance;
pub mod predictions;
pub mod reviser;
pub mod sampler;
pub mod settings;
mod texts;

#[cfg(test)]
mod tests;
