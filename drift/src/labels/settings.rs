//! `[labels]`: where true labels come from and how long they may take.
//!
//! A label record is decoded by the decoder of [`formats`]: the label is the text of such an event.

use std::num::NonZeroUsize;

use formats::time::TimeUnit;
use formats::{DecodeConfig, DecodeSettings, Format, OnClash, Tombstones};
use schemas::Problem;
use serde::Deserialize;

use crate::window::Granularity;

/// A longer label record is no label record. 64 KiB leaves room for objects that carry the text along.
const PAYLOAD_BYTES_MAX: usize = 65_536;
/// Predictions are kept per window of at least this length: true labels come too slowly for shorter ones.
const PREDICTIONS_LENGTH_MS: i64 = 3_600_000;

/// `[labels]` as written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelsSettings {
    /// `None`: there are no true labels.
    pub topic: Option<String>,
    pub id_pointer: String,
    /// Leads to the true label, a string.
    pub label_pointer: String,
    /// Leads to the time when the label was given; `None` takes the record's timestamp.
    pub time_pointer: Option<String>,
    pub time_unit: TimeUnit,
    /// How long after a window's end labels of its events still count.
    pub ttl_ms: i64,
    /// Predictions kept per window and partition; of more, a sample.
    pub predictions_max: usize,
    /// True labels kept in memory; of more, a sample.
    pub labels_max: usize,
    /// The least time between two revisions of one window for new labels.
    pub revise_every_ms: i64,
}

/// The same, checked; it exists only where there is a labels topic.
#[derive(Clone, Debug)]
pub struct LabelsConfig {
    pub(super) topic: String,
    pub(super) decode: DecodeConfig,
    pub(super) ttl_ms: i64,
    pub(super) predictions_max: NonZeroUsize,
    pub(super) labels_max: NonZeroUsize,
    pub(super) revise_every_ms: i64,
}

impl LabelsConfig {
    /// Checks the settings; `None` without a topic.
    ///
    /// # Errors
    /// Every problem, also where no topic is set: a setting that will never work is better fixed now.
    pub fn new(settings: LabelsSettings) -> Result<Option<Self>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, expected: String| problems.push(Problem::new(format!("labels.{key}"), expected));
        if settings.topic.as_deref() == Some("") {
            problem("topic", "expected the name of a topic, found an empty string".to_owned());
        }
        for (key, value) in [("ttl_ms", settings.ttl_ms), ("revise_every_ms", settings.revise_every_ms)] {
            if !(1000..=31_536_000_000).contains(&value) {
                problem(key, format!("expected 1000 to 31536000000 ms (a year), found {value}"));
            }
        }
        let mut count = |key: &str, value: usize| {
            if !(1..=10_000_000).contains(&value) {
                problem(key, format!("expected 1 to 10000000, found {value}"));
            }
            NonZeroUsize::new(value).unwrap_or(NonZeroUsize::MIN)
        };
        let predictions_max = count("predictions_max", settings.predictions_max);
        let labels_max = count("labels_max", settings.labels_max);
        let decode = DecodeConfig::try_from(DecodeSettings {
            format: Format::Json,
            text_pointer: settings.label_pointer,
            id_pointer: Some(settings.id_pointer),
            event_time_pointer: settings.time_pointer,
            event_time_unit: settings.time_unit,
            payload_bytes_max: PAYLOAD_BYTES_MAX,
            on_clash: OnClash::DeadLetter,
            // A label that is taken back is counted as refused.
            tombstones: Tombstones::DeadLetter,
            tombstones_by_topic: Vec::new(),
        });
        let decode = decode.map_err(|of_decode| problems.extend(of_decode.into_iter().map(of_labels))).ok();
        match (decode, settings.topic) {
            (Some(decode), topic) if problems.is_empty() => Ok(topic.map(|topic| Self {
                topic,
                decode,
                ttl_ms: settings.ttl_ms,
                predictions_max,
                labels_max,
                revise_every_ms: settings.revise_every_ms,
            })),
            _ => Err(problems),
        }
    }

    /// The labels topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Predictions kept per window and partition.
    pub fn predictions_max(&self) -> NonZeroUsize {
        self.predictions_max
    }
}

/// The granularity that predictions are kept by: the finest of an hour or more, else the coarsest. Performance is reported
/// for it and for coarser ones.
///
/// `granularities` ascend, and there is at least one.
pub fn predictions_granularity(granularities: &[Granularity]) -> Granularity {
    let coarsest = granularities[granularities.len() - 1];
    granularities.iter().copied().find(|own| own.length_ms() >= PREDICTIONS_LENGTH_MS).unwrap_or(coarsest)
}

/// The problem under the key that the user wrote.
fn of_labels(problem: Problem) -> Problem {
    let key = match problem.key.as_str() {
        "decode.text_pointer" => "labels.label_pointer",
        "decode.id_pointer" => "labels.id_pointer",
        "decode.event_time_pointer" => "labels.time_pointer",
        other => other,
    };
    Problem::new(key, problem.expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn settings() -> LabelsSettings {
        LabelsSettings {
            topic: Some("truth".to_owned()),
            id_pointer: "/id".to_owned(),
            label_pointer: "/label".to_owned(),
            time_pointer: None,
            time_unit: TimeUnit::Milliseconds,
            ttl_ms: 604_800_000,
            predictions_max: 5000,
            labels_max: 1_000_000,
            revise_every_ms: 3_600_000,
        }
    }

    fn check(change: impl FnOnce(&mut LabelsSettings), expected: &[&str]) {
        let mut changed = settings();
        change(&mut changed);
        let problems = LabelsConfig::new(changed).err().unwrap_or_default();
        assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn reports_every_problem_with_the_key_that_was_written() {
        check(|_| (), &[]);
        check(|settings| settings.topic = Some(String::new()), &["labels.topic"]);
        check(
            |settings| {
                settings.ttl_ms = 10;
                settings.predictions_max = 0;
                settings.label_pointer = "label".to_owned();
                settings.time_pointer = Some("~".to_owned());
            },
            &["labels.ttl_ms", "labels.predictions_max", "labels.label_pointer", "labels.time_pointer"],
        );
    }

    #[test]
    fn no_topic_is_no_labels() {
        let off = LabelsConfig::new(LabelsSettings { topic: None, ..settings() }).expect("valid");
        assert!(off.is_none());
        assert_eq!(LabelsConfig::new(settings()).expect("valid").expect("a topic").topic(), "truth");
    }

    #[test]
    fn predictions_are_kept_by_the_hour_where_there_are_hours() {
        let of = |lengths: &[i64]| lengths.iter().filter_map(|ms| Granularity::from_millis(*ms)).collect::<Vec<_>>();
        for (lengths, expected) in [
            (&[60_000, 3_600_000, 86_400_000][..], 3_600_000),
            (&[60_000, 86_400_000], 86_400_000),
            (&[1000, 60_000], 60_000),
        ] {
            assert_eq!(predictions_granularity(&of(lengths)).length_ms(), expected);
        }
    }
}
