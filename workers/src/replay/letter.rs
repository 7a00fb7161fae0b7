//! A dead letter on the way back: the record that it was, with what was changed undone, and with what was left out read
//! again at the record's origin.

use std::sync::Arc;

use formats::dead_letter::{self, NotADeadLetter};
use formats::{Amendments, KeyChange};
use kafka::outgoing::Outgoing;
use kafka::source::SourceError;
use schemas::{Header, Origin, RawEvent, Reason};
use sink::labels::digest;

/// Reads a record again at its origin; `None` when it is no longer there.
pub(super) type Fetch<'a> = &'a dyn Fn(&Origin) -> Result<Option<RawEvent>, SourceError>;

/// A record of the dead-letter topic that is a dead letter.
pub(super) struct Letter {
    pub(super) reason: Reason,
    pub(super) origin: Origin,
    amendments: Amendments,
    /// The record's own headers, as far as they are here.
    headers: Vec<Header>,
    raw: RawEvent,
}

/// What becomes of a dead letter.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Back(Outgoing),
    /// Why it cannot go back.
    Left(&'static str),
}

impl Letter {
    /// # Errors
    /// For a record that is no dead letter.
    pub(super) fn read(raw: RawEvent) -> Result<Self, NotADeadLetter> {
        let mut found = dead_letter::read_headers(&raw.headers)?;
        let amendments = Amendments::take(&mut found.headers);
        Ok(Self { reason: found.reason, origin: found.origin, amendments, headers: found.headers, raw })
    }

    /// The record for `topic`; `fetch` reads it again where the dead letter was written without a part of it.
    pub(super) fn back(self, topic: &Arc<str>, fetch: Fetch<'_>) -> Result<Fate, SourceError> {
        let Self { origin, amendments, headers, raw, .. } = self;
        let (key, payload, headers) = if amendments.needs_origin() {
            let Some(original) = fetch(&origin)? else {
                return Ok(Fate::Left(
                    "its dead letter has only a part of it, and the original record no longer exists",
                ));
            };
            let expected = amendments.payload.as_ref().map(|payload| payload.digest.as_str());
            if expected.is_some_and(|expected| digest(original.payload.as_deref().unwrap_or_default()) != expected) {
                return Ok(Fate::Left(
                    "its dead letter has no payload, and another record is now at the original offset",
                ));
            }
            (original.key, original.payload, original.headers)
        } else {
            let key = raw.key.filter(|_| amendments.key != Some(KeyChange::Given));
            (key, raw.payload, headers)
        };
        Ok(Fate::Back(Outgoing {
            topic: Arc::clone(topic),
            partition: origin.partition,
            key,
            payload,
            headers,
            timestamp_ms: amendments.timestamp_ms.or(raw.timestamp_ms),
        }))
    }
}

#[cfg(test)]
mod tests {
    use formats::LeftOutPayload;
    use schemas::DeadLetter;

    use super::*;

    fn original() -> RawEvent {
        RawEvent {
            origin: Origin { topic: "messages".into(), partition: 3, offset: 77 },
            key: Some(b"key".to_vec()),
            payload: Some(b"large".to_vec()),
            headers: vec![Header { name: "own".to_owned(), value: None }],
            timestamp_ms: Some(5),
        }
    }

    fn letter(amendments: &Amendments) -> Letter {
        let mut headers = original().headers;
        headers.extend(amendments.headers());
        dead_letter::add_headers(&DeadLetter::new(original(), Reason::NoText, "why"), &mut headers);
        let payload = if amendments.payload.is_some() { Vec::new() } else { b"large".to_vec() };
        Letter::read(RawEvent {
            origin: Origin { topic: "dead".into(), partition: 1, offset: 0 },
            key: Some(b"messages[3]@77".to_vec()),
            payload: Some(payload),
            headers,
            timestamp_ms: Some(9),
        })
        .expect("a dead letter")
    }

    fn back(amendments: &Amendments, found: Option<RawEvent>) -> Fate {
        letter(amendments).back(&"to".into(), &|_| Ok(found.clone())).expect("it is read")
    }

    fn without_payload() -> Amendments {
        let payload = Some(LeftOutPayload { bytes: 5, digest: digest(b"large") });
        Amendments { payload, timestamp_ms: Some(5), ..Amendments::default() }
    }

    #[test]
    fn a_claim_check_goes_back_as_the_record_at_its_origin() {
        let RawEvent { key, payload, headers, .. } = original();
        let expected = Outgoing { topic: "to".into(), partition: 3, key, payload, headers, timestamp_ms: Some(5) };
        assert_eq!(back(&without_payload(), Some(original())), Fate::Back(expected));
    }

    #[test]
    fn a_claim_check_whose_record_is_gone_is_left() {
        for (found, expected) in [
            (None, "no longer exists"),
            (
                Some(RawEvent { payload: Some(b"other".to_vec()), ..original() }),
                "another record is now at the original offset",
            ),
        ] {
            let Fate::Left(why) = back(&without_payload(), found) else { panic!("it goes back") };
            assert!(why.contains(expected), "{why}");
        }
    }

    #[test]
    fn a_key_that_was_given_is_taken_off_again() {
        let given = Amendments { key: Some(KeyChange::Given), ..Amendments::default() };
        let Fate::Back(record) = back(&given, None) else { panic!("nothing is missing") };
        assert_eq!((record.key, record.timestamp_ms), (None, Some(9)));
        assert_eq!(record.headers, original().headers);
    }
}
