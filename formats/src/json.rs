//! The format `json`: an object in UTF-8 comes in, and what labelstream adds goes out in it.
//!
//! JSON is scanned once and its members are kept as the bytes they came in; only the values that a pointer leads to are
//! parsed, and the members are written back as they were. Nesting costs no stack, so a hostile payload is only a dead
//! letter.

use schemas::{Fields, LabeledEvent, RawEvent, Reason, TextEvent, UserValue};
use serde::ser::{SerializeMap, Serializer as _};
use serde_json::value::RawValue;

use crate::found::{Found, Refusal, Wanted};
use crate::labeled::Added;
use crate::layout::{Layout, NEST_NAME, OnClash, REPLACED_NAME};
use crate::pointer::Pointer;
use crate::time::TimeUnit;
use crate::{rfc3339, text, tombstones};

/// Finds text, id and event time in a record's object.
pub(crate) fn decode(record: &RawEvent, wanted: &Wanted) -> Result<Found, Refusal> {
    let payload = text::utf8(record)?;
    let fields: Fields = serde_json::from_str(payload).map_err(|error| bad_json(payload, &error))?;
    let text = find_text(&fields, &wanted.text)
        .map_err(|refusal| Refusal { is_deletion: tombstones::tells_deletion(&fields, &wanted.text), ..refusal })?;
    let id = wanted.id.as_ref().map_or(Ok(None), |pointer| id(&fields, pointer))?;
    let event_time_ms = match &wanted.event_time {
        Some(pointer) => event_time(&fields, pointer, wanted.event_time_unit)?,
        None => None,
    };
    if let (OnClash::DeadLetter, Some(name)) = (wanted.on_clash, wanted.layout.clash(&fields)) {
        let error = format!(
            "the object already has the member {name}, which a labelled event adds: sink.layout or decode.on_clash settles it"
        );
        return Err(Refusal::new(Reason::FieldClash, error));
    }
    Ok(Found { text, id, event_time_ms, value: UserValue::Json(fields) })
}

/// The payload of a labelled event: one JSON object in UTF-8.
///
/// A plain text is the member `text`. Members that [`Layout::clash`] names move into `replaced`, so nothing is overwritten
/// silently; with [`crate::layout::OnClash::DeadLetter`] such an event was rejected when it was decoded.
///
/// # Errors
/// None in practice: every value is a string, an integer, a finite number or already JSON.
pub(crate) fn encode(labeled: &LabeledEvent, layout: Layout) -> Result<Vec<u8>, serde_json::Error> {
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
    let UserValue::Json(fields) = &event.value else {
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

fn find_text(fields: &Fields, pointer: &Pointer) -> Result<String, Refusal> {
    let value = pointer
        .find(fields)
        .ok_or_else(|| Refusal::new(Reason::NoText, format!("there is no value at {pointer} (decode.text_pointer)")))?;
    if json_type(value) != JsonType::Text {
        let error = format!("the value at {pointer} is {}, not a string", json_type(value).name());
        return Err(Refusal::new(Reason::NoText, error));
    }
    string(value, pointer)
}

/// The id as a text; a number keeps the digits it was written with. Missing and null are no id.
fn id(fields: &Fields, pointer: &Pointer) -> Result<Option<String>, Refusal> {
    let Some(value) = pointer.find(fields) else { return Ok(None) };
    match json_type(value) {
        JsonType::Null => Ok(None),
        JsonType::Text => string(value, pointer).map(Some),
        JsonType::Number => Ok(Some(value.get().to_owned())),
        other => {
            let error = format!("the id at {pointer} is {}, not a string or a number", other.name());
            Err(Refusal::new(Reason::BadId, error))
        }
    }
}

/// Milliseconds since 1970 UTC. Missing and null are no time.
fn event_time(fields: &Fields, pointer: &Pointer, unit: TimeUnit) -> Result<Option<i64>, Refusal> {
    let Some(value) = pointer.find(fields) else { return Ok(None) };
    let refuse = |error: String| Refusal::new(Reason::BadEventTime, format!("the event time at {pointer}: {error}"));
    match json_type(value) {
        JsonType::Null => Ok(None),
        JsonType::Text => {
            rfc3339::from_text(&string(value, pointer)?).map(Some).map_err(|error| refuse(error.to_string()))
        }
        JsonType::Number => {
            let ms = unit.written_ms(value.get());
            ms.map(Some).map_err(|error| refuse(format!("{error}: check decode.event_time_unit")))
        }
        other => {
            let error = format!("the event time at {pointer} is {}, not a string or a number", other.name());
            Err(Refusal::new(Reason::BadEventTime, error))
        }
    }
}

/// Parses a string; one with half a surrogate pair is not Unicode.
fn string(value: &RawValue, pointer: &Pointer) -> Result<String, Refusal> {
    serde_json::from_str(value.get()).map_err(|_| {
        Refusal::new(Reason::BadJson, format!("the string at {pointer} has an escape that is not Unicode"))
    })
}

/// The types of JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum JsonType {
    Null,
    Switch,
    Number,
    Text,
    List,
    Object,
}

impl JsonType {
    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Switch => "a boolean",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::List => "an array",
            Self::Object => "an object",
        }
    }
}

/// The type of a value by its first byte: raw values have no leading white space.
fn json_type(value: &RawValue) -> JsonType {
    type_of(value.get().as_bytes().first().copied())
}

fn type_of(first: Option<u8>) -> JsonType {
    match first {
        Some(b'{') => JsonType::Object,
        Some(b'[') => JsonType::List,
        Some(b'"') => JsonType::Text,
        Some(b't' | b'f') => JsonType::Switch,
        Some(b'n') => JsonType::Null,
        _ => JsonType::Number,
    }
}

fn bad_json(payload: &str, error: &serde_json::Error) -> Refusal {
    let text = match error.classify() {
        // The library would quote the value.
        serde_json::error::Category::Data => {
            let first = payload.bytes().find(|byte| !byte.is_ascii_whitespace());
            format!("expected a JSON object, found {}", type_of(first).name())
        }
        _ => format!("not JSON: {error}"),
    };
    Refusal::new(Reason::BadJson, text)
}
