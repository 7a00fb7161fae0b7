//! What one record of a labelled or dead-letter topic tells, and why one tells nothing that can be counted.
//!
//! [`Observer`] reads records; [`Observation`] is what is left of one: numbers, hashes and the names they stand for, in
//! one buffer. It holds words of the text only until they are counted. A [`Refusal`] is a value and never fatal.

mod clock;
mod observer;
mod odd;
mod projection;
mod refusal;
mod seen;
mod settings;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use formats::time::Doubt;
use schemas::Reason;

use crate::counts::{ABSTAINED, Features, Limits, hash};

pub use observer::Observer;
pub use odd::Odd;
pub use projection::{EmbeddingSettings, bandwidth};
pub use refusal::Refusal;
pub use seen::Seen;
pub use settings::{ObserverConfig, ObserverSettings};

/// What is counted of one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    pub(crate) limits: Limits,
    event_time_ms: i64,
    clamped: bool,
    doubt: Option<Doubt>,
    clamped_shares: u32,
    pub(crate) dead_letter: Option<Reason>,
    /// All names and words, one behind the other; the ranges below point into it.
    names: String,
    id: Option<Range<usize>>,
    label: Option<Name>,
    model: Name,
    pub(crate) score: Option<f64>,
    pub(crate) entropy: Option<f64>,
    pub(crate) margin: Option<f64>,
    pub(crate) value: Option<f64>,
    pub(crate) characters: Option<f64>,
    pub(crate) tokens: Option<f64>,
    pub(crate) unknown_rate: Option<f64>,
    pub(crate) truncated: Option<bool>,
    scores: Vec<(Name, f64)>,
    slices: Vec<(Arc<str>, Name)>,
    pub(crate) text: Option<TextFacts>,
    /// Each once, ascending by hash.
    words: Vec<Name>,
    pub(crate) embedding: Option<Features>,
}

/// A name in the buffer, with its hash.
#[derive(Clone, Debug, Default, PartialEq)]
struct Name {
    hash: u64,
    place: Range<usize>,
}

/// What the text tells besides its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextFacts {
    /// Hash of the text's words in their order: repeated texts share it.
    pub(crate) fingerprint: u64,
    /// ISO 15924, such as `Latn`; `None` without letters.
    pub(crate) script: Option<&'static str>,
    pub(crate) url: bool,
    pub(crate) email: bool,
    pub(crate) number: bool,
}

impl Observation {
    /// A record of this event time of which nothing else is known yet.
    fn at(event_time_ms: i64, limits: Limits) -> Self {
        Self {
            limits,
            event_time_ms,
            clamped: false,
            doubt: None,
            clamped_shares: 0,
            dead_letter: None,
            names: String::new(),
            id: None,
            label: None,
            model: Name::default(),
            score: None,
            entropy: None,
            margin: None,
            value: None,
            characters: None,
            tokens: None,
            unknown_rate: None,
            truncated: None,
            scores: Vec::new(),
            slices: Vec::new(),
            text: None,
            words: Vec::new(),
            embedding: None,
        }
    }

    /// When it happened, milliseconds since 1970 UTC; never further ahead than the settings allow.
    pub fn event_time_ms(&self) -> i64 {
        self.event_time_ms
    }

    /// The event's own time was too far ahead and was set back.
    pub fn clamped(&self) -> bool {
        self.clamped
    }

    /// The event's time, where it lies before 2000 or after 2100 and no unit would put it between.
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    /// Scores and other shares that rounding had pushed over 0 or 1, and that were set to the bound.
    pub fn clamped_shares(&self) -> u32 {
        self.clamped_shares
    }

    /// Why the record could not be labelled; `None` for labelled events.
    pub fn dead_letter(&self) -> Option<Reason> {
        self.dead_letter
    }

    /// The user's own id of the event.
    pub fn id(&self) -> Option<&str> {
        self.id.clone().map(|place| &self.names[place])
    }

    /// The winning label; `None` for abstentions, regression and dead letters.
    pub fn label(&self) -> Option<&str> {
        self.label.as_ref().map(|name| self.name(name))
    }

    /// The highest probability, 0..=1; `None` for regression and dead letters.
    pub fn score(&self) -> Option<f64> {
        self.score
    }

    /// The labels that the event lists, with their scores.
    pub fn scores(&self) -> impl Iterator<Item = (&str, f64)> {
        self.scores.iter().map(|(name, score)| (self.name(name), *score))
    }

    /// Name and version of the model, as `name@version`; empty for dead letters.
    pub fn model(&self) -> &str {
        self.name(&self.model)
    }

    /// Keys and values of the slices that it falls into.
    pub fn slices(&self) -> impl Iterator<Item = (&Arc<str>, &str)> {
        self.slices.iter().map(|(key, value)| (key, self.name(value)))
    }

    fn name(&self, name: &Name) -> &str {
        &self.names[name.place.clone()]
    }

    fn hashed(&self, name: &Name) -> (u64, &str) {
        (name.hash, self.name(name))
    }

    /// The category of its label; `None` where a model gives none (regression).
    pub(crate) fn outcome(&self) -> Option<(u64, &str)> {
        match &self.label {
            Some(label) => Some(self.hashed(label)),
            None => self.score.map(|_| (hash(ABSTAINED.as_bytes()), ABSTAINED)),
        }
    }

    pub(crate) fn hashed_model(&self) -> (u64, &str) {
        self.hashed(&self.model)
    }

    pub(crate) fn hashed_scores(&self) -> impl Iterator<Item = (u64, &str, f64)> {
        self.scores.iter().map(|(name, score)| (name.hash, self.name(name), *score))
    }

    pub(crate) fn hashed_slices(&self) -> impl Iterator<Item = (&Arc<str>, (u64, &str))> {
        self.slices.iter().map(|(key, value)| (key, self.hashed(value)))
    }

    pub(crate) fn words(&self) -> impl Iterator<Item = (u64, &str)> {
        self.words.iter().map(|word| self.hashed(word))
    }

    /// Appends a name to the buffer.
    fn keep(&mut self, name: &str) -> Name {
        let start = self.names.len();
        self.names.push_str(name);
        Name { hash: hash(name.as_bytes()), place: start..self.names.len() }
    }
}
