//! `[drift]` and `[observe]`: what the drift worker reads, in which windows it counts, and what it counts.
//!
//! The parts belong to the crates that use them; here they are written as the sections that a person sees, and joined
//! with what the other sections say: without topics of its own the worker reads what `classify` writes.

use drift::labels::settings::LabelsConfig;
use drift::observation::{EmbeddingSettings, ObserverConfig, ObserverSettings};
use drift::settings::{WindowConfig, WindowSettings};
use kafka::settings::{SourceConfig, SourceSettings};
use schemas::Problem;

use super::written::{DriftSettings, ObserveEmbeddingSettings, ObserveSettings, Settings, check};

/// What the drift worker reads and how it counts, checked.
#[derive(Clone, Debug)]
pub struct DriftConfig {
    source: SourceConfig,
    labeled: usize,
    windows: WindowConfig,
    observer: ObserverConfig,
    clock_ahead_ms: i64,
}

impl DriftConfig {
    /// Its own group and topics, those of dead letters last; everything else is as in `[source]`.
    pub fn source(&self) -> &SourceConfig {
        &self.source
    }

    /// Whether dead letters are read, too.
    pub fn has_dead_letters(&self) -> bool {
        self.labeled < self.source.topics().len()
    }

    /// How far, in milliseconds, an event's time may be ahead of its record's.
    pub fn clock_ahead_ms(&self) -> i64 {
        self.clock_ahead_ms
    }

    pub fn windows(&self) -> &WindowConfig {
        &self.windows
    }

    pub fn observer(&self) -> &ObserverConfig {
        &self.observer
    }
}

/// Checks what the drift worker needs; `source.instance` is already that of this replica.
pub(super) fn check_drift(settings: &Settings, problems: &mut Vec<Problem>) -> Option<DriftConfig> {
    let dead_letter_topics = settings.drift.dead_letter_topics.clone();
    let topics = labeled_topics(settings);
    relations(settings, &topics, problems);
    let labeled = topics.len();
    let topics = topics.into_iter().chain(dead_letter_topics.iter().cloned()).collect();
    let source = SourceSettings { topics, group: settings.drift.group.clone(), ..settings.source.clone() };
    // What is wrong with the rest of [source] is already told.
    let own = |problem: Problem| {
        let key = match problem.key.as_str() {
            "source.topics" => "drift.topics",
            "source.group" => "drift.group",
            _ => return None,
        };
        Some(Problem::new(key, problem.expected))
    };
    let source = SourceConfig::try_from(source);
    let source = source.map_err(|found| problems.extend(found.into_iter().filter_map(own))).ok();
    let windows = check(settings.drift.windows(), problems);
    let observer = check(settings.observe.observer(dead_letter_topics), problems);
    let clock_ahead_ms = settings.observe.clock_ahead_ms;
    Some(DriftConfig { source: source?, labeled, windows: windows?, observer: observer?, clock_ahead_ms })
}

/// `[labels]`, which is `None` where no topic is set.
pub(super) fn check_labels(settings: &Settings, problems: &mut Vec<Problem>) -> Option<Option<LabelsConfig>> {
    LabelsConfig::new(settings.labels.clone()).map_err(|found| problems.extend(found)).ok()
}

/// What `classify` writes, unless other topics are set.
fn labeled_topics(settings: &Settings) -> Vec<String> {
    settings.drift.topics.clone().unwrap_or_else(|| vec![settings.sink.output_topic.clone()])
}

/// What the drift worker and the others must agree on.
fn relations(settings: &Settings, labeled: &[String], problems: &mut Vec<Problem>) {
    let Settings { source, drift, sink, labels, state, .. } = settings;
    if drift.group == source.group {
        let expected = "expected another group than source.group, or each would wait for the other's partitions";
        problems.push(Problem::new("drift.group", format!("{expected}, found {:?} for both", drift.group)));
    }
    let taken = [("sink.output_topic", &sink.output_topic), ("sink.dead_letter_topic", &sink.dead_letter_topic)]
        .into_iter()
        .chain(source.topics.iter().map(|topic| ("source.topics", topic)))
        .chain(labeled.iter().map(|topic| ("drift.topics", topic)))
        .chain(drift.dead_letter_topics.iter().map(|topic| ("drift.dead_letter_topics", topic)))
        .chain(labels.topic.iter().map(|topic| ("labels.topic", topic)));
    if let Some(topic) = &state.topic
        && let Some((key, _)) = taken.into_iter().find(|(_, taken)| *taken == topic)
    {
        let expected = format!("expected a topic of its own, found {topic:?}, which is in {key}");
        problems.push(Problem::new("state.topic", expected));
    }
    if state.restore_wait_ms <= sink.transaction_timeout_ms {
        let least = sink.transaction_timeout_ms;
        let expected = format!("expected more than sink.transaction_timeout_ms ({least})");
        problems.push(Problem::new("state.restore_wait_ms", format!("{expected}, found {}", state.restore_wait_ms)));
    }
    let twice = drift.dead_letter_topics.iter().find(|topic| labeled.contains(topic));
    if let Some(topic) = twice {
        let expected = format!("expected other topics than those of labelled events, found {topic:?} in drift.topics");
        problems.push(Problem::new("drift.dead_letter_topics", expected));
    }
    if let Some(topic) = labels.topic.as_ref().filter(|topic| labeled.contains(topic)) {
        let expected = format!("expected another topic than those of labelled events, found {topic:?} in drift.topics");
        problems.push(Problem::new("labels.topic", expected));
    }
}

impl DriftSettings {
    fn windows(&self) -> WindowSettings {
        WindowSettings {
            granularities: self.granularities.clone(),
            out_of_order_ms: self.out_of_order_ms,
            lateness_ms: self.lateness_ms,
            idle_ms: self.idle_ms,
            retention_ms: self.retention_ms,
            checkpoint_ms: self.checkpoint_ms,
            checkpoint_records_max: self.checkpoint_records_max,
        }
    }
}

impl ObserveSettings {
    fn observer(&self, dead_letter_topics: Vec<String>) -> ObserverSettings {
        let ObserveEmbeddingSettings { pointer, dimensions, frequencies, bandwidth, seed } = self.embedding.clone();
        ObserverSettings {
            text_pointer: Some(self.text_pointer.clone()).filter(|pointer| !pointer.is_empty()),
            event_time_unit: self.event_time_unit,
            slices: self.slices.clone(),
            slices_max: self.slices_max,
            labels_max: self.labels_max,
            clock_ahead_ms: self.clock_ahead_ms,
            clock_ahead_max_ms: self.clock_ahead_max_ms,
            dead_letter_topics,
            embedding: pointer.map(|pointer| EmbeddingSettings { pointer, dimensions, frequencies, bandwidth, seed }),
        }
    }
}
