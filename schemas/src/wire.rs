//! The formats that leave and enter: the labelled event's JSON, and the headers of labelled events and dead letters.
//!
//! `json/labeled-event.schema.json` and `json/dead-letter-headers.schema.json` say the same to other programs. The user's
//! own members are written back as the bytes that they came in. Changes here are additive: old readers keep working.

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::dead_letter::{DeadLetter, Reason};
use crate::event::{Fields, Header, LabeledEvent, Origin, TextEvent};
use crate::label::{Label, ModelId, Signals};

/// Names that a labelled event adds to the user's object.
pub const FIELD_NAMES: [&str; 7] = ["label", "score", "labels", "value", "model", "signals", "source"];
/// The single name that [`Layout::Nest`] adds.
pub const NEST_NAME: &str = "labelstream";
/// Where [`OnClash::Replace`] keeps the user's values that had to make room.
pub const REPLACED_NAME: &str = "replaced";

pub const LABEL_HEADER: &str = "labelstream-label";
pub const SCORE_HEADER: &str = "labelstream-score";
pub const MODEL_HEADER: &str = "labelstream-model";
pub const MODEL_DIGEST_HEADER: &str = "labelstream-model-digest";

pub const REASON_HEADER: &str = "labelstream-dead-letter-reason";
pub const ERROR_HEADER: &str = "labelstream-dead-letter-error";
pub const TOPIC_HEADER: &str = "labelstream-dead-letter-topic";
pub const PARTITION_HEADER: &str = "labelstream-dead-letter-partition";
pub const OFFSET_HEADER: &str = "labelstream-dead-letter-offset";
/// The headers that a dead letter adds, behind the record's own and in this order: `replay` takes exactly these off again,
/// wherever other tools have put headers of theirs since.
pub const DEAD_LETTER_HEADERS: [&str; 5] = [REASON_HEADER, ERROR_HEADER, TOPIC_HEADER, PARTITION_HEADER, OFFSET_HEADER];

/// Bytes of the payload, in a dead letter that was written without it; the payload is then empty.
pub const PAYLOAD_BYTES_HEADER: &str = "labelstream-dead-letter-payload-bytes";
/// `sha256:` and the hexadecimal digest of that payload.
pub const PAYLOAD_DIGEST_HEADER: &str = "labelstream-dead-letter-payload-digest";
/// How many of the record's own headers were left out.
pub const HEADERS_LEFT_OUT_HEADER: &str = "labelstream-dead-letter-headers-left-out";
/// `given`: the record had no key, and has its origin as one. `left_out`: its key was too large, too.
pub const KEY_HEADER: &str = "labelstream-dead-letter-key";
/// The record's own timestamp, where the dead letter carries the time of writing instead: milliseconds since 1970 UTC.
pub const TIMESTAMP_HEADER: &str = "labelstream-dead-letter-timestamp";
/// The headers of a dead letter that its topic refuses as it is, before [`DEAD_LETTER_HEADERS`] and in this order; each
/// only where it applies. [`crate::Amendments`] reads and writes them.
pub const AMENDMENT_HEADERS: [&str; 5] =
    [PAYLOAD_BYTES_HEADER, PAYLOAD_DIGEST_HEADER, HEADERS_LEFT_OUT_HEADER, KEY_HEADER, TIMESTAMP_HEADER];

/// How the user's object and our fields lie together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// The user's members, then ours, in one object.
    #[default]
    Merge,
    /// The user's members, then one member `labelstream` that holds ours.
    Nest,
    /// Only ours: for topics where the text must not go.
    Bare,
}

/// What happens when the user's object already has a name that ours adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnClash {
    /// The record is a dead letter, reason `field_clash`.
    #[default]
    DeadLetter,
    /// Ours takes the name; the user's value moves into the member `replaced`.
    Replace,
}

impl Layout {
    /// The names that this layout adds at the top of the object.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Merge => &FIELD_NAMES,
            Self::Nest => &[NEST_NAME],
            Self::Bare => &[],
        }
    }

    /// The first of the user's names that this layout would also write.
    pub fn clash(self, fields: &Fields) -> Option<&str> {
        fields.0.iter().map(|(name, _)| name.as_str()).find(|name| self.names().contains(name))
    }
}

