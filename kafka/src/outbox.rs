//! The records of one transaction, by place: what is sent, and what took the place of a record that its topic refused.
//!
//! Whoever fills an outbox knows what each place stands for; a refusal comes back to it with the place.

use std::sync::Arc;

use crate::error::TransactError;
use crate::limits::TopicLimits;
use crate::outgoing::Outgoing;
use crate::rule::Rule;

/// Records in the order in which they are sent.
#[derive(Debug, Default)]
pub struct Outbox {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    record: Outgoing,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Held against the known rules of its topic before it is sent.
    Unchecked,
    /// Written by the known rules of its topic, which may refuse it all the same.
    Fitted,
    /// The same, and there is no other form of it.
    Final,
    LeftOut,
}

/// A record that its topic refuses.
pub struct Refused<'a> {
    pub place: usize,
    pub record: &'a Outgoing,
    pub rule: Rule,
    pub limits: &'a TopicLimits,
    /// The clock, milliseconds since 1970 UTC.
    pub now_ms: i64,
}

/// What takes the place of a refused record.
pub enum Instead {
    /// Another record, written by the known rules of its topic; `is_final` when it has no further form.
    Record { record: Outgoing, is_final: bool },
    /// Nothing is sent.
    Nothing,
}

/// Says what takes the place of each record that a topic refuses; an error ends the transaction.
pub type Refuse<'a> = dyn FnMut(Refused<'_>) -> Result<Instead, TransactError> + 'a;

impl Outbox {
    pub fn with_capacity(records: usize) -> Self {
        Self { entries: Vec::with_capacity(records) }
    }

    /// Adds a record as it is.
    pub fn push(&mut self, record: Outgoing) {
        self.entries.push(Entry { record, state: State::Unchecked });
    }

    /// Adds a record that was written by the known rules of its topic.
    pub fn push_fitted(&mut self, record: Outgoing) {
        self.entries.push(Entry { record, state: State::Fitted });
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn record(&self, place: usize) -> &Outgoing {
        &self.entries[place].record
    }

    /// Every record, those that are left out included.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Outgoing> {
        self.entries.iter().map(|entry| &entry.record)
    }

    pub(crate) fn is_unchecked(&self, place: usize) -> bool {
        self.entries[place].state == State::Unchecked
    }

    pub(crate) fn is_final(&self, place: usize) -> bool {
        self.entries[place].state == State::Final
    }

    pub(crate) fn is_left_out(&self, place: usize) -> bool {
        self.entries[place].state == State::LeftOut
    }

    pub(crate) fn replace(&mut self, place: usize, instead: Instead) {
        let entry = &mut self.entries[place];
        match instead {
            Instead::Record { record, is_final } => {
                *entry = Entry { record, state: if is_final { State::Final } else { State::Fitted } };
            }
            Instead::Nothing => entry.state = State::LeftOut,
        }
    }

    /// Bytes of keys, payloads and headers that are sent.
    pub(crate) fn content_bytes(&self) -> usize {
        let sent = self.entries.iter().filter(|entry| entry.state != State::LeftOut);
        sent.map(|entry| entry.record.content_bytes()).sum()
    }
}

impl From<Vec<Outgoing>> for Outbox {
    fn from(records: Vec<Outgoing>) -> Self {
        let entries = records.into_iter().map(|record| Entry { record, state: State::Unchecked }).collect();
        Self { entries }
    }
}

/// A record that was not passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its place among the records that were to be passed on.
    pub place: usize,
    pub topic: Arc<str>,
    /// Why, as a sentence's end: "topic T refuses it: ...".
    pub rule: String,
}
