//! What is read of labelled events, and what is counted of it.
//!
//! [`ObserverSettings`] is `[observe]` as written; [`ObserverConfig`] is what passed every check.

use std::collections::BTreeSet;
use std::sync::Arc;

use formats::Pointer;
use formats::time::TimeUnit;
use schemas::Problem;
use serde::Deserialize;

use super::projection::{EmbeddingSettings, Projection};
use crate::counts::Limits;
use crate::slice::Slicing;

/// Each slicing multiplies what is counted per event and what is tested per window.
const SLICINGS_MAX: usize = 8;

/// `[observe]`, as written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObserverSettings {
    /// Where a labelled event carries its text: words, scripts and duplicates are counted of it. `None` counts none.
    pub text_pointer: Option<String>,
    /// The unit of the event times that labelled events carry; the JSON Schema says milliseconds.
    pub event_time_unit: TimeUnit,
    /// `header:<name>`, `field:<JSON pointer>` or `model`.
    pub slices: Vec<String>,
    /// Values kept per slicing; the others are counted together as `__other__`.
    pub slices_max: u32,
    /// Labels kept; the others are counted together as `__other__`.
    pub labels_max: u32,
    /// An event time further ahead of the record's own time is set back to it.
    pub clock_ahead_ms: i64,
    /// An event time further ahead than this is refused.
    pub clock_ahead_max_ms: i64,
    /// Topics that hold dead letters.
    pub dead_letter_topics: Vec<String>,
    pub embedding: Option<EmbeddingSettings>,
}

impl Default for ObserverSettings {
    fn default() -> Self {
        Self {
            text_pointer: Some("/text".to_owned()),
            event_time_unit: TimeUnit::Milliseconds,
            slices: Vec::new(),
            slices_max: 50,
            labels_max: 1000,
            clock_ahead_ms: 60_000,
            clock_ahead_max_ms: 86_400_000,
            dead_letter_topics: Vec::new(),
            embedding: None,
        }
    }
}

/// The same, checked.
#[derive(Clone, Debug)]
pub struct ObserverConfig {
    pub(super) text: Option<Pointer>,
    pub(super) event_time_unit: TimeUnit,
    pub(super) slices: Vec<(Arc<str>, Slicing)>,
    pub(super) limits: Limits,
    pub(super) clock_ahead_ms: i64,
    pub(super) clock_ahead_max_ms: i64,
    pub(super) dead_letter_topics: BTreeSet<String>,
    pub(super) embedding: Option<(Pointer, Projection)>,
}

impl TryFrom<ObserverSettings> for ObserverConfig {
    type Error = Vec<Problem>;

    fn try_from(settings: ObserverSettings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let text = settings.text_pointer.as_deref().map(|text| pointer("text_pointer", text, &mut problems));
        let slices = slicings(&settings.slices, &mut problems);
        for (key, found) in [("slices_max", settings.slices_max), ("labels_max", settings.labels_max)] {
            if !(1..=100_000).contains(&found) {
                problems.push(problem(key, format!("expected 1 to 100000, found {found}")));
            }
        }
        let (ahead, ahead_max) = (settings.clock_ahead_ms, settings.clock_ahead_max_ms);
        if !(0..=3_600_000).contains(&ahead) {
            problems.push(problem("clock_ahead_ms", format!("expected 0 to 3600000 ms, found {ahead}")));
        }
        if !(ahead..=31_536_000_000).contains(&ahead_max) {
            let expected = format!("expected observe.clock_ahead_ms ({ahead}) to 31536000000 ms, found {ahead_max}");
            problems.push(problem("clock_ahead_max_ms", expected));
        }
        let embedding = settings.embedding.map(|settings| embedding(&settings, &mut problems));
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            text: text.flatten(),
            event_time_unit: settings.event_time_unit,
            slices,
            limits: Limits { labels_max: settings.labels_max, slices_max: settings.slices_max },
            clock_ahead_ms: ahead,
            clock_ahead_max_ms: ahead_max,
            dead_letter_topics: settings.dead_letter_topics.into_iter().collect(),
            embedding: embedding.flatten(),
        })
    }
}

impl ObserverConfig {
    /// The unit of the event times that labelled events carry.
    pub fn event_time_unit(&self) -> TimeUnit {
        self.event_time_unit
    }

