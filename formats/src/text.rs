//! The format `text`: the whole payload is the text, in UTF-8. Other formats read their payloads in UTF-8 from here too.

use schemas::{RawEvent, Reason, UserValue};

use crate::found::{Found, Refusal};

/// The payload as it is.
pub(crate) fn decode(record: &RawEvent) -> Result<Found, Refusal> {
    Ok(Found { text: utf8(record)?.to_owned(), id: None, event_time_ms: None, value: UserValue::Text })
}

/// The payload in UTF-8, without its byte order mark.
pub(crate) fn utf8(record: &RawEvent) -> Result<&str, Refusal> {
    let payload = record.payload.as_deref().unwrap_or_default();
    let text = std::str::from_utf8(payload).map_err(|error| not_utf8(payload, error.valid_up_to()))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn not_utf8(payload: &[u8], place: usize) -> Refusal {
    let hint = match payload {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "; it begins like UTF-16",
        [0x1f, 0x8b, ..] => "; it begins like gzip",
        _ => "",
    };
    Refusal::new(Reason::NotUtf8, format!("byte {place} (from 0) of the payload is not UTF-8{hint}"))
}
