//! Record to text: a pure step that finds the text, the id and the event time, or says why the record has none.
//!
//! JSON is scanned once and its members are kept as the bytes they came in; only the values that a pointer leads to are
//! parsed. Nesting costs no stack, so a hostile payload is only a dead letter. Messages name places and sizes and never
//! repeat what was written: they go to logs.

mod pointer;
mod time;
mod tombstones;

#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;

use schemas::framing::Frame;
use schemas::time::{Doubt, TimeUnit};
use schemas::wire::{Layout, OnClash};
use schemas::{Aside, DeadLetter, Fields, Problem, RawEvent, Reason, TextEvent};
use serde::Deserialize;
use serde_json::value::RawValue;

pub use pointer::{Pointer, PointerError};
pub use tombstones::Tombstones;

use time::Doubts;
use tombstones::Choices;

/// How payloads are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A JSON object in UTF-8.
    #[default]
    Json,
    /// The whole payload is the text, in UTF-8.
    Text,
}

/// `[decode]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecodeSettings {
    pub format: Format,
    pub text_pointer: String,
    pub id_pointer: Option<String>,
    pub event_time_pointer: Option<String>,
    pub event_time_unit: TimeUnit,
    /// A larger payload is a dead letter before anything of it is read.
    pub payload_bytes_max: usize,
    pub on_clash: OnClash,
    /// What becomes of records that say that their key is gone.
    pub tombstones: Tombstones,
    /// Other choices for single topics, as `topic=choice`.
    pub tombstones_by_topic: Vec<String>,
}

/// The same, checked.
#[derive(Clone, Debug)]
pub struct DecodeConfig {
    format: Format,
    text: Pointer,
    id: Option<Pointer>,
    event_time: Option<Pointer>,
    event_time_unit: TimeUnit,
    payload_bytes_max: NonZeroUsize,
    on_clash: OnClash,
    tombstones: Choices,
}

impl TryFrom<DecodeSettings> for DecodeConfig {
    type Error = Vec<Problem>;

    fn try_from(settings: DecodeSettings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut pointer = |key: &str, text: &str| {
            text.parse::<Pointer>()
                .map_err(|error| problems.push(Problem::new(key, format!("{error}, found {text:?}"))))
                .ok()
        };
        let text = pointer("decode.text_pointer", &settings.text_pointer);
        let id = settings.id_pointer.as_deref().map(|text| pointer("decode.id_pointer", text));
        let event_time = settings.event_time_pointer.as_deref().map(|text| pointer("decode.event_time_pointer", text));
        if settings.format == Format::Text {
            for (key, set) in [("decode.id_pointer", id.is_some()), ("decode.event_time_pointer", event_time.is_some())]
            {
                if set {
                    problems.push(Problem::new(
                        key,
                        "expected decode.format = \"json\" with it: a plain text has no members",
                    ));
                }
            }
        }
        let bytes_max = NonZeroUsize::new(settings.payload_bytes_max);
        if bytes_max.is_none() {
            problems.push(Problem::new("decode.payload_bytes_max", "expected 1 or more, found 0"));
        }
        let tombstones = Choices::new(settings.tombstones, &settings.tombstones_by_topic, &mut problems);
        match (text, bytes_max) {
            (Some(text), Some(payload_bytes_max)) if problems.is_empty() => Ok(Self {
                format: settings.format,
                text,
                id: id.flatten(),
                event_time: event_time.flatten(),
                event_time_unit: settings.event_time_unit,
                payload_bytes_max,
                on_clash: settings.on_clash,
                tombstones,
            }),
            _ => Err(problems),
        }
    }
}

/// Turns records into events.
#[derive(Clone, Debug)]
pub struct Decoder {
    config: DecodeConfig,
    layout: Layout,
    doubts: Doubts,
}

/// What was found in a payload.
struct Found {
    text: String,
    id: Option<String>,
    event_time_ms: Option<i64>,
    fields: Option<Fields>,
}

/// Why a payload is turned away.
struct Refusal {
    reason: Reason,
    error: String,
    /// It has no text because it tells of a deletion.
    is_deletion: bool,
}

impl Refusal {
    fn new(reason: Reason, error: impl Into<String>) -> Self {
        Self { reason, error: error.into(), is_deletion: false }
    }
}

