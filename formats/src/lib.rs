//! Bytes to events and events to bytes: the formats of payloads, and the headers beside them. Pure: no I/O, no log, no clock.
//!
//! | what | where |
//! |---|---|
//! | a record's bytes and headers to text, id, time and the user's value | [`Decoder`] |
//! | labels and the user's value to the record that leaves | [`encode`] |
//! | what a reader of the labelled topic finds | [`labeled`], and [`observed`] as untrusted input |
//! | what a reader of the dead-letter topic finds | [`dead_letter`], [`amendment`] |
//!
//! **Where would I add a format?** A file beside `json.rs` with `decode(record, wanted)`, and `encode` where its values
//! leave in the same format; a variant of [`Format`], which settings name in lower case; a variant of
//! [`schemas::UserValue`] where what the user wrote is kept in another form than text or JSON. The compiler then leads to
//! every `match`, all of them in `format.rs` and `json.rs`. A registry's schemas are read before, by whoever does I/O, and
//! handed to [`Decoder`]: what is here stays pure.

pub mod amendment;
pub mod dead_letter;
mod decoder;
mod format;
mod found;
pub mod framing;
mod json;
pub mod labeled;
pub mod layout;
pub mod observed;
pub mod pointer;
mod rfc3339;
mod settings;
mod text;
pub mod time;
mod tombstones;

pub use amendment::{Amendments, KeyChange, LeftOut};
pub use decoder::Decoder;
pub use format::{EncodeError, Encoded, Format, encode};
pub use layout::{Layout, OnClash};
pub use pointer::{Pointer, PointerError};
pub use settings::{DecodeConfig, DecodeSettings};
pub use tombstones::Tombstones;
