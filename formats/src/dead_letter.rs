//! The headers of a dead letter: why it is one, and where its record was read.
//!
//! `schemas/json/dead-letter-headers.schema.json` says the same to other programs. Changes here are additive.

use schemas::{DeadLetter, Header, Origin, Reason};

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

/// The record's own headers, then [`DEAD_LETTER_HEADERS`].
pub fn headers(letter: &DeadLetter) -> Vec<Header> {
    let mut headers = letter.raw.headers.clone();
    add_headers(letter, &mut headers);
    headers
}

/// Adds [`DEAD_LETTER_HEADERS`] to what the record's own headers have become.
pub fn add_headers(letter: &DeadLetter, headers: &mut Vec<Header>) {
    let origin = &letter.raw.origin;
    headers.push(Header::text(REASON_HEADER, Some(letter.reason.name())));
    headers.push(Header::text(ERROR_HEADER, Some(&letter.error)));
    headers.push(Header::text(TOPIC_HEADER, Some(&*origin.topic)));
    headers.push(Header::text(PARTITION_HEADER, Some(origin.partition.to_string())));
    headers.push(Header::text(OFFSET_HEADER, Some(origin.offset.to_string())));
}

/// What a dead letter's headers say, and the headers that the record had before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterHeaders {
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
/// rejected again carries the first set as headers of its own, and keeps it.
///
/// # Errors
/// [`NotADeadLetter`] names the first header that is missing or unreadable.
pub fn read_headers(headers: &[Header]) -> Result<DeadLetterHeaders, NotADeadLetter> {
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
    Ok(DeadLetterHeaders {
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
