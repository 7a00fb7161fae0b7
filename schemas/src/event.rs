//! An event at its three stages. Each stage owns the one before it, so nothing of the record is lost on the way.

use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::label::{Labels, ModelId, Signals};

/// Where an event was read. It names the record for ever: offsets are not reused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]@{}", self.topic, self.partition, self.offset)
    }
}

/// One Kafka header. Names may repeat, and a value may be null: both survive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub name: String,
    pub value: Option<Vec<u8>>,
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawEvent {
    pub origin: Origin,
    pub key: Option<Vec<u8>>,
    /// `None` is a tombstone.
    pub payload: Option<Vec<u8>>,
    pub headers: Vec<Header>,
    /// The record's timestamp, milliseconds since 1970 UTC; `None` on topics that predate timestamps.
    pub timestamp_ms: Option<i64>,
}

/// A record whose text was found.
#[derive(Clone, Debug)]
pub struct TextEvent {
    pub raw: RawEvent,
    /// The text to label; never blank.
    pub text: String,
    /// The user's own identifier of the event, when one is configured.
    pub id: Option<String>,
    /// When it happened, milliseconds since 1970 UTC: the configured field, else the record's timestamp.
    pub event_time_ms: Option<i64>,
    /// The user's JSON object, or `None` when the payload is plain text.
    pub fields: Option<Fields>,
}

/// A text with what the model says of it.
#[derive(Clone, Debug)]
pub struct LabeledEvent {
    pub event: TextEvent,
    pub labels: Labels,
    pub signals: Signals,
    pub model: Arc<ModelId>,
}

/// The members of a JSON object in their order, each value as the bytes that it was written in.
///
/// Numbers beyond 64 bits, repeated names and number formats survive, which a parse into values would lose.
#[derive(Clone, Debug, Default)]
pub struct Fields(pub Vec<(String, Box<RawValue>)>);

impl Fields {
    /// The last value under `name`, as JSON readers take repeated names.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_ref())
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Fields(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
