//! Reads records into observations: pure, without a clock of its own, and never fatal.

use std::borrow::Cow;

use formats::dead_letter;
use formats::framing::Frame;
use formats::observed::{self, ObservedEvent};
use formats::time::{Doubt, TimeUnit};
use schemas::{Header, RawEvent};
use serde_json::value::RawValue;

use super::clock::Clock;
use super::refusal::Refusal;
use super::settings::ObserverConfig;
use super::{Name, Observation, TextFacts};
use crate::counts::hash;
use crate::slice::{self, Slicing};
use crate::text;

/// Longer names of labels and models are cut here, as the memory of a window must not depend on what events hold.
const NAME_BYTES_MAX: usize = 256;

/// Bytes of a word with the space behind it, for a first guess at how many words a text has.
const WORD_BYTES_USUAL: usize = 5;

/// Reads records of labelled and dead-letter topics.
#[derive(Clone, Debug)]
pub struct Observer {
    config: ObserverConfig,
    /// First names of all pointers: those of the slices in their order, then text and embedding.
    wanted: Vec<String>,
}

impl Observer {
    pub fn new(config: ObserverConfig) -> Self {
        let fields = config.slices.iter().filter_map(|(_, slicing)| match slicing {
            Slicing::Field(pointer) => Some(pointer),
            Slicing::Header(_) | Slicing::Model => None,
        });
        let embedding = config.embedding.iter().map(|(pointer, _)| pointer);
        let pointers = fields.chain(&config.text).chain(embedding);
        let wanted = pointers.map(|pointer| pointer.first().to_owned()).collect();
        Self { config, wanted }
    }

    /// Reads one record. `now_ms` is the reader's clock, milliseconds since 1970 UTC; `i64::MAX` for histories.
    ///
    /// # Errors
    /// [`Refusal`] says why the record cannot be counted.
    pub fn observe(&self, record: &RawEvent, now_ms: i64) -> Result<Observation, Refusal> {
        if self.config.dead_letter_topics.contains(&*record.origin.topic) {
            return self.dead_letter(record, now_ms);
        }
        let payload = record.payload.as_deref().ok_or(Refusal::Tombstone)?;
        if let Some(frame) = Frame::of(payload) {
            return Err(Refusal::SchemaFramed(frame));
        }
        let payload = std::str::from_utf8(payload).map_err(|_| Refusal::BadJson("not UTF-8".to_owned()))?;
        let wanted: Vec<&str> = self.wanted.iter().map(String::as_str).collect();
        let payload = payload.trim_start_matches('\u{feff}');
        let observed::Read { event, wanted } = observed::read(payload, &wanted, self.config.event_time_unit)?;
        let doubt = self.doubt(&event, record)?;
        let time = self.clock().time(event.event_time_ms, record.timestamp_ms, now_ms)?;
        let mut observation = Observation::at(time.ms, self.config.limits);
        observation.clamped = time.clamped;
        (observation.doubt, observation.clamped_shares) = (doubt, event.clamped);
        observation.take_event(&event);
        let mut wanted = wanted.into_iter();
        for (key, slicing) in &self.config.slices {
            let value = match slicing {
                Slicing::Header(name) => header(&record.headers, name),
                Slicing::Field(pointer) => wanted.next().flatten().and_then(|raw| pointer.walk(raw)).and_then(scalar),
                Slicing::Model => Some(Cow::Owned(observation.model().to_owned())),
            };
            if let Some(value) = value {
                let value = observation.keep(slice::cut(&value));
                observation.slices.push((key.clone(), value));
            }
        }
        if let Some(pointer) = &self.config.text {
            let text = wanted.next().flatten().and_then(|raw| pointer.walk(raw));
            let text = text.filter(|raw| raw.get() != "null");
            text.map(|raw| observed::text(raw, "text"))
                .transpose()?
                .iter()
                .for_each(|text| observation.take_text(text));
        }
        if let Some((pointer, projection)) = &self.config.embedding {
            let raw = wanted.next().flatten().and_then(|raw| pointer.walk(raw));
            let raw = raw.filter(|raw| raw.get() != "null");
            let numbers = raw.map(numbers).transpose()?;
            observation.embedding = numbers.and_then(|numbers| projection.features(&numbers));
        }
        Ok(observation)
    }

    /// Whether the time of an event lies before 2000 or after 2100. A record's own timestamp is in milliseconds.
    fn doubt(&self, event: &ObservedEvent<'_>, record: &RawEvent) -> Result<Option<Doubt>, Refusal> {
        let doubt = match (event.event_time_ms, record.timestamp_ms) {
            (Some(ms), _) => self.config.event_time_unit.doubt(ms),
            (None, Some(ms)) => TimeUnit::Milliseconds.doubt(ms),
            (None, None) => None,
        };
        match doubt {
            Some(doubt) if doubt.fits.is_some() => Err(Refusal::OtherUnit(doubt)),
            doubt => Ok(doubt),
        }
    }