/// Where a labelled event came from, as it stands in its JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// The configured id of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Milliseconds since 1970 UTC: the configured field, else the record's timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time_ms: Option<i64>,
}

/// The fields that labelstream adds, as a reader of the labelled topic sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Added {
    pub label: Option<Arc<str>>,
    pub score: Option<f32>,
    pub labels: Vec<Label>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f32>,
    pub model: Arc<ModelId>,
    pub signals: Signals,
    pub source: Source,
}

impl Added {
    pub fn new(labeled: &LabeledEvent) -> Self {
        let TextEvent { raw, id, event_time_ms, .. } = &labeled.event;
        let Origin { topic, partition, offset } = raw.origin.clone();
        Self {
            label: labeled.labels.label.clone(),
            score: labeled.labels.score,
            labels: labeled.labels.top.clone(),
            value: labeled.labels.value,
            model: Arc::clone(&labeled.model),
            signals: labeled.signals.clone(),
            source: Source { topic, partition, offset, id: id.clone(), event_time_ms: *event_time_ms },
        }
    }
}

/// The payload of a labelled event: one JSON object in UTF-8.
///
/// A plain text lies under `text`. Members that [`Layout::clash`] names move into `replaced`, so nothing is overwritten
/// silently; with [`OnClash::DeadLetter`] such an event was turned away when it was decoded.
///
/// # Errors
/// None in practice: every value is a string, an integer, a finite number or already JSON.
pub fn encode(labeled: &LabeledEvent, layout: Layout) -> Result<Vec<u8>, serde_json::Error> {
    let mut payload = Vec::with_capacity(512 + labeled.event.raw.payload.as_ref().map_or(0, Vec::len));
    let mut serializer = serde_json::Serializer::new(&mut payload);
    let mut map = serializer.serialize_map(None)?;
    if layout != Layout::Bare {
        user_members(&mut map, &labeled.event, layout)?;
    }
    let added = Added::new(labeled);
    if layout == Layout::Nest {
        map.serialize_entry(NEST_NAME, &added)?;
    } else {
        map.serialize_entry("label", &added.label)?;
        map.serialize_entry("score", &added.score)?;
        map.serialize_entry("labels", &added.labels)?;
        if let Some(value) = added.value {
            map.serialize_entry("value", &value)?;
        }
        map.serialize_entry("model", &added.model)?;
        map.serialize_entry("signals", &added.signals)?;
        map.serialize_entry("source", &added.source)?;
    }
    SerializeMap::end(map)?;
    Ok(payload)
}

fn user_members<M: SerializeMap>(map: &mut M, event: &TextEvent, layout: Layout) -> Result<(), M::Error> {
    let Some(fields) = &event.fields else {
        return map.serialize_entry("text", &event.text);
    };
    let clashes = layout.clash(fields).is_some();
    let mut replaced = Fields::default();
    for (name, value) in &fields.0 {
        if layout.names().contains(&name.as_str()) || (clashes && name == REPLACED_NAME) {
            replaced.0.push((name.clone(), value.clone()));
        } else {
            map.serialize_entry(name, value)?;
        }
    }
    if replaced.0.is_empty() { Ok(()) } else { map.serialize_entry(REPLACED_NAME, &replaced) }
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

/// Reads the fields that labelstream added out of a labelled event's payload, in any layout.
///
/// # Errors
/// Says which field is missing or of the wrong type, and where.
pub fn decode(payload: &[u8]) -> Result<Added, serde_json::Error> {
    let fields: Fields = serde_json::from_slice(payload)?;
    match fields.get(NEST_NAME) {
        Some(nested) if fields.get("label").is_none() || fields.get("signals").is_none() => {
            serde_json::from_str(nested.get())
        }
        _ => serde_json::from_slice(payload),
    }
}

/// The record's own headers, then label, score and model for consumers that route without reading JSON.
///
/// An abstained label is a null header; a regression has its value as score header.
pub fn labeled_headers(labeled: &LabeledEvent) -> Vec<Header> {
    let mut headers = labeled.event.raw.headers.clone();
    let model = &labeled.model;
    headers.push(header(LABEL_HEADER, labeled.labels.label.as_deref()));
    headers.push(header(SCORE_HEADER, labeled.labels.score.or(labeled.labels.value).map(|score| score.to_string())));
    headers.push(header(MODEL_HEADER, Some(format!("{}@{}", model.name, model.version))));
    headers.push(header(MODEL_DIGEST_HEADER, Some(&model.digest)));
    headers
}

/// The record's own headers, then [`DEAD_LETTER_HEADERS`].
pub fn dead_letter_headers(letter: &DeadLetter) -> Vec<Header> {
    let mut headers = letter.raw.headers.clone();
    postmark_headers(letter, &mut headers);
    headers
}

/// Adds [`DEAD_LETTER_HEADERS`] to what the record's own headers have become.
pub fn postmark_headers(letter: &DeadLetter, headers: &mut Vec<Header>) {
    let origin = &letter.raw.origin;
    headers.push(header(REASON_HEADER, Some(letter.reason.name())));
    headers.push(header(ERROR_HEADER, Some(&letter.error)));
    headers.push(header(TOPIC_HEADER, Some(&*origin.topic)));
    headers.push(header(PARTITION_HEADER, Some(origin.partition.to_string())));
    headers.push(header(OFFSET_HEADER, Some(origin.offset.to_string())));
}

/// What a dead letter's headers say, and the headers that the record had before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postmark {
    pub reason: Reason,
    pub error: String,
    pub origin: Origin,
    pub headers: Vec<Header>,
}

