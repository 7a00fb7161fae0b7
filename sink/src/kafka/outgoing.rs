//! A batch as the records that leave: topic, partition, key, payload, headers, timestamp. Encoded once, sent as often as
//! it takes.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use formats::{Encoded, Layout};
use rdkafka::message::{Header as KafkaHeader, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use schemas::{Batch, DeadLetter, Fate, Header, LabeledEvent, RawEvent};

use super::isolation::Isolation;
use super::letter::{self, Composed, Form};
use super::refusal::Rule;
use super::rules::KnownRules;
use crate::metrics::{self, Counts};
use crate::publisher::PublishError;
use crate::settings::SinkConfig;

/// The header of a batch (61 bytes) and librdkafka's own allowance per record (36 bytes) and per header (10 bytes): a
/// record that fits here is never refused by it, nor by a broker with the same limit.
const RECORD_OVERHEAD: usize = 61 + 36;
const HEADER_OVERHEAD: usize = 10;

/// Asking for the settings of topics: without an answer publishing goes on, so it may not take long.
const RULES_WAIT: Duration = Duration::from_secs(5);

/// One record that leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub topic: Arc<str>,
    /// The partition that the record was read from: it keeps its number where the topic has it.
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
    pub headers: Vec<Header>,
    /// Milliseconds since 1970 UTC; `None` and 0 become the time of sending, which is all that librdkafka can express.
    pub timestamp_ms: Option<i64>,
}

impl Outgoing {
    fn new(topic: &Arc<str>, raw: &RawEvent, payload: Option<Vec<u8>>, headers: Vec<Header>) -> Self {
        Self {
            topic: Arc::clone(topic),
            partition: raw.origin.partition,
            key: raw.key.clone(),
            payload,
            headers,
            timestamp_ms: raw.timestamp_ms,
        }
    }

    /// Bytes that the record takes at most, alone in its batch and before compression.
    pub(super) fn bytes(&self) -> usize {
        RECORD_OVERHEAD + self.content_bytes() + HEADER_OVERHEAD * self.headers.len()
    }

    pub(super) fn content_bytes(&self) -> usize {
        schemas::content_bytes(self.key.as_deref(), self.payload.as_deref(), &self.headers)
    }

    /// The record for librdkafka; `place` comes back with its delivery report.
    pub(super) fn record(&self, partition: i32, place: usize) -> BaseRecord<'_, [u8], [u8], usize> {
        let mut record = BaseRecord::with_opaque_to(&self.topic, place).partition(partition);
        record.key = self.key.as_deref();
        record.payload = self.payload.as_deref();
        record.timestamp = self.timestamp_ms;
        if !self.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(self.headers.len());
            record.headers = Some(self.headers.iter().fold(headers, |headers, header| {
                headers.insert(KafkaHeader { key: &header.name, value: header.value.as_deref() })
            }));
        }
        record
    }
}

/// Where records go and how large they may be.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) output: Arc<str>,
    pub(super) dead_letters: Arc<str>,
    pub(super) layout: Layout,
    pub(super) bytes_max: usize,
    /// A batch may be smaller than its records: what does not fit by their sizes may still fit.
    pub(super) is_compressed: bool,
    pub(super) rules: KnownRules,
}

impl Address {
    pub(super) fn of(config: &SinkConfig) -> Self {
        Self {
            output: Arc::from(config.output_topic.as_str()),
            dead_letters: Arc::from(config.dead_letter_topic.as_str()),
            layout: config.layout,
            bytes_max: config.message_bytes_max,
            is_compressed: config.is_compressed(),
            rules: KnownRules::new(config.partitions_age_max, RULES_WAIT.min(config.connect_wait)),
        }
    }

    /// A larger record is surely refused: by us, or, where nothing is compressed, by the topic.
    pub(super) fn certain_bytes_max(&self, topic: &str) -> usize {
        let of_topic = self.rules.of(topic).bytes_max.filter(|_| !self.is_compressed);
        of_topic.map_or(self.bytes_max, |max| max.min(self.bytes_max))
    }

    /// The rule by which a record is surely refused.
    fn broken_by(&self, record: &Outgoing, now_ms: i64) -> Option<Rule> {
        let (bytes, max) = (record.bytes(), self.certain_bytes_max(&record.topic));
        let is_too_large = bytes > max;
        let size = Rule::Size { bytes, max: Some(max) };
        is_too_large.then_some(size).or_else(|| self.rules.of(&record.topic).broken_by(record, now_ms))
    }
}