impl Decoder {
    /// A decoder for events that will be published in `layout`: a clash with the user's own members is found here.
    pub fn new(config: DecodeConfig, layout: Layout) -> Self {
        Self { config, layout, doubts: Doubts::default() }
    }

    /// Finds the text of a record. Its event time falls back to the record's timestamp.
    ///
    /// # Errors
    /// The record set aside, unchanged: as a dead letter, or as a tombstone.
    pub fn decode(&self, raw: RawEvent) -> Result<TextEvent, Aside> {
        match self.find(raw.payload.as_deref()) {
            Ok(found) => Ok(TextEvent {
                event_time_ms: found.event_time_ms.or(raw.timestamp_ms),
                text: found.text,
                id: found.id,
                fields: found.fields,
                raw,
            }),
            Err(Refusal { reason, error, is_deletion: true }) => {
                Err(self.config.tombstones.settle(raw, |raw| DeadLetter::new(raw, reason, error)))
            }
            Err(refusal) => Err(DeadLetter::new(raw, refusal.reason, refusal.error).into()),
        }
    }

    /// Whether an event's time is hardly meant: before 2000 or after 2100, with the unit that would fit.
    pub fn doubt(&self, event: &TextEvent) -> Option<Doubt> {
        // A record's own timestamp is in milliseconds, whatever the unit of the payload.
        let is_own = self.config.event_time.is_some() && event.event_time_ms != event.raw.timestamp_ms;
        let unit = if is_own { self.config.event_time_unit } else { TimeUnit::Milliseconds };
        unit.doubt(event.event_time_ms?)
    }

    /// Counts the events whose time is hardly meant, and warns of the first ones; `setting` is where their unit is set.
    pub fn watch_times(&self, events: &[TextEvent], setting: &str) {
        let doubts: Vec<Doubt> = events.iter().filter_map(|event| self.doubt(event)).collect();
        self.doubts.tell(&doubts, setting);
    }

    fn find(&self, payload: Option<&[u8]>) -> Result<Found, Refusal> {
        let payload = payload.ok_or_else(|| Refusal {
            is_deletion: true,
            ..Refusal::new(Reason::Empty, "the record has no payload (a tombstone)")
        })?;
        let bytes_max = self.config.payload_bytes_max.get();
        if payload.len() > bytes_max {
            let error = format!("the payload has {} bytes, decode.payload_bytes_max is {bytes_max}", payload.len());
            return Err(Refusal::new(Reason::TooLarge, error));
        }
        if let Some(frame) = Frame::of(payload) {
            return Err(framed(frame));
        }
        let text = std::str::from_utf8(payload).map_err(|error| not_utf8(payload, error.valid_up_to()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if is_blank(text) {
            return Err(Refusal::new(Reason::Empty, "the payload has no visible character"));
        }
        match self.config.format {
            Format::Text => Ok(Found { text: text.to_owned(), id: None, event_time_ms: None, fields: None }),
            Format::Json => self.find_json(text),
        }
    }

    fn find_json(&self, payload: &str) -> Result<Found, Refusal> {
        let fields: Fields = serde_json::from_str(payload).map_err(|error| bad_json(payload, &error))?;
        let text = self.text(&fields).map_err(|refusal| Refusal {
            is_deletion: tombstones::tells_deletion(&fields, &self.config.text),
            ..refusal
        })?;
        let id = self.config.id.as_ref().map_or(Ok(None), |pointer| id(&fields, pointer))?;
        let event_time_ms = match &self.config.event_time {
            Some(pointer) => event_time(&fields, pointer, self.config.event_time_unit)?,
            None => None,
        };
        if let (OnClash::DeadLetter, Some(name)) = (self.config.on_clash, self.layout.clash(&fields)) {
            let error = format!(
                "the object already has the member {name}, which a labelled event adds: sink.layout or decode.on_clash settles it"
            );
            return Err(Refusal::new(Reason::FieldClash, error));
        }
        Ok(Found { text, id, event_time_ms, fields: Some(fields) })
    }

    fn text(&self, fields: &Fields) -> Result<String, Refusal> {
        let pointer = &self.config.text;
        let value = find(fields, pointer).ok_or_else(|| {
            Refusal::new(Reason::NoText, format!("there is no value at {pointer} (decode.text_pointer)"))
        })?;
        if kind(value) != Kind::Text {
            let error = format!("the value at {pointer} is {}, not a string", kind(value).name());
            return Err(Refusal::new(Reason::NoText, error));
        }
        let text = string(value, pointer)?;
        if is_blank(&text) {
            return Err(Refusal::new(Reason::Empty, format!("the text at {pointer} has no visible character")));
        }
        Ok(text)
    }
}

/// The id as a text; a number keeps the digits it was written with. Missing and null are no id.
fn id(fields: &Fields, pointer: &Pointer) -> Result<Option<String>, Refusal> {
    let Some(value) = find(fields, pointer) else { return Ok(None) };
    match kind(value) {
        Kind::Null => Ok(None),
        Kind::Text => string(value, pointer).map(Some),
        Kind::Number => Ok(Some(value.get().to_owned())),
        other => {
            let error = format!("the id at {pointer} is {}, not a string or a number", other.name());
            Err(Refusal::new(Reason::BadId, error))
        }
    }
}

/// Milliseconds since 1970 UTC. Missing and null are no time.
fn event_time(fields: &Fields, pointer: &Pointer, unit: TimeUnit) -> Result<Option<i64>, Refusal> {
    let Some(value) = find(fields, pointer) else { return Ok(None) };
    let refuse = |error: String| Refusal::new(Reason::BadEventTime, format!("the event time at {pointer}: {error}"));
    match kind(value) {
        Kind::Null => Ok(None),
        Kind::Text => time::from_text(&string(value, pointer)?).map(Some).map_err(|error| refuse(error.to_string())),
        Kind::Number => {
            let ms = unit.written_ms(value.get());
            ms.map(Some).map_err(|error| refuse(format!("{error}: check decode.event_time_unit")))
        }
        other => {
            let error = format!("the event time at {pointer} is {}, not a string or a number", other.name());
            Err(Refusal::new(Reason::BadEventTime, error))
        }
    }
}

fn find<'a>(fields: &'a Fields, pointer: &Pointer) -> Option<&'a RawValue> {
    fields.get(pointer.first()).and_then(|value| pointer.walk(value))
}