    fn dead_letter(&self, record: &RawEvent, now_ms: i64) -> Result<Observation, Refusal> {
        let found = dead_letter::read_headers(&record.headers);
        let found = found.map_err(|error| Refusal::NotADeadLetter(error.header()))?;
        let time = self.clock().time(None, record.timestamp_ms, now_ms)?;
        let mut observation = Observation::at(time.ms, self.config.limits);
        observation.clamped = time.clamped;
        observation.dead_letter = Some(found.reason);
        for (key, slicing) in &self.config.slices {
            let Slicing::Header(name) = slicing else { continue };
            if let Some(value) = header(&found.headers, name) {
                let value = observation.keep(slice::cut(&value));
                observation.slices.push((key.clone(), value));
            }
        }
        Ok(observation)
    }

    fn clock(&self) -> Clock {
        Clock { ahead_ms: self.config.clock_ahead_ms, ahead_max_ms: self.config.clock_ahead_max_ms }
    }
}

impl Observation {
    fn take_event(&mut self, event: &ObservedEvent<'_>) {
        let name = |name: &str| name.floor_char_boundary(NAME_BYTES_MAX);
        self.label = event.label.as_ref().map(|label| self.keep(&label[..name(label)]));
        self.model = self.keep_model(event);
        self.id = event.id.as_ref().map(|id| self.keep(id).place);
        (self.score, self.value) = (event.score, event.value);
        let signals = &event.signals;
        (self.entropy, self.margin, self.unknown_rate) = (signals.entropy, signals.margin, signals.unknown_rate);
        self.truncated = signals.truncated;
        self.characters = signals.characters.map(|characters| characters as f64);
        self.tokens = signals.n_tokens.map(|tokens| tokens as f64);
        for (label, score) in &event.labels {
            let label = self.keep(&label[..name(label)]);
            self.scores.push((label, *score));
        }
    }

    fn keep_model(&mut self, event: &ObservedEvent<'_>) -> Name {
        let start = self.names.len();
        self.names.push_str(&event.model_name);
        self.names.push('@');
        self.names.push_str(&event.model_version);
        let end = self.names.floor_char_boundary(start + NAME_BYTES_MAX);
        self.names.truncate(end);
        Name { hash: hash(&self.names.as_bytes()[start..]), place: start..end }
    }

    fn take_text(&mut self, text: &str) {
        let mut number = false;
        self.names.reserve(text.len());
        self.words.reserve(text.len() / WORD_BYTES_USUAL + 1);
        let fingerprint = text::words(text, &mut String::new(), |hash, word| {
            number |= word == text::NUMBER;
            let start = self.names.len();
            self.names.push_str(word);
            self.words.push(Name { hash, place: start..self.names.len() });
        });
        self.words.sort_unstable_by_key(|word| word.hash);
        self.words.dedup_by_key(|word| word.hash);
        let text::Facts { script, url, email } = text::facts(text);
        self.text = Some(TextFacts { fingerprint, script, url, email, number });
        self.characters.get_or_insert_with(|| text.chars().count() as f64);
    }
}

/// The value of the last header of this name; one that is not UTF-8 or null is none.
fn header<'a>(headers: &'a [Header], name: &str) -> Option<Cow<'a, str>> {
    let value = headers.iter().rev().find(|header| header.name == name)?.value.as_deref()?;
    std::str::from_utf8(value).ok().map(Cow::Borrowed)
}

/// A string, or a number or boolean as it was written; anything else makes no slice.
fn scalar(raw: &RawValue) -> Option<Cow<'_, str>> {
    match raw.get().as_bytes().first()? {
        b'"' => observed::text(raw, "slice").ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(raw.get())),
    }
}

fn numbers(raw: &RawValue) -> Result<Vec<f32>, Refusal> {
    // As f64 first: whether a number too large for an f32 is infinite or an error depends on how serde_json is built.
    let numbers: Vec<f64> = serde_json::from_str(raw.get())
        .map_err(|_| Refusal::WrongType { member: "embedding", expected: "an array of numbers" })?;
    let range = f64::from(f32::MIN)..=f64::from(f32::MAX);
    if numbers.iter().all(|number| range.contains(number)) {
        #[expect(clippy::cast_possible_truncation, reason = "within the range of an f32; its precision is enough")]
        Ok(numbers.into_iter().map(|number| number as f32).collect())
    } else {
        Err(Refusal::OutOfRange { member: "embedding", bounds: "the range of an f32" })
    }
}