/// What a record stands for.
enum Kind<'a> {
    /// The labelled event at this place of the batch; a dead letter where its topic refuses it.
    Label(usize),
    DeadLetter {
        letter: Cow<'a, DeadLetter>,
        form: Form,
        is_claim_check: bool,
    },
    /// The key is gone: its label is to be forgotten.
    Tombstone(&'a RawEvent),
    /// A record passed on as it is.
    Forwarded,
    /// A record that its topic refuses and that is not sent.
    LeftOut,
}

/// A record that was not passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its place among the records that were to be passed on.
    pub place: usize,
    pub topic: Arc<str>,
    /// Why, as a sentence's end: "topic T refuses it: ...".
    pub rule: String,
}

/// The records of one batch, in the order of their partitions.
pub(super) struct Parcel<'a> {
    events: &'a [LabeledEvent],
    records: Vec<Outgoing>,
    kinds: Vec<Kind<'a>>,
    /// The partition of each record in its topic.
    pub(super) places: Vec<i32>,
    /// Records that are found at fault are left out instead of ending the process.
    may_leave_out: bool,
    refused: Vec<Refused>,
    /// Delivered by an earlier attempt, where that cannot be taken back.
    pub(super) delivered: BTreeSet<usize>,
    pub(super) isolation: Isolation,
}

impl<'a> Parcel<'a> {
    pub(super) fn of(batch: &'a Batch<LabeledEvent>, address: &Address, now_ms: i64) -> Result<Self, PublishError> {
        let mut parcel = Self::new(Vec::with_capacity(batch.records()), false);
        parcel.events = batch.items();
        for place in in_order(batch) {
            let (place, labeled) = match place {
                Place::Label(place) => (place, &batch.items()[place]),
                Place::Tombstone(raw) => {
                    parcel.records.push(Outgoing::new(&address.output, raw, None, raw.headers.clone()));
                    parcel.kinds.push(Kind::Tombstone(raw));
                    continue;
                }
            };
            let Encoded { payload, headers } =
                formats::encode(labeled, address.layout).map_err(|error| PublishError::Encode(Box::new(error)))?;
            let raw = &labeled.event.raw;
            parcel.records.push(Outgoing::new(&address.output, raw, Some(payload), headers));
            parcel.kinds.push(Kind::Label(place));
        }
        for letter in batch.rejects() {
            let form = Form::default();
            let Composed { record, is_claim_check } = letter::compose(letter, address, form, now_ms);
            parcel.records.push(record);
            parcel.kinds.push(Kind::DeadLetter { letter: Cow::Borrowed(letter), form, is_claim_check });
        }
        parcel.reject_by_rules(address, now_ms)?;
        Ok(parcel)
    }

    /// Records as they are; with `may_leave_out` those that their topics refuse are left out.
    ///
    /// # Errors
    /// [`PublishError::Refused`] for a record that may not be left out.
    pub(super) fn forward(
        records: Vec<Outgoing>,
        may_leave_out: bool,
        address: &Address,
        now_ms: i64,
    ) -> Result<Self, PublishError> {
        let mut parcel = Self::new(records, may_leave_out);
        parcel.reject_by_rules(address, now_ms)?;
        Ok(parcel)
    }

    fn new(records: Vec<Outgoing>, may_leave_out: bool) -> Self {
        let kinds = records.iter().map(|_| Kind::Forwarded).collect();
        let (places, refused, delivered) = (Vec::new(), Vec::new(), BTreeSet::new());
        let isolation = Isolation::default();
        Self { events: &[], records, kinds, places, may_leave_out, refused, delivered, isolation }
    }

    /// Turns away what is surely refused, without asking the broker. A dead letter was written by the same rules.
    fn reject_by_rules(&mut self, address: &Address, now_ms: i64) -> Result<(), PublishError> {
        for place in 0..self.records.len() {
            if !matches!(self.kinds[place], Kind::DeadLetter { .. })
                && let Some(rule) = address.broken_by(&self.records[place], now_ms)
            {
                self.reject(place, rule, address, now_ms)?;
            }
        }
        Ok(())
    }

    pub(super) fn records(&self) -> &[Outgoing] {
        &self.records
    }

    /// Whether the record at this place is still to be sent.
    pub(super) fn is_to_send(&self, place: usize) -> bool {
        !matches!(self.kinds[place], Kind::LeftOut) && !self.delivered.contains(&place)
    }

