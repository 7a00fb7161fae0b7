//! The batch that is open: dead letters that go back in one transaction, with the progress that they stand for.

use std::sync::Arc;

use kafka::outgoing::Outgoing;
use kafka::source::SourceError;
use schemas::{Generation, Origin, RawEvent, Reason, Ticket, content_bytes};

use super::letter::{Fate, Fetch, Letter};
use super::tally::{ReplayTally, Why};

/// Records per transaction: far above what makes a transaction's own cost small, far below memory that matters.
const BATCH_RECORDS: usize = 500;
/// Bytes per transaction, for dead letters that are themselves large.
const BATCH_BYTES: usize = 8 << 20;

/// Records on the way back, with the progress that they stand for.
pub(super) struct Open {
    pub(super) records: Vec<Outgoing>,
    /// The reason and the origin of each.
    pub(super) letters: Vec<(Reason, Origin)>,
    bytes: usize,
    pub(super) ticket: Ticket,
    pub(super) tally: ReplayTally,
}

/// Which dead letters go where.
pub struct Route {
    /// All of them when it is empty.
    pub reasons: Vec<Reason>,
    /// Another topic than the one that each came from.
    pub to: Option<Arc<str>>,
}

impl Open {
    pub(super) fn new(generation: Generation) -> Self {
        Self {
            records: Vec::new(),
            letters: Vec::new(),
            bytes: 0,
            ticket: Ticket::new(generation),
            tally: ReplayTally::default(),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.records.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }

    pub(super) fn covers_any(&self) -> bool {
        !self.ticket.next_offsets().is_empty()
    }

    /// Takes one record of the dead-letter topic: it goes back, or is passed over.
    pub(super) fn sort(
        &mut self,
        record: RawEvent,
        generation: Generation,
        route: &Route,
        fetch: Fetch<'_>,
    ) -> Result<(), SourceError> {
        if self.ticket.generation() != generation {
            *self = Self::new(generation);
        }
        self.ticket.cover(&record.origin);
        let place = record.origin.clone();
        let letter = match Letter::read(record) {
            Ok(letter) => letter,
            Err(error) => {
                self.tally.pass_over(Why::Foreign(error), &place);
                return Ok(());
            }
        };
        if !route.reasons.is_empty() && !route.reasons.contains(&letter.reason) {
            self.tally.pass_over(Why::OtherReason(letter.reason), &place);
            return Ok(());
        }
        let (reason, origin) = (letter.reason, letter.origin.clone());
        let topic = route.to.clone().unwrap_or_else(|| Arc::clone(&origin.topic));
        match letter.back(&topic, fetch)? {
            Fate::Back(record) => {
                self.bytes += content_bytes(record.key.as_deref(), record.payload.as_deref(), &record.headers);
                *self.tally.replayed.entry((topic, reason)).or_default() += 1;
                self.letters.push((reason, origin));
                self.records.push(record);
            }
            Fate::Left(why) => self.tally.left.push(format!("{origin}: {why}")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use formats::dead_letter::{self, NotADeadLetter};
    use schemas::{DeadLetter, Header};

    use super::super::tally::write_report;
    use super::*;

    fn record(offset: i64, headers: Vec<Header>) -> RawEvent {
        RawEvent {
            origin: Origin { topic: "dead".into(), partition: 1, offset },
            key: Some(b"key".to_vec()),
            payload: Some(b"\xff".to_vec()),
            headers,
            timestamp_ms: Some(5),
        }
    }

    fn dead_letter(offset: i64, reason: Reason) -> RawEvent {
        let mut raw = record(offset, vec![Header { name: "own".to_owned(), value: None }]);
        raw.origin = Origin { topic: "messages".into(), partition: 3, offset: 77 };
        let headers = dead_letter::headers(&DeadLetter::new(raw, reason, "why"));
        record(offset, headers)
    }

    fn nowhere(_: &Origin) -> Result<Option<RawEvent>, SourceError> {
        Ok(None)
    }

    fn sorted(route: &Route) -> Open {
        let mut open = Open::new(Generation::default());
        let records = [dead_letter(0, Reason::NotUtf8), dead_letter(1, Reason::ModelFailed), record(4, Vec::new())];
        for record in records {
            open.sort(record, Generation::default(), route, &nowhere).expect("nothing is read again");
        }
        open
    }

    #[test]
    fn a_dead_letter_goes_back_as_the_record_it_was() {
        let open = sorted(&Route { reasons: Vec::new(), to: None });
        assert_eq!(open.records.len(), 2);
        assert_eq!(
            open.records[0],
            Outgoing {
                topic: "messages".into(),
                partition: 3,
                key: Some(b"key".to_vec()),
                payload: Some(b"\xff".to_vec()),
                headers: vec![Header { name: "own".to_owned(), value: None }],
                timestamp_ms: Some(5),
            }
        );
        let no_reason = Why::Foreign(NotADeadLetter::Missing(dead_letter::REASON_HEADER));
        assert_eq!(open.tally.passed_over, BTreeMap::from([(no_reason, 1)]));
        assert_eq!(open.ticket.next_offsets().values().collect::<Vec<_>>(), [&5], "passed over is passed, too");
    }

    #[test]
    fn reasons_and_target_are_the_users() {
        let open = sorted(&Route { reasons: vec![Reason::ModelFailed], to: Some("mended".into()) });
        let targets: Vec<_> = open.records.iter().map(|record| &*record.topic).collect();
        assert_eq!(targets, ["mended"]);
        let mut report = Vec::new();
        write_report(&mut report, &open.tally, "dead", true).expect("a Vec takes it");
        assert_eq!(
            String::from_utf8(report).expect("text"),
            "would replay 1 of the dead letters in dead\n         1  model_failed to mended\n         1  not_utf8, \
             skipped: not the requested reason\n         1  not dead letters, skipped: header \
             labelstream-dead-letter-reason is missing\n            such as dead[1]@4: header \
             labelstream-dead-letter-reason is missing\n"
        );
    }

    #[test]
    fn a_new_generation_voids_what_is_open() {
        let mut open = sorted(&Route { reasons: Vec::new(), to: None });
        let later = Generation::default().next();
        let route = Route { reasons: Vec::new(), to: None };
        open.sort(dead_letter(0, Reason::Empty), later, &route, &nowhere).expect("nothing is read again");
        assert_eq!((open.records.len(), open.ticket.generation()), (1, later));
    }
}
