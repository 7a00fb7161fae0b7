//! An event at its three stages. Each stage owns the one before it, so nothing of the record is lost on the way.

use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
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

impl Header {
    /// A header whose value is a text.
    pub fn text(name: &str, value: Option<impl Into<String>>) -> Self {
        Self { name: name.to_owned(), value: value.map(|value| value.into().into_bytes()) }
    }

    /// Bytes of the name and the value.
    pub fn content_bytes(&self) -> usize {
        self.name.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// What a header takes in memory beside its bytes: the struct and the management of two small allocations. Without it,
/// a megabyte of headers of one letter each would be held as 30 and counted as one.
const HEADER_OVERHEAD: usize = 96;

/// Bytes of a record's content: key, payload, and the names and values of headers.
pub fn content_bytes(key: Option<&[u8]>, payload: Option<&[u8]>, headers: &[Header]) -> usize {
    let headers: usize = headers.iter().map(Header::content_bytes).sum();
    key.map_or(0, <[u8]>::len) + payload.map_or(0, <[u8]>::len) + headers
}

/// The content with what headers take beside it: what every bound on bytes counts.
pub fn held_bytes(key: Option<&[u8]>, payload: Option<&[u8]>, headers: &[Header]) -> usize {
    content_bytes(key, payload, headers) + HEADER_OVERHEAD * headers.len()
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

impl RawEvent {
    /// Bytes of the key, the payload, and the names and values of headers.
    pub fn content_bytes(&self) -> usize {
        content_bytes(self.key.as_deref(), self.payload.as_deref(), &self.headers)
    }

    /// The content with what headers take beside it: what every bound on bytes counts.
    pub fn held_bytes(&self) -> usize {
        held_bytes(self.key.as_deref(), self.payload.as_deref(), &self.headers)
    }
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
    /// What the user wrote around the text.
    pub value: UserValue,
}

/// A text with what the model says about it.
#[derive(Clone, Debug)]
pub struct LabeledEvent {
    pub event: TextEvent,
    pub labels: Labels,
    pub signals: Signals,
    pub model: Arc<ModelId>,
}

/// What the user wrote, kept for the labelled event. Closed: a format that keeps its values in another form adds one.
#[derive(Clone, Debug)]
pub enum UserValue {
    /// The payload is the text and nothing else.
    Text,
    /// A JSON object; the text is one of its values.
    Json(Fields),
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

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: Option<&[u8]>, payload: Option<&[u8]>, headers: &[(&str, Option<&[u8]>)]) -> RawEvent {
        let header = |(name, value): &(&str, Option<&[u8]>)| Header {
            name: (*name).to_owned(),
            value: value.map(<[u8]>::to_vec),
        };
        RawEvent {
            origin: Origin { topic: "in".into(), partition: 0, offset: 0 },
            key: key.map(<[u8]>::to_vec),
            payload: payload.map(<[u8]>::to_vec),
            headers: headers.iter().map(header).collect(),
            timestamp_ms: None,
        }
    }

    #[test]
    fn a_record_counts_key_payload_and_every_header_with_its_name() {
        assert_eq!(record(None, None, &[]).content_bytes(), 0);
        assert_eq!(record(Some(b"key"), None, &[]).content_bytes(), 3);
        assert_eq!(record(Some(b"key"), Some(b"text"), &[]).held_bytes(), 7);
        let whole = record(Some(b"k"), Some(b"text"), &[("name", Some(b"value")), ("name", None), ("", Some(b""))]);
        assert_eq!(whole.content_bytes(), 1 + 4 + 9 + 4);
    }

    #[test]
    fn many_small_headers_count_by_what_they_take_in_memory() {
        let small = record(None, None, &[("a", None); 1000]);
        assert_eq!(small.content_bytes(), 1000);
        assert!(small.held_bytes() >= 1000 * (size_of::<Header>() + 1), "{}", small.held_bytes());
    }
}
