//! The counts of every feature in one slice of a window.
//!
//! Words, distinct texts, scores per class and the embedding are large, and counted for the slice of all events only.
//! An event that does not carry a feature is missing from its counts: [`Counts::missing`] is what is left of the events.

use super::capped::Capped;
use super::categories::Categories;
use super::coding::{CountsError, Reader, Writer};
use super::distinct::Distinct;
use super::embedding::Embedding;
use super::hash::hash;
use super::histogram::Histogram;
use super::scale::Scale;
use super::share::Share;
use super::words::Words;
use crate::feature::Feature;
use crate::observation::Observation;

/// Counts per feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts {
    events: u64,
    /// Events in the first place; the rest of the records are dead letters.
    dead_letter_reasons: Categories,
    score: Histogram,
    entropy: Histogram,
    margin: Histogram,
    unknown_rate: Histogram,
    value: Histogram,
    characters: Histogram,
    tokens: Histogram,
    label: Categories,
    script: Categories,
    model: Categories,
    truncated: Share,
    url: Share,
    email: Share,
    number: Share,
    content: Option<Box<Content>>,
}

/// What is counted for all events only.
#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    words: Words,
    texts: Distinct,
    class_scores: Capped<Histogram>,
    embedding: Option<Embedding>,
}

/// The counts of one feature.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    Histogram(&'a Histogram),
    Categories(&'a Categories),
    Share(Share),
    Distinct(&'a Distinct),
    Words(&'a Words),
    Embedding(&'a Embedding),
}

impl View<'_> {
    /// Events that carry the feature.
    pub fn total(&self) -> u64 {
        match self {
            Self::Histogram(histogram) => histogram.total(),
            Self::Categories(categories) => categories.total(),
            Self::Share(share) => share.total,
            Self::Distinct(distinct) => distinct.added(),
            Self::Words(words) => words.texts(),
            Self::Embedding(embedding) => embedding.events(),
        }
    }
}

impl Default for Counts {
    fn default() -> Self {
        let (unit, length) = (Histogram::new(Scale::Unit), Histogram::new(Scale::Length));
        Self {
            events: 0,
            dead_letter_reasons: Categories::default(),
            score: unit.clone(),
            entropy: unit.clone(),
            margin: unit.clone(),
            unknown_rate: unit,
            value: Histogram::new(Scale::Real),
            characters: length.clone(),
            tokens: length,
            label: Categories::default(),
            script: Categories::default(),
            model: Categories::default(),
            truncated: Share::default(),
            url: Share::default(),
            email: Share::default(),
            number: Share::default(),
            content: None,
        }
    }
}

impl Counts {
    /// Labelled events counted.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Records that could not be labelled.
    pub fn dead_letters(&self) -> u64 {
        self.dead_letter_reasons.total()
    }

    /// The counts of a feature; `None` when no event carries it.
    pub fn view(&self, feature: &Feature) -> Option<View<'_>> {
        let content = self.content.as_deref();
        let view = match feature {
            Feature::Score => View::Histogram(&self.score),
            Feature::Entropy => View::Histogram(&self.entropy),
            Feature::Margin => View::Histogram(&self.margin),
            Feature::Label => View::Categories(&self.label),
            Feature::ClassScore(label) => View::Histogram(content?.class_scores.get(label)?),
            Feature::Value => View::Histogram(&self.value),
            Feature::Characters => View::Histogram(&self.characters),
            Feature::Tokens => View::Histogram(&self.tokens),
            Feature::UnknownRate => View::Histogram(&self.unknown_rate),
            Feature::Truncated => View::Share(self.truncated),
            Feature::Script => View::Categories(&self.script),
            Feature::Url => View::Share(self.url),
            Feature::Email => View::Share(self.email),
            Feature::Number => View::Share(self.number),
            Feature::Duplicates => View::Distinct(&content?.texts),
            Feature::DeadLetters => {
                let yes = self.dead_letters();
                View::Share(Share { yes, total: self.events.saturating_add(yes) })
            }
            Feature::DeadLetterReason => View::Categories(&self.dead_letter_reasons),
            Feature::Model => View::Categories(&self.model),
            Feature::Words => View::Words(&content?.words),
            Feature::Embedding => View::Embedding(content?.embedding.as_ref()?),
        };
        (view.total() > 0).then_some(view)
    }

    /// The features that any event carries: the fixed ones in their order, then the scores of the labels by name.
    pub fn features(&self) -> Vec<Feature> {
        let mut features: Vec<_> = Feature::FIXED.into_iter().filter(|feature| self.view(feature).is_some()).collect();
        let fixed = features.len();
        let labels = self.content.iter().flat_map(|content| content.class_scores.iter());
        features.extend(labels.map(|(label, _)| Feature::ClassScore(label.clone())));
        features[fixed..].sort();
        features
    }

    /// Events that do not carry the feature.
    pub fn missing(&self, feature: &Feature) -> u64 {
        let all = match feature {
            Feature::DeadLetters => self.events.saturating_add(self.dead_letters()),
            Feature::DeadLetterReason => self.dead_letters(),
            _ => self.events,
        };
        all.saturating_sub(self.view(feature).map_or(0, |view| view.total()))
    }

    /// Counts an event; `whole` says that this is the slice of all events.
    pub(super) fn observe(&mut self, observation: &Observation, names_max: usize, whole: bool) {
        if let Some(reason) = observation.dead_letter {
            self.dead_letter_reasons.add(hash(reason.name().as_bytes()), reason.name(), usize::MAX);
            return;
        }
        self.events = self.events.saturating_add(1);
        let numbers = [
            (&mut self.score, observation.score),
            (&mut self.entropy, observation.entropy),
            (&mut self.margin, observation.margin),
            (&mut self.unknown_rate, observation.unknown_rate),
            (&mut self.value, observation.value),
            (&mut self.characters, observation.characters),
            (&mut self.tokens, observation.tokens),
        ];
        for (histogram, value) in numbers {
            value.into_iter().for_each(|value| histogram.add(value));
        }
        if let Some(label) = observation.outcome() {
            self.label.add(label.0, label.1, names_max);
        }
        let (model_hash, model) = observation.hashed_model();
        self.model.add(model_hash, model, names_max);
        observation.truncated.into_iter().for_each(|truncated| self.truncated.add(truncated));
        if let Some(text) = &observation.text {
            self.url.add(text.url);
            self.email.add(text.email);
            self.number.add(text.number);
            if let Some(script) = text.script {
                self.script.add(hash(script.as_bytes()), script, usize::MAX);
            }
        }
        if whole {
            self.content.get_or_insert_default().observe(observation, names_max);
        }
    }

    pub(super) fn merge(&mut self, other: &Self, names_max: usize) {
        self.events = self.events.saturating_add(other.events);
        self.dead_letter_reasons.merge(&other.dead_letter_reasons, usize::MAX);
        self.histograms_mut().into_iter().zip(other.histograms()).for_each(|(own, theirs)| own.merge(theirs));
        self.label.merge(&other.label, names_max);
        self.script.merge(&other.script, usize::MAX);
        self.model.merge(&other.model, names_max);
        self.shares_mut().into_iter().zip(other.shares()).for_each(|(own, theirs)| own.merge(theirs));
        if let Some(theirs) = &other.content {
            self.content.get_or_insert_default().merge(theirs, names_max);
        }
    }

    pub(super) fn forget_words(&mut self) {
        if let Some(content) = &mut self.content {
            content.words.forget();
        }
    }

    /// Keeps at most this many labels and models.
    pub(super) fn crowd_out(&mut self, names_max: usize) {
        self.label.crowd_out(names_max);
        self.model.crowd_out(names_max);
        if let Some(content) = &mut self.content {
            content.class_scores.crowd_out(names_max, Histogram::merge);
        }
    }

    fn histograms(&self) -> [&Histogram; 7] {
        [&self.score, &self.entropy, &self.margin, &self.unknown_rate, &self.value, &self.characters, &self.tokens]
    }

    /// The same, in the same order.
    fn histograms_mut(&mut self) -> [&mut Histogram; 7] {
        let Self { score, entropy, margin, unknown_rate, value, characters, tokens, .. } = self;
        [score, entropy, margin, unknown_rate, value, characters, tokens]
    }

    fn shares(&self) -> [Share; 4] {
        [self.truncated, self.url, self.email, self.number]
    }

    /// The same, in the same order.
    fn shares_mut(&mut self) -> [&mut Share; 4] {
        let Self { truncated, url, email, number, .. } = self;
        [truncated, url, email, number]
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.number(self.events);
        self.dead_letter_reasons.encode(writer);
        self.histograms().iter().for_each(|histogram| histogram.encode(writer));
        [&self.label, &self.script, &self.model].iter().for_each(|categories| categories.encode(writer));
        self.shares().iter().for_each(|share| share.encode(writer));
        writer.number(u64::from(self.content.is_some()));
        if let Some(content) = &self.content {
            content.encode(writer);
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, CountsError> {
        let mut counts = Self { events: reader.number()?, ..Self::default() };
        counts.dead_letter_reasons = Categories::decode(reader)?;
        for histogram in counts.histograms_mut() {
            *histogram = Histogram::decode(reader, histogram.scale())?;
        }
        counts.label = Categories::decode(reader)?;
        counts.script = Categories::decode(reader)?;
        counts.model = Categories::decode(reader)?;
        for share in counts.shares_mut() {
            *share = Share::decode(reader)?;
        }
        counts.content = match reader.number()? {
            0 => None,
            1 => Some(Box::new(Content::decode(reader)?)),
            _ => return Err(CountsError::Corrupt("neither contents nor none")),
        };
        Ok(counts)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let histograms: usize = self.histograms().iter().map(|histogram| histogram.heap_bytes()).sum();
        let categories = [&self.dead_letter_reasons, &self.label, &self.script, &self.model];
        let categories: usize = categories.iter().map(|categories| categories.heap_bytes()).sum();
        let content = self.content.as_ref().map_or(0, |content| size_of::<Content>() + content.heap_bytes());
        histograms + categories + content
    }
}

impl Content {
    fn observe(&mut self, observation: &Observation, names_max: usize) {
        if let Some(text) = &observation.text {
            self.words.add(observation.words());
            self.texts.add(text.fingerprint);
        }
        for (hash, label, score) in observation.hashed_scores() {
            self.class_scores.slot((hash, label), names_max, Histogram::merge).add(score);
        }
        if let Some(features) = &observation.embedding {
            match &mut self.embedding {
                Some(embedding) => embedding.add(features),
                None => self.embedding = Some(Embedding::of(features)),
            }
        }
    }

    fn merge(&mut self, other: &Self, names_max: usize) {
        self.words.merge(&other.words);
        self.texts.merge(&other.texts);
        self.class_scores.merge(&other.class_scores, names_max, Histogram::merge);
        match (&mut self.embedding, &other.embedding) {
            (Some(own), Some(theirs)) => own.merge(theirs),
            (None, Some(theirs)) => self.embedding = Some(theirs.clone()),
            (_, None) => {}
        }
    }

    fn encode(&self, writer: &mut Writer) {
        self.words.encode(writer);
        self.texts.encode(writer);
        self.class_scores.encode(writer, Histogram::encode);
        writer.number(u64::from(self.embedding.is_some()));
        if let Some(embedding) = &self.embedding {
            embedding.encode(writer);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, CountsError> {
        let words = Words::decode(reader)?;
        let texts = Distinct::decode(reader)?;
        let class_scores = Capped::decode(reader, |reader| Histogram::decode(reader, Scale::Unit))?;
        let embedding = match reader.number()? {
            0 => None,
            1 => Some(Embedding::decode(reader)?),
            _ => return Err(CountsError::Corrupt("neither an embedding nor none")),
        };
        Ok(Self { words, texts, class_scores, embedding })
    }

    fn heap_bytes(&self) -> usize {
        let embedding = self.embedding.as_ref().map_or(0, Embedding::heap_bytes);
        let class_scores = self.class_scores.heap_bytes(Histogram::heap_bytes);
        self.words.heap_bytes() + self.texts.heap_bytes() + class_scores + embedding
    }
}
