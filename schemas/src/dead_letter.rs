//! A record that cannot be labelled. It is a value, not an error: it is published in the same transaction as the labels.

use std::fmt;
use std::str::FromStr;

use crate::event::RawEvent;

/// A record with the reason why it was rejected.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    pub raw: RawEvent,
    pub reason: Reason,
    /// One sentence for a person: what was found and what was expected. Never the text itself.
    pub error: String,
}

impl DeadLetter {
    pub fn new(raw: RawEvent, reason: Reason, error: impl Into<String>) -> Self {
        Self { raw, reason, error: error.into() }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why a record became a dead letter: a closed set, so that metrics and `replay --reason` can list it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            /// Every reason, in the order of the pipeline.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word on the wire, in metrics and on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

reasons! {
    /// No payload (a tombstone, where these are to be dead letters), no bytes, or a text of white space only.
    Empty = "empty",
    /// More bytes than `decode.payload_bytes_max`.
    TooLarge = "too_large",
    /// The payload begins with a schema registry's frame: Avro, Protobuf or JSON Schema, which is not decoded here.
    SchemaFramed = "schema_framed",
    /// The payload is not UTF-8.
    NotUtf8 = "not_utf8",
    /// The payload is not JSON, or not a JSON object.
    BadJson = "bad_json",
    /// The text pointer leads nowhere, or not to a string.
    NoText = "no_text",
    /// The id pointer leads to something that is neither a string nor a number.
    BadId = "bad_id",
    /// The event time pointer leads to something that is not a time.
    BadEventTime = "bad_event_time",
    /// The user's object already has a field that the labelled event adds.
    FieldClash = "field_clash",
    /// The model failed on this text alone.
    ModelFailed = "model_failed",
    /// The labelled event is larger than the output topic accepts.
    OutputTooLarge = "output_too_large",
    /// The output topic refuses the labelled event for another cause than its size: its time, its missing key, a policy.
    OutputRefused = "output_refused",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no reason.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a reason of a dead letter")]
pub struct UnknownReason(pub String);

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(name: &str) -> Result<Self, UnknownReason> {
        Self::ALL.iter().copied().find(|reason| reason.name() == name).ok_or_else(|| UnknownReason(name.to_owned()))
    }
}
