//! A batch as the records that leave: topic, partition, key, payload, headers, timestamp. Encoded once, sent as often as
//! it takes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rdkafka::message::{Header as KafkaHeader, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use schemas::wire::{self, Layout};
use schemas::{Batch, DeadLetter, Header, LabeledEvent, Origin, RawEvent, Reason};

use crate::publisher::PublishError;

/// More than librdkafka's own allowance per record (36 bytes) and per header (10 bytes): a record that fits here is
/// never refused by it.
const RECORD_OVERHEAD: usize = 64;
const HEADER_OVERHEAD: usize = 10;

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

    /// Bytes that the record takes at most, before compression.
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
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) output: Arc<str>,
    pub(super) dead_letters: Arc<str>,
    pub(super) layout: Layout,
    pub(super) bytes_max: usize,
}

/// What a record stands for.
enum Kind {
    /// The labelled event at this place of the batch; a dead letter where it does not fit.
    Label(usize),
    DeadLetter(Reason, Origin),
    /// A record passed on as it is.
    Forwarded,
}

/// The records of one batch, in the order of their partitions.
pub(super) struct Parcel<'a> {
    events: &'a [LabeledEvent],
    records: Vec<Outgoing>,
    kinds: Vec<Kind>,
    /// Records that are sent one by one, because the broker found them too large together.
    pub(super) singly: BTreeSet<usize>,
}

impl<'a> Parcel<'a> {
    pub(super) fn of(batch: &'a Batch<LabeledEvent>, address: &Address) -> Result<Self, PublishError> {
        let mut parcel = Self::forward(Vec::with_capacity(batch.records()));
        parcel.events = batch.items();
        for (place, labeled) in batch.items().iter().enumerate() {
            let payload =
                wire::encode(labeled, address.layout).map_err(|error| PublishError::Encode(Box::new(error)))?;
            let headers = wire::labeled_headers(labeled);
            let raw = &labeled.event.raw;
            parcel.records.push(Outgoing::new(&address.output, raw, Some(payload), headers));
            parcel.kinds.push(Kind::Label(place));
        }
        for letter in batch.rejects() {
            parcel.records.push(dead_letter(letter, address));
            parcel.kinds.push(Kind::DeadLetter(letter.reason, letter.raw.origin.clone()));
        }
        for place in 0..parcel.records.len() {
            if parcel.records[place].bytes() > address.bytes_max {
                parcel.reject(place, address)?;
            }
        }
        Ok(parcel)
    }

    pub(super) fn forward(records: Vec<Outgoing>) -> Self {
        let kinds = records.iter().map(|_| Kind::Forwarded).collect();
        Self { events: &[], records, kinds, singly: BTreeSet::new() }
    }

    pub(super) fn records(&self) -> &[Outgoing] {
        &self.records
    }

    /// Turns a labelled event that does not fit into a dead letter in its place.
    ///
    /// # Errors
    /// [`PublishError::TooLarge`] when it is a dead letter already, or does not fit as one either.
    pub(super) fn reject(&mut self, place: usize, address: &Address) -> Result<(), PublishError> {
        let record = &self.records[place];
        let bytes = record.bytes();
        let too_large = |record: &Outgoing, what: String| PublishError::TooLarge {
            what,
            bytes: record.bytes(),
            topic: record.topic.to_string(),
        };
        let raw = match &self.kinds[place] {
            Kind::Label(event) => self.events[*event].event.raw.clone(),
            Kind::DeadLetter(_, origin) => return Err(too_large(record, format!("the dead letter of {origin}"))),
            Kind::Forwarded => return Err(too_large(record, "a record".to_owned())),
        };
        let error = format!("the labelled event takes {bytes} bytes, more than the topic {} accepts", record.topic);
        let letter = DeadLetter::new(raw, Reason::OutputTooLarge, error);
        let origin = letter.raw.origin.clone();
        let record = dead_letter(&letter, address);
        if record.bytes() > address.bytes_max {
            return Err(too_large(&record, format!("the dead letter of {origin}")));
        }
        self.records[place] = record;
        self.kinds[place] = Kind::DeadLetter(Reason::OutputTooLarge, origin);
        Ok(())
    }

    pub(super) fn labels(&self) -> usize {
        self.kinds.iter().filter(|kind| matches!(kind, Kind::Label(_))).count()
    }

    pub(super) fn dead_letters(&self) -> BTreeMap<Reason, usize> {
        let mut counts = BTreeMap::new();
        for kind in &self.kinds {
            if let Kind::DeadLetter(reason, _) = kind {
                *counts.entry(*reason).or_default() += 1;
            }
        }
        counts
    }

    pub(super) fn content_bytes(&self) -> usize {
        self.records.iter().map(Outgoing::content_bytes).sum()
    }
}

fn dead_letter(letter: &DeadLetter, address: &Address) -> Outgoing {
    let headers = wire::dead_letter_headers(letter);
    Outgoing::new(&address.dead_letters, &letter.raw, letter.raw.payload.clone(), headers)
}
