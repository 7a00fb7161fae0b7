//! What each place of an outbox stands for: a labelled event, a dead letter or a tombstone of the batch.

use std::borrow::Cow;
use std::sync::Arc;

use formats::{Encoded, Layout};
use kafka::clock::now_ms;
use kafka::error::TransactError;
use kafka::limits::TopicLimits;
use kafka::outbox::{Instead, Outbox, Refused};
use kafka::outgoing::Outgoing;
use kafka::rule::Rule;
use schemas::{Batch, DeadLetter, Fate, LabeledEvent, RawEvent, Reason};

use super::letter::{self, Composed, Form};
use crate::metrics::{self, Counts};
use crate::publisher::PublishError;

/// Where records go.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) output: Arc<str>,
    pub(super) dead_letters: Arc<str>,
    pub(super) layout: Layout,
}

/// What a record stands for.
enum Content<'a> {
    /// A dead letter where its topic refuses it.
    Label(&'a LabeledEvent),
    DeadLetter {
        letter: Cow<'a, DeadLetter>,
        form: Form,
        is_claim_check: bool,
    },
    /// The key is gone: its label is to be forgotten.
    Tombstone(&'a RawEvent),
}

/// The contents of one outbox, by place.
pub(super) struct Contents<'a> {
    dead_letters: Arc<str>,
    contents: Vec<Content<'a>>,
}

impl<'a> Contents<'a> {
    /// A batch as records, in the order of their partitions.
    pub(super) fn of(
        batch: &'a Batch<LabeledEvent>,
        address: &Address,
        limits: &TopicLimits,
    ) -> Result<(Self, Outbox), PublishError> {
        let mut outbox = Outbox::with_capacity(batch.records());
        let mut contents = Vec::with_capacity(batch.records());
        for place in in_order(batch) {
            let content = match place {
                Place::Label(labeled) => {
                    let Encoded { payload, headers } = formats::encode(labeled, address.layout)
                        .map_err(|error| PublishError::Encode(Box::new(error)))?;
                    outbox.push(outgoing(&address.output, &labeled.event.raw, Some(payload), headers));
                    Content::Label(labeled)
                }
                Place::Tombstone(raw) => {
                    outbox.push(outgoing(&address.output, raw, None, raw.headers.clone()));
                    Content::Tombstone(raw)
                }
            };
            contents.push(content);
        }
        let now_ms = now_ms();
        for letter in batch.rejects() {
            let form = Form::default();
            let Composed { record, is_claim_check } =
                letter::compose(letter, &address.dead_letters, limits, form, now_ms);
            outbox.push_fitted(record);
            contents.push(Content::DeadLetter { letter: Cow::Borrowed(letter), form, is_claim_check });
        }
        Ok((Self { dead_letters: Arc::clone(&address.dead_letters), contents }, outbox))
    }

    /// What takes the place of a record that its topic refuses: a labelled event becomes a dead letter, a dead letter takes
    /// another form.
    ///
    /// # Errors
    /// [`TransactError::Refused`] when a dead letter was refused in its smallest form.
    pub(super) fn refuse(&mut self, refused: &Refused<'_>) -> Result<Instead, TransactError> {
        let Refused { place, record, rule, limits, now_ms } = *refused;
        let topic = &record.topic;
        let (letter, form) = match &self.contents[place] {
            Content::Label(labeled) => {
                let raw = labeled.event.raw.clone();
                let sentence = format!("topic {topic} refuses the labelled event of {}: {rule}", raw.origin);
                (Cow::Owned(DeadLetter::new(raw, reason(rule), sentence)), Form::default())
            }
            Content::Tombstone(raw) => {
                let sentence = format!("topic {topic} refuses the tombstone of {}: {rule}", raw.origin);
                (Cow::Owned(DeadLetter::new((*raw).clone(), reason(rule), sentence)), Form::default())
            }
            Content::DeadLetter { letter, form, .. } => {
                let what = || format!("the dead letter of {}", letter.raw.origin);
                let error =
                    || TransactError::Refused { what: what(), topic: topic.to_string(), rule: rule.to_string() };
                (letter.clone(), form.after(rule).ok_or_else(error)?)
            }
        };
        let Composed { record, is_claim_check } = letter::compose(&letter, &self.dead_letters, limits, form, now_ms);
        self.contents[place] = Content::DeadLetter { letter, form, is_claim_check };
        Ok(Instead::Record { record, is_final: form.is_smallest() })
    }

    /// Counts what became visible, and says what its topic refused.
    pub(super) fn published(&self) {
        let mut counts = Counts::default();
        for content in &self.contents {
            match content {
                Content::Label(_) => counts.labels += 1,
                Content::DeadLetter { letter, is_claim_check, .. } => {
                    *counts.dead_letters.entry(letter.reason).or_default() += 1;
                    counts.claim_checks += usize::from(*is_claim_check);
                }
                Content::Tombstone(_) => counts.tombstones += 1,
            }
        }
        metrics::published(&counts);
        let refused = self.contents.iter().filter_map(|content| match content {
            Content::DeadLetter { letter: Cow::Owned(letter), .. } => Some(&letter.error),
            _ => None,
        });
        if let Some(first) = refused.clone().next() {
            tracing::warn!(count = refused.count(), first, "labelled events became dead letters");
        }
    }
}

/// A record of a topic under the key, the partition number and the time of the record that it stands for.
fn outgoing(topic: &Arc<str>, raw: &RawEvent, payload: Option<Vec<u8>>, headers: Vec<schemas::Header>) -> Outgoing {
    Outgoing {
        topic: Arc::clone(topic),
        partition: raw.origin.partition,
        key: raw.key.clone(),
        payload,
        headers,
        timestamp_ms: raw.timestamp_ms,
    }
}

/// Why the record of a labelled event became a dead letter.
fn reason(rule: Rule) -> Reason {
    if matches!(rule, Rule::Size { .. }) { Reason::OutputTooLarge } else { Reason::OutputRefused }
}

/// What goes to the output topic.
enum Place<'a> {
    Label(&'a LabeledEvent),
    Tombstone(&'a RawEvent),
}

/// Labels and forwarded tombstones in the order of their partitions: the last record of a key is what a compacted topic
/// keeps of it.
fn in_order(batch: &Batch<LabeledEvent>) -> Vec<Place<'_>> {
    let labels = batch.items().iter();
    let mut places: Vec<_> = labels.map(|labeled| (&labeled.event.raw.origin, Place::Label(labeled))).collect();
    let forwarded = batch.tombstones().iter().filter(|tombstone| tombstone.fate == Fate::Forward);
    let before = places.len();
    places.extend(forwarded.map(|tombstone| (&tombstone.raw.origin, Place::Tombstone(&tombstone.raw))));
    if places.len() > before {
        places.sort_by_key(|(origin, _)| *origin);
    }
    places.into_iter().map(|(_, place)| place).collect()
}
