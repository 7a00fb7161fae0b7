//! The seam: every format decodes and encodes through here, and a match on a closed set says which.

use schemas::{Header, LabeledEvent, RawEvent, UserValue};
use serde::Deserialize;

use crate::found::{Found, Refusal, Wanted};
use crate::layout::Layout;
use crate::{json, labeled, text};

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

impl Format {
    /// A record's bytes and headers to its text, id, time and the user's value. [`Decoder`](crate::Decoder) has refused
    /// what no format takes; everything else of the payload is still to be checked.
    pub(crate) fn decode(self, record: &RawEvent, wanted: &Wanted) -> Result<Found, Refusal> {
        match self {
            Self::Json => json::decode(record, wanted),
            Self::Text => text::decode(record),
        }
    }

    /// Whether its payloads have members that a pointer can lead to.
    pub(crate) fn has_members(self) -> bool {
        match self {
            Self::Json => true,
            Self::Text => false,
        }
    }
}

/// A labelled event as the record that leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedEvent {
    pub payload: Vec<u8>,
    pub headers: Vec<Header>,
}

/// A labelled event that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("encode the labelled event")]
pub struct EncodeError(#[source] serde_json::Error);

/// Labels and the user's value to bytes and headers. The form of the value decides the format.
///
/// # Errors
/// None in practice: every value is a string, an integer, a finite number or already JSON.
pub fn encode(labeled: &LabeledEvent, layout: Layout) -> Result<EncodedEvent, EncodeError> {
    let payload = match labeled.event.value {
        UserValue::Json(_) | UserValue::Text => json::encode(labeled, layout).map_err(EncodeError)?,
    };
    Ok(EncodedEvent { payload, headers: labeled::headers(labeled) })
}