/// Parses a string; one with half a surrogate pair is not Unicode.
fn string(value: &RawValue, pointer: &Pointer) -> Result<String, Refusal> {
    serde_json::from_str(value.get()).map_err(|_| {
        Refusal::new(Reason::BadJson, format!("the string at {pointer} has an escape that is not Unicode"))
    })
}

/// The types of JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Switch,
    Number,
    Text,
    List,
    Object,
}

impl Kind {
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

/// The type of a value, told by its first byte: raw values carry no white space before it.
fn kind(value: &RawValue) -> Kind {
    kind_of(value.get().as_bytes().first().copied())
}

fn kind_of(first: Option<u8>) -> Kind {
    match first {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::List,
        Some(b'"') => Kind::Text,
        Some(b't' | b'f') => Kind::Switch,
        Some(b'n') => Kind::Null,
        _ => Kind::Number,
    }
}

fn bad_json(payload: &str, error: &serde_json::Error) -> Refusal {
    let text = match error.classify() {
        // The library would quote the value.
        serde_json::error::Category::Data => {
            let first = payload.bytes().find(|byte| !byte.is_ascii_whitespace());
            format!("expected a JSON object, found {}", kind_of(first).name())
        }
        _ => format!("not JSON: {error}"),
    };
    Refusal::new(Reason::BadJson, text)
}

/// One reason and one sentence for whatever is inside: Avro, Protobuf or JSON.
fn framed(frame: Frame) -> Refusal {
    let error = format!(
        "the payload begins with {frame}: Avro, Protobuf and JSON Schema behind a schema id are not decoded; write plain \
         JSON or text to the input topic (docs/settings.md, decode.format)"
    );
    Refusal::new(Reason::SchemaFramed, error)
}

fn not_utf8(payload: &[u8], place: usize) -> Refusal {
    let hint = match payload {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "; it begins like UTF-16",
        [0x1f, 0x8b, ..] => "; it begins like gzip",
        _ => "",
    };
    Refusal::new(Reason::NotUtf8, format!("byte {place} (from 0) of the payload is not UTF-8{hint}"))
}

/// True when a person would see nothing: white space, controls and characters of no width.
fn is_blank(text: &str) -> bool {
    text.chars().all(|sign| {
        sign.is_whitespace()
            || sign.is_control()
            || matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
    })
}
