//! What a dead letter lacks or has in another form, because its topic refuses the record as it was.
//!
//! A dead letter may be too large for its topic, have no key where the topic keeps one record of every key, or a time that
//! the topic does not take. It is written in a form that the topic takes, and says in headers what was changed. Whatever
//! is left out is still at the record's origin (a claim check). Readers that do not know these headers see them as
//! headers of the record.

use schemas::Header;

use crate::dead_letter::{
    AMENDMENT_HEADERS, DEAD_LETTER_HEADERS, HEADERS_LEFT_OUT_HEADER, KEY_HEADER, PAYLOAD_BYTES_HEADER,
    PAYLOAD_DIGEST_HEADER, TIMESTAMP_HEADER,
};

/// A payload that a dead letter was written without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOutPayload {
    pub bytes: u64,
    /// `sha256:` and hexadecimal.
    pub digest: String,
}

/// What became of a dead letter's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// The record has no key; the dead letter has the record's origin as one.
    Given,
    /// The record's key does not fit; the dead letter has the record's origin instead.
    LeftOut,
}

/// What was changed in a dead letter against its record; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amendments {
    pub payload: Option<LeftOutPayload>,
    /// How many of the record's own headers were left out.
    pub headers_left_out: usize,
    pub key: Option<KeyChange>,
    /// The record's own timestamp, milliseconds since 1970 UTC.
    pub timestamp_ms: Option<i64>,
}

impl Amendments {
    /// Whether a part of the record is only at its origin.
    pub fn needs_origin(&self) -> bool {
        self.payload.is_some() || self.headers_left_out > 0 || self.key == Some(KeyChange::LeftOut)
    }

    /// Headers that say what was changed, in the order of [`AMENDMENT_HEADERS`].
    pub fn headers(&self) -> Vec<Header> {
        let mut headers = Vec::new();
        let mut say = |name, value: String| headers.push(Header::text(name, Some(value)));
        if let Some(LeftOutPayload { bytes, digest }) = &self.payload {
            say(PAYLOAD_BYTES_HEADER, bytes.to_string());
            say(PAYLOAD_DIGEST_HEADER, digest.clone());
        }
        if self.headers_left_out > 0 {
            say(HEADERS_LEFT_OUT_HEADER, self.headers_left_out.to_string());
        }
        if let Some(change) = self.key {
            say(KEY_HEADER, change.name().to_owned());
        }
        if let Some(timestamp_ms) = self.timestamp_ms {
            say(TIMESTAMP_HEADER, timestamp_ms.to_string());
        }
        headers
    }

    /// Takes these headers out of what [`crate::dead_letter::read_headers`] leaves of a dead letter's headers.
    ///
    /// A record that was a dead letter before keeps the headers of that time: they lie before its own
    /// [`DEAD_LETTER_HEADERS`]. A header that cannot be read is left where it is.
    pub fn take(headers: &mut Vec<Header>) -> Self {
        let earlier = headers.iter().rposition(|header| DEAD_LETTER_HEADERS.contains(&header.name.as_str()));
        let from = earlier.map_or(0, |place| place + 1);
        let mut found = Self::default();
        for name in AMENDMENT_HEADERS {
            let place = headers[from..].iter().rposition(|header| header.name == name).map(|place| from + place);
            let value = place.and_then(|place| std::str::from_utf8(headers[place].value.as_deref()?).ok());
            if let (Some(place), true) = (place, value.is_some_and(|value| found.read(name, value))) {
                headers.remove(place);
            }
        }
        found
    }

    /// False when the value makes no sense.
    fn read(&mut self, name: &str, value: &str) -> bool {
        match name {
            PAYLOAD_BYTES_HEADER => {
                self.payload = value.parse().ok().map(|bytes| LeftOutPayload { bytes, digest: String::new() });
                self.payload.is_some()
            }
            PAYLOAD_DIGEST_HEADER => self.payload.as_mut().is_some_and(|payload| {
                value.clone_into(&mut payload.digest);
                true
            }),
            HEADERS_LEFT_OUT_HEADER => {
                self.headers_left_out = value.parse().unwrap_or(0);
                self.headers_left_out > 0
            }
            KEY_HEADER => {
                self.key = KeyChange::ALL.into_iter().find(|change| change.name() == value);
                self.key.is_some()
            }
            _ => {
                self.timestamp_ms = value.parse().ok();
                self.timestamp_ms.is_some()
            }
        }
    }
}

impl KeyChange {
    const ALL: [Self; 2] = [Self::Given, Self::LeftOut];

    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::LeftOut => "left_out",
        }
    }
}