    /// The same for events whose times are in another unit.
    #[must_use]
    pub fn in_unit(self, event_time_unit: TimeUnit) -> Self {
        Self { event_time_unit, ..self }
    }

    /// The greatest number of slices that a window may hold, all events not counted.
    pub fn slices_max(&self) -> usize {
        self.slices.len() * (self.limits.slices_max as usize + 1)
    }
}

fn problem(key: &str, expected: String) -> Problem {
    Problem::new(format!("observe.{key}"), expected)
}

fn pointer(key: &str, text: &str, problems: &mut Vec<Problem>) -> Option<Pointer> {
    text.parse().map_err(|error| problems.push(problem(key, format!("{error}, found {text:?}")))).ok()
}

fn slicings(texts: &[String], problems: &mut Vec<Problem>) -> Vec<(Arc<str>, Slicing)> {
    if texts.len() > SLICINGS_MAX {
        problems.push(problem("slices", format!("expected at most {SLICINGS_MAX} entries, found {}", texts.len())));
    }
    let mut slicings: Vec<(Arc<str>, Slicing)> = Vec::new();
    for text in texts {
        match text.parse() {
            Ok(_) if slicings.iter().any(|(key, _)| &**key == text) => {
                problems.push(problem("slices", format!("expected each entry once, found {text:?} again")));
            }
            Ok(slicing) => slicings.push((text.as_str().into(), slicing)),
            Err(error) => problems.push(problem("slices", format!("{error}, found {text:?}"))),
        }
    }
    slicings
}

fn embedding(settings: &EmbeddingSettings, problems: &mut Vec<Problem>) -> Option<(Pointer, Projection)> {
    let before = problems.len();
    let pointer = pointer("embedding.pointer", &settings.pointer, problems)?;
    for (key, found, most) in
        [("embedding.dimensions", settings.dimensions, 8192), ("embedding.frequencies", settings.frequencies, 512)]
    {
        if !(1..=most).contains(&found) {
            problems.push(problem(key, format!("expected 1 to {most}, found {found}")));
        }
    }
    if !(settings.bandwidth.is_finite() && settings.bandwidth > 0.0) {
        let expected = format!("expected a number above 0, found {}", settings.bandwidth);
        problems.push(problem("embedding.bandwidth", expected));
    }
    (problems.len() == before).then(|| (pointer, Projection::new(settings)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut ObserverSettings), expected: &[&str]) {
        let mut settings = ObserverSettings::default();
        change(&mut settings);
        let problems = ObserverConfig::try_from(settings).err().unwrap_or_default();
        assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn reports_every_problem_with_its_key() {
        check(|_| (), &[]);
        check(
            |settings| settings.slices = ["header:source", "field:/language", "model"].map(str::to_owned).into(),
            &[],
        );
        check(|settings| settings.slices = vec!["model".to_owned(); 2], &["observe.slices"]);
        check(|settings| settings.slices = (0..9).map(|n| format!("header:{n}")).collect(), &["observe.slices"]);
        check(|settings| settings.clock_ahead_max_ms = 59_999, &["observe.clock_ahead_max_ms"]);
        check(
            |settings| {
                settings.text_pointer = Some("text".to_owned());
                settings.slices = vec!["colour".to_owned()];
                (settings.slices_max, settings.labels_max) = (0, 100_001);
                settings.clock_ahead_ms = -1;
            },
            &[
                "observe.text_pointer",
                "observe.slices",
                "observe.slices_max",
                "observe.labels_max",
                "observe.clock_ahead_ms",
            ],
        );
    }

    #[test]
    fn an_embedding_needs_a_width_and_sizes() {
        let good = || EmbeddingSettings {
            pointer: "/embedding".to_owned(),
            dimensions: 384,
            frequencies: 64,
            bandwidth: 1.0,
            seed: 1,
        };
        check(|settings| settings.embedding = Some(good()), &[]);
        check(
            |settings| {
                let bad = EmbeddingSettings { dimensions: 0, frequencies: 513, bandwidth: f64::NAN, ..good() };
                settings.embedding = Some(bad);
            },
            &["observe.embedding.dimensions", "observe.embedding.frequencies", "observe.embedding.bandwidth"],
        );
    }
}
