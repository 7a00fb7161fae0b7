//! `[decode]`: the format of payloads, and where the text is in them.

use std::num::NonZeroUsize;

use schemas::Problem;
use serde::Deserialize;

use crate::format::Format;
use crate::layout::OnClash;
use crate::pointer::Pointer;
use crate::time::TimeUnit;
use crate::tombstones::{Choices, Tombstones};

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
    pub(crate) format: Format,
    pub(crate) text: Pointer,
    pub(crate) id: Option<Pointer>,
    pub(crate) event_time: Option<Pointer>,
    pub(crate) event_time_unit: TimeUnit,
    pub(crate) payload_bytes_max: NonZeroUsize,
    pub(crate) on_clash: OnClash,
    pub(crate) tombstones: Choices,
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
        if !settings.format.has_members() {
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
