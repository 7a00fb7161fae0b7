//! The format `text`: the whole payload is the text, in UTF-8. What other formats need of a payload in UTF-8 is here too.

use schemas::{RawEvent, Reason, UserValue};

use crate::found::{Found, Refusal};
use crate::framing::Frame;

/// The payload as it is.
pub(crate) fn decode(record: &RawEvent) -> Result<Found, Refusal> {
    let text = visible(record)?.to_owned();
    Ok(Found { text, id: None, event_time_ms: None, value: UserValue::Text })
}

/// The payload in UTF-8 without its byte order mark, when a person would see something of it.
pub(crate) fn visible(record: &RawEvent) -> Result<&str, Refusal> {
    let payload = record.payload.as_deref().unwrap_or_default();
    if let Some(frame) = Frame::of(payload) {
        return Err(framed(frame));
    }
    let text = std::str::from_utf8(payload).map_err(|error| not_utf8(payload, error.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if is_blank(text) {
        return Err(Refusal::new(Reason::Empty, "the payload has no visible character"));
    }
    Ok(text)
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
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(|sign| {
        sign.is_whitespace()
            || sign.is_control()
            || matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
    })
}
