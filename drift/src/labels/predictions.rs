//! What the model said about the events of one window, kept so that true labels can be joined when they arrive.
//!
//! Bounded: beyond `labels.predictions_max` the events with the smallest id hashes stay. That is a uniform sample of the
//! ids, the same one for any order and any split over workers, because what a part drops the whole would drop too. A
//! label is only missed with the event that it belongs to, so shares and means need no correction.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::texts::Texts;
use crate::observation::Observation;

/// Scores are kept in steps of 1/1024, the width of a bin of the score histogram.
pub const SCORE_STEPS: u16 = 1024;

/// The first 64 bits of the id's SHA-256: the same on every machine and in every release: it is in the state topic.
/// A million ids meet by chance once in forty million windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdHash(pub u64);

impl IdHash {
    pub fn of(id: &str) -> Self {
        let digest = Sha256::digest(id.as_bytes());
        Self(digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte)))
    }
}

/// What the model said about one event. The order decides between two events of one id: the smaller one stays.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPrediction {
    /// Event time, milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// `None` when the model abstained.
    pub label: Option<Arc<str>>,
    /// In steps of 1/1024; `None` for events without a score.
    pub score: Option<u16>,
    /// Name and version of the model, as `name@version`.
    pub model: Arc<str>,
}

impl EventPrediction {
    /// The score, 0..=1.
    pub fn score(&self) -> Option<f64> {
        self.score.map(|steps| f64::from(steps) / f64::from(SCORE_STEPS))
    }
}

/// The predictions of one window, of one partition or of all.
#[derive(Clone, Debug, Default)]
pub struct Predictions {
    entries: BTreeMap<IdHash, EventPrediction>,
    /// Of labels and models.
    texts: Texts,
    /// Events that were added, with an id or without, dropped or not.
    events: u64,
    /// Those of them that have no id, and so can never be joined.
    events_without_id: u64,
    /// The smallest id that was dropped: every smaller one is here. `None`: all are here.
    dropped: Option<IdHash>,
}

/// The same predictions, whatever else the table of texts holds.
impl PartialEq for Predictions {
    fn eq(&self, other: &Self) -> bool {
        let counts = |own: &Self| (own.events, own.events_without_id, own.dropped);
        self.entries == other.entries && counts(self) == counts(other)
    }
}

impl Predictions {
    /// Adds what one record tells; at most `max` predictions are kept. Dead letters and the values of regression models are
    /// no predictions.
    pub fn observe(&mut self, observation: &Observation, max: NonZeroUsize) {
        if observation.label().is_none() && observation.score().is_none() {
            return;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1024")]
        let steps = |score: f64| (score.clamp(0.0, 1.0) * f64::from(SCORE_STEPS)).round() as u16;
        let prediction = EventPrediction {
            time_ms: observation.event_time_ms(),
            label: observation.label().map(|label| self.texts.share(label, self.entries.len())),
            score: observation.score().map(steps),
            model: self.texts.share(observation.model(), self.entries.len()),
        };
        self.add(observation.id(), prediction, max);
    }

    /// Adds an event; at most `max` are kept. A second event of an id does not add a second prediction.
    pub fn add(&mut self, id: Option<&str>, prediction: EventPrediction, max: NonZeroUsize) {
        self.events += 1;
        match id {
            None => self.events_without_id += 1,
            Some(id) => {
                self.keep(IdHash::of(id), prediction);
                self.shrink(max);
            }
        }
    }

    /// Adds the events of another part of the window, whose events are not in this one.
    pub fn merge(&mut self, other: &Self, max: NonZeroUsize) {
        self.events += other.events;
        self.events_without_id += other.events_without_id;
        self.dropped = self.dropped.into_iter().chain(other.dropped).min();
        for (id, prediction) in &other.entries {
            self.keep(*id, prediction.clone());
        }
        if let Some(dropped) = self.dropped {
            self.entries.split_off(&dropped);
        }
        self.shrink(max);
    }

    /// The sample, ascending by id hash.
    pub fn sample(&self) -> impl Iterator<Item = (IdHash, &EventPrediction)> {
        self.entries.iter().map(|(id, prediction)| (*id, prediction))
    }

    /// Events in the sample.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Events that were added: sampled or not, with an id or without.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Events that can never be joined.
    pub fn events_without_id(&self) -> u64 {
        self.events_without_id
    }

    /// The share of ids that the sample holds, 0..=1: 1 when none was dropped, else the part of the hash space below the
    /// first id that was.
    pub fn sampled_share(&self) -> f64 {
        self.dropped.map_or(1.0, |dropped| dropped.0 as f64 / 2f64.powi(64))
    }

    /// The model of most events in the sample, as `name@version`; of equally many the first by name.
    pub fn main_model(&self) -> Option<Arc<str>> {
        let mut models: BTreeMap<&Arc<str>, u64> = BTreeMap::new();
        for prediction in self.entries.values() {
            *models.entry(&prediction.model).or_default() += 1;
        }
        let main = models.into_iter().max_by_key(|(model, events)| (*events, Reverse(*model)));
        main.map(|(model, _)| Arc::clone(model))
    }

    /// No predictions yet, of as many events, for [`Self::keep`] to fill.
    pub(super) fn restore(events: u64, events_without_id: u64, dropped: Option<IdHash>) -> Self {
        Self { events, events_without_id, dropped, ..Self::default() }
    }

    pub(super) fn dropped(&self) -> Option<IdHash> {
        self.dropped
    }

    pub(super) fn keep(&mut self, id: IdHash, mut prediction: EventPrediction) {
        if self.dropped.is_some_and(|dropped| id >= dropped) {
            return;
        }
        prediction.label = prediction.label.map(|label| self.texts.share(&label, self.entries.len()));
        prediction.model = self.texts.share(&prediction.model, self.entries.len());
        self.entries.entry(id).and_modify(|held| *held = held.clone().min(prediction.clone())).or_insert(prediction);
    }

    fn shrink(&mut self, max: NonZeroUsize) {
        while self.entries.len() > max.get() {
            self.dropped = self.entries.pop_last().map(|(id, _)| id);
        }
    }
}
