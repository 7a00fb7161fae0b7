//! What each place of an outbox stands for: a labelled event, a dead letter or a tombstone of the batch.

use std::borrow::Cow;
use std::sync::Arc;

use kafka::clock::now_ms;
use kafka::error::TransactError;
use kafka::limits::TopicLimits;
use kafka::outbox::{Instead, Outbox, Refused};
use kafka::outgoing::Outgoing;
use kafka::rule::Rule;
use schemas::{Batch, DeadLetter, Fate, RawEvent, Reason, Tombstone};

use super::encoder::outgoing;
use super::letter::{self, Composed, Form};
use crate::metrics::{self, Counts};

/// Where records go.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) output: Arc<str>,
    pub(super) dead_letters: Arc<str>,
}

/// What a record stands for.
enum Content<'a> {
    /// Of this record: its dead letter where the topic refuses the label.
    Label(&'a RawEvent),
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
    /// A batch as records, in the order of their partitions; `labels` are those of its items.
    pub(super) fn of(
        batch: &'a Batch<RawEvent>,
        labels: Vec<Outgoing>,
        address: &Address,
        limits: &TopicLimits,
    ) -> (Self, Outbox) {
        let mut outbox = Outbox::with_capacity(batch.records());
        let mut contents = Vec::with_capacity(batch.records());
        for (content, record) in in_order(batch, labels, &address.output) {
            outbox.push(record);
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
        (Self { dead_letters: Arc::clone(&address.dead_letters), contents }, outbox)
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
            Content::Label(raw) | Content::Tombstone(raw) => {
                let is_label = matches!(self.contents[place], Content::Label(_));
                let what = if is_label { "labelled event" } else { "tombstone" };
                let sentence = format!("topic {topic} refuses the {what} of {}: {rule}", raw.origin);
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

/// Why the record of a labelled event became a dead letter.
fn reason(rule: Rule) -> Reason {
    if matches!(rule, Rule::Size { .. }) { Reason::OutputTooLarge } else { Reason::OutputRefused }
}

/// Labels and forwarded tombstones in the order of their partitions: the last record of a key is what a compacted topic
/// keeps of it.
fn in_order<'a>(
    batch: &'a Batch<RawEvent>,
    labels: Vec<Outgoing>,
    output: &Arc<str>,
) -> impl Iterator<Item = (Content<'a>, Outgoing)> {
    let labels = batch.items().iter().zip(labels);
    let mut places: Vec<_> = labels.map(|(raw, record)| (&raw.origin, (Content::Label(raw), record))).collect();
    let forwarded = batch.tombstones().iter().filter(|tombstone| tombstone.fate == Fate::Forward);
    let before = places.len();
    places.extend(forwarded.map(|Tombstone { raw, .. }| {
        (&raw.origin, (Content::Tombstone(raw), outgoing(output, raw, None, raw.headers.clone())))
    }));
    if places.len() > before {
        places.sort_by_key(|(origin, _)| *origin);
    }
    places.into_iter().map(|(_, place)| place)
}
