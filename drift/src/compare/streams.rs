//! For tests: windows of a made-up stream, drawn with a seed and read by the real observer.

use std::collections::BTreeMap;

use schemas::{Header, Origin, RawEvent};
use serde_json::json;

use crate::board::MergedWindow;
use crate::counts::WindowCounts;
use crate::observation::{Observation, Observer, ObserverSettings};
use crate::window::{Granularity, Window};

/// Words that most texts draw from.
const WORDS: [&str; 12] =
    ["card", "account", "money", "when", "please", "transfer", "lost", "arrive", "fee", "pin", "top", "change"];

/// What the events of a stream are like.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    /// Labels with their weights.
    pub(crate) labels: Vec<(&'static str, f64)>,
    /// Scores are spread evenly from here to 1.
    pub(crate) lowest_score: f64,
    /// A word that stands in this share of the texts.
    pub(crate) word: (&'static str, f64),
    /// Tokens are spread evenly from 3 to here.
    pub(crate) tokens_max: u32,
    pub(crate) truncated: f64,
    pub(crate) model: &'static str,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            labels: vec![("card_arrival", 4.0), ("lost_card", 36.0), ("top_up", 30.0), ("fees", 30.0)],
            lowest_score: 0.6,
            word: ("refund", 0.004),
            tokens_max: 30,
            truncated: 0.01,
            model: "banking",
        }
    }
}

/// A seeded stream.
pub(crate) struct Stream {
    random: fastrand::Rng,
    observer: Observer,
}

impl Stream {
    pub(crate) fn new(seed: u64) -> Self {
        let settings = ObserverSettings { slices: vec!["header:source".to_owned()], ..ObserverSettings::default() };
        Self {
            random: fastrand::Rng::with_seed(seed),
            observer: Observer::new(settings.try_into().expect("good settings")),
        }
    }

    /// The counts of this many events.
    pub(crate) fn counts(&mut self, mix: &Mix, events: usize) -> WindowCounts {
        counts(&self.events(mix, events))
    }

    pub(crate) fn events(&mut self, mix: &Mix, events: usize) -> Vec<Observation> {
        (0..events).map(|_| self.event(mix)).collect()
    }

    /// Draws from events with replacement: quicker than new ones, and independent given them.
    pub(crate) fn resample(&mut self, pool: &[Observation], events: usize) -> WindowCounts {
        let mut counts = WindowCounts::default();
        (0..events).for_each(|_| counts.observe(&pool[self.random.usize(..pool.len())]));
        counts
    }

    fn event(&mut self, mix: &Mix) -> Observation {
        let random = &mut self.random;
        let mut draw = random.f64() * mix.labels.iter().map(|(_, weight)| weight).sum::<f64>();
        let label = mix.labels.iter().find(|(_, weight)| {
            draw -= weight;
            draw < 0.0
        });
        let label = label.map_or("fees", |(label, _)| label);
        let score = mix.lowest_score + (1.0 - mix.lowest_score) * random.f64();
        let mut words: Vec<&str> = (0..random.usize(2..6)).map(|_| WORDS[random.usize(..WORDS.len())]).collect();
        if random.f64() < mix.word.1 {
            words.push(mix.word.0);
        }
        let tokens = random.u32(3..=mix.tokens_max);
        let payload = json!({
            "text": words.join(" "),
            "label": label,
            "score": score,
            "labels": [{"label": label, "score": score}],
            "model": {"name": mix.model, "version": "1"},
            "signals": {
                "characters": tokens * 5,
                "n_tokens": tokens,
                "truncated": random.f64() < mix.truncated,
                "unknown_rate": 0.0,
                "entropy": 1.0 - score,
                "margin": score / 2.0,
            },
        });
        let source = if random.bool() { "web" } else { "phone" };
        let record = RawEvent {
            origin: Origin { topic: "labels".into(), partition: 0, offset: 0 },
            key: None,
            payload: Some(payload.to_string().into_bytes()),
            headers: vec![Header { name: "source".to_owned(), value: Some(source.as_bytes().to_vec()) }],
            timestamp_ms: Some(START_MS),
        };
        self.observer.observe(&record, START_MS).expect("a labelled event")
    }
}

/// 2026-05-04 00:00 UTC, a Monday.
pub(crate) const START_MS: i64 = 1_777_852_800_000;

pub(crate) fn hour() -> Granularity {
    Granularity::from_millis(3_600_000).expect("an hour is whole seconds")
}

/// The hour that begins this many hours after [`START_MS`].
pub(crate) fn window(hours: i64) -> Window {
    hour().window(START_MS).later(hours)
}

pub(crate) fn counts(events: &[Observation]) -> WindowCounts {
    let mut counts = WindowCounts::default();
    events.iter().for_each(|event| counts.observe(event));
    counts
}

pub(crate) fn merged(window: Window, counts: WindowCounts) -> MergedWindow {
    MergedWindow {
        window,
        revision: 0,
        is_final: false,
        counts,
        offsets: Vec::new(),
        late_dropped: 0,
        clamped: 0,
        refused: BTreeMap::new(),
    }
}