    /// Whether the record at this place has no other form: refusing it ends the process.
    pub(super) fn is_final(&self, place: usize) -> bool {
        matches!(self.kinds[place], Kind::DeadLetter { form, .. } if form.is_smallest())
    }

    /// The places of the records that are still to be sent.
    pub(super) fn to_send(&self) -> impl Iterator<Item = usize> {
        (0..self.records.len()).filter(|place| self.is_to_send(*place))
    }

    /// The records that were left out.
    pub(super) fn into_refused(self) -> Vec<Refused> {
        self.refused
    }

    /// Takes back a record that its topic refuses: a labelled event becomes a dead letter in its place, a dead letter
    /// takes another form, a forwarded record is left out.
    ///
    /// # Errors
    /// [`PublishError::Refused`] when a dead letter was refused in its smallest form, or the record may not be left out.
    pub(super) fn reject(
        &mut self,
        place: usize,
        rule: Rule,
        address: &Address,
        now_ms: i64,
    ) -> Result<(), PublishError> {
        let topic = Arc::clone(&self.records[place].topic);
        let error = |what: String| PublishError::Refused { what, topic: topic.to_string(), rule: rule.to_string() };
        let (letter, form) = match &self.kinds[place] {
            Kind::Label(event) => {
                let raw = self.events[*event].event.raw.clone();
                let sentence = format!("topic {topic} refuses the labelled event of {}: {rule}", raw.origin);
                (Cow::Owned(DeadLetter::new(raw, rule.reason(), sentence)), Form::default())
            }
            Kind::Tombstone(raw) => {
                let sentence = format!("topic {topic} refuses the tombstone of {}: {rule}", raw.origin);
                (Cow::Owned(DeadLetter::new((*raw).clone(), rule.reason(), sentence)), Form::default())
            }
            Kind::DeadLetter { letter, form, .. } => {
                let form =
                    form.after(rule).ok_or_else(|| error(format!("the dead letter of {}", letter.raw.origin)))?;
                (letter.clone(), form)
            }
            Kind::Forwarded if self.may_leave_out => {
                self.refused.push(Refused { place, topic, rule: rule.to_string() });
                self.kinds[place] = Kind::LeftOut;
                return Ok(());
            }
            Kind::Forwarded | Kind::LeftOut => return Err(error("a record".to_owned())),
        };
        let Composed { record, is_claim_check } = letter::compose(&letter, address, form, now_ms);
        self.records[place] = record;
        self.kinds[place] = Kind::DeadLetter { letter, form, is_claim_check };
        Ok(())
    }

    /// Counts what became visible, and says what its topic refused.
    pub(super) fn published(&self) {
        let mut counts = Counts::default();
        for (record, kind) in self.records.iter().zip(&self.kinds) {
            match kind {
                Kind::Label(_) => counts.labels += 1,
                Kind::DeadLetter { letter, is_claim_check, .. } => {
                    *counts.dead_letters.entry(letter.reason).or_default() += 1;
                    counts.claim_checks += usize::from(*is_claim_check);
                }
                Kind::Tombstone(_) => counts.tombstones += 1,
                Kind::Forwarded => {}
                Kind::LeftOut => continue,
            }
            counts.bytes += record.content_bytes();
        }
        metrics::published(&counts);
        let refused = self.kinds.iter().filter_map(|kind| match kind {
            Kind::DeadLetter { letter: Cow::Owned(letter), .. } => Some(&letter.error),
            _ => None,
        });
        if let Some(first) = refused.clone().next() {
            tracing::warn!(count = refused.count(), first, "labelled events became dead letters");
        }
    }
}

/// What goes to the output topic.
enum Place<'a> {
    /// The labelled event at this place of the batch.
    Label(usize),
    Tombstone(&'a RawEvent),
}

/// Labels and forwarded tombstones in the order of their partitions: the last record of a key is what a compacted topic
/// keeps of it.
fn in_order(batch: &Batch<LabeledEvent>) -> Vec<Place<'_>> {
    let labels = batch.items().iter().enumerate();
    let mut places: Vec<_> = labels.map(|(place, labeled)| (&labeled.event.raw.origin, Place::Label(place))).collect();
    let forwarded = batch.tombstones().iter().filter(|tombstone| tombstone.fate == Fate::Forward);
    let before = places.len();
    places.extend(forwarded.map(|tombstone| (&tombstone.raw.origin, Place::Tombstone(&tombstone.raw))));
    if places.len() > before {
        places.sort_by_key(|(origin, _)| *origin);
    }
    places.into_iter().map(|(_, place)| place).collect()
}
