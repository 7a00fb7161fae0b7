//! Decoding and encoding: the formats of payloads, and the headers beside them. Pure: no I/O, no log, no clock.
//!
//! | what | where |
//! |---|---|
//! | a record's bytes and headers to text, id, time and the user's value | [`Decoder`] |
//! | labels and the user's value to the record that is published | [`encode`] |
//! | what a consumer of the labelled topic reads | [`labeled`], and [`observed`] as untrusted input |
//! | what a consumer of the dead-letter topic reads | [`dead_letter`], [`amendment`] |
//!
//! **Where would I add a format?** A file beside `json.rs` with `decode(record, wanted)`, and with `encode` if its values
//! are published in the same format; a variant of [`Format`], which settings name in lower case; a variant of
//! [`schemas::UserValue`] if the user's value is neither text nor JSON. The compiler then names every `match`, all of them
//! in `format.rs` and `json.rs`. [`Decoder`] refuses what no format accepts. A schema registry is read by a crate that
//! does I/O, which passes the schemas to [`Decoder`]: this crate stays pure.

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

pub use amendment::{Amendments, KeyChange, LeftOutPayload};
pub use decoder::Decoder;
pub use format::{EncodeError, EncodedEvent, Format, encode};
pub use layout::{Layout, OnClash};
pub use pointer::{Pointer, PointerError};
pub use settings::{DecodeConfig, DecodeSettings};
pub use tombstones::Tombstones;