/// A record on the dead-letter topic that was not written by labelstream, or was altered.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotADeadLetter {
    #[error("header {0} is missing")]
    Missing(&'static str),
    #[error("header {header} is not {expected}")]
    Unreadable { header: &'static str, expected: &'static str },
}

impl NotADeadLetter {
    /// The header at fault.
    pub fn header(&self) -> &'static str {
        match self {
            Self::Missing(header) | Self::Unreadable { header, .. } => header,
        }
    }
}

/// Takes the dead letter's headers off again, wherever they stand among others.
///
/// Of repeated names the last one counts, as that dead letter was made last: a dead letter that was read as input and
/// turned away again carries the first set as headers of its own, and keeps it.
///
/// # Errors
/// [`NotADeadLetter`] names the first header that is missing or unreadable.
pub fn read_dead_letter_headers(headers: &[Header]) -> Result<Postmark, NotADeadLetter> {
    let mut places = [0; DEAD_LETTER_HEADERS.len()];
    for (place, name) in places.iter_mut().zip(DEAD_LETTER_HEADERS) {
        *place = headers.iter().rposition(|found| found.name == name).ok_or(NotADeadLetter::Missing(name))?;
    }
    let text = |own: usize, expected: &'static str| {
        let unreadable = NotADeadLetter::Unreadable { header: DEAD_LETTER_HEADERS[own], expected };
        let value = headers[places[own]].value.as_deref().and_then(|value| std::str::from_utf8(value).ok());
        value.map(|value| (value, unreadable)).ok_or(unreadable)
    };
    let (reason, unknown) = text(0, "a reason of this version")?;
    let (error, _) = text(1, "a text in UTF-8")?;
    let (topic, no_topic) = text(2, "the name of a topic")?;
    let (partition, no_partition) = text(3, "the number of a partition")?;
    let (offset, no_offset) = text(4, "an offset")?;
    let kept = headers.iter().enumerate().filter(|(place, _)| !places.contains(place));
    Ok(Postmark {
        reason: reason.parse().map_err(|_| unknown)?,
        error: error.to_owned(),
        origin: Origin {
            topic: if topic.is_empty() { return Err(no_topic) } else { topic.into() },
            partition: partition.parse().ok().filter(|number| *number >= 0).ok_or(no_partition)?,
            offset: offset.parse().ok().filter(|number| *number >= 0).ok_or(no_offset)?,
        },
        headers: kept.map(|(_, header)| header.clone()).collect(),
    })
}

pub(crate) fn header(name: &str, value: Option<impl Into<String>>) -> Header {
    Header { name: name.to_owned(), value: value.map(|value| value.into().into_bytes()) }
}
