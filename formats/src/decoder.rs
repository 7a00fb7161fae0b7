//! Record to text: a pure step that finds the text, the id and the event time, or says why the record has none.
//!
//! What no format takes is refused here, once: no payload, one that is too large, the frame of a schema registry, and
//! blank payloads and texts.

#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;

use schemas::{Aside, DeadLetter, RawEvent, Reason, TextEvent};

use crate::format::Format;
use crate::found::{Found, Refusal, Wanted};
use crate::framing::Frame;
use crate::layout::Layout;
use crate::settings::DecodeConfig;
use crate::time::{Doubt, TimeUnit};
use crate::tombstones::Choices;

/// Turns records into events.
#[derive(Clone, Debug)]
pub struct Decoder {
    format: Format,
    wanted: Wanted,
    payload_bytes_max: NonZeroUsize,
    tombstones: Choices,
}

impl Decoder {
    /// A decoder for events that will be published in `layout`: a clash with the user's own members is found here.
    pub fn new(config: DecodeConfig, layout: Layout) -> Self {
        let DecodeConfig { format, text, id, event_time, event_time_unit, payload_bytes_max, on_clash, tombstones } =
            config;
        let wanted = Wanted { text, id, event_time, event_time_unit, on_clash, layout };
        Self { format, wanted, payload_bytes_max, tombstones }
    }

    /// Finds the text of a record. Its event time falls back to the record's timestamp.
    ///
    /// # Errors
    /// The record set aside, unchanged: as a dead letter, or as a tombstone.
    pub fn decode(&self, raw: RawEvent) -> Result<TextEvent, Aside> {
        match self.find(&raw) {
            Ok(Found { text, id, event_time_ms, value }) => {
                Ok(TextEvent { event_time_ms: event_time_ms.or(raw.timestamp_ms), text, id, value, raw })
            }
            Err(Refusal { reason, error, is_deletion: true }) => {
                Err(self.tombstones.settle(raw, |raw| DeadLetter::new(raw, reason, error)))
            }
            Err(refusal) => Err(DeadLetter::new(raw, refusal.reason, refusal.error).into()),
        }
    }

    /// Whether an event's time is implausible, before 2000 or after 2100, with the unit that would fit.
    pub fn doubt(&self, event: &TextEvent) -> Option<Doubt> {
        // A record's own timestamp is in milliseconds, whatever the unit of the payload.
        let is_own = self.wanted.event_time.is_some() && event.event_time_ms != event.raw.timestamp_ms;
        let unit = if is_own { self.wanted.event_time_unit } else { TimeUnit::Milliseconds };
        unit.doubt(event.event_time_ms?)
    }

    fn find(&self, record: &RawEvent) -> Result<Found, Refusal> {
        let payload = record.payload.as_deref().ok_or_else(|| Refusal {
            is_deletion: true,
            ..Refusal::new(Reason::Empty, "the record has no payload (a tombstone)")
        })?;
        let bytes_max = self.payload_bytes_max.get();
        if payload.len() > bytes_max {
            let error = format!("the payload has {} bytes, decode.payload_bytes_max is {bytes_max}", payload.len());
            return Err(Refusal::new(Reason::TooLarge, error));
        }
        if let Some(frame) = Frame::of(payload) {
            return Err(framed(frame));
        }
        if std::str::from_utf8(payload).is_ok_and(is_blank) {
            return Err(Refusal::new(Reason::Empty, "the payload has no visible character"));
        }
        let found = self.format.decode(record, &self.wanted)?;
        if is_blank(&found.text) {
            let error = format!("the text at {} has no visible character", self.wanted.text);
            return Err(Refusal::new(Reason::Empty, error));
        }
        Ok(found)
    }
}

/// One reason and one sentence for whatever is inside: Avro, Protobuf or JSON.
fn framed(frame: Frame) -> Refusal {
    let error = format!(
        "the payload begins with {frame}: Avro, Protobuf and JSON Schema behind a schema id are not decoded; write plain \
         JSON or text to the input topic (docs/settings.md, decode.format)"
    );
    Refusal::new(Reason::SchemaFramed, error)
}

/// True when a person would see nothing: white space, controls and characters of no width.
fn is_blank(text: &str) -> bool {
    text.chars().all(|sign| {
        sign.is_whitespace()
            || sign.is_control()
            || matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
    })
}
