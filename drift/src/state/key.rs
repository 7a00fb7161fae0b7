//! The keys of the state topic, and why a record there cannot be used.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemas::Recovery;
use schemas::event::Origin;

use crate::counts::CountsError;
use crate::window::{Granularity, Window};

/// A partition of a topic that is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    pub topic: Arc<str>,
    pub partition: i32,
}

impl From<(Arc<str>, i32)> for TopicPartition {
    fn from((topic, partition): (Arc<str>, i32)) -> Self {
        Self { topic, partition }
    }
}

impl From<&Origin> for TopicPartition {
    fn from(origin: &Origin) -> Self {
        Self { topic: Arc::clone(&origin.topic), partition: origin.partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}

/// Which half of a window's events a partial holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Counted before the partition's watermark passed the window's end, sums of finer windows included.
    OnTime,
    /// Counted after it, within the allowed lateness.
    Late,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::OnTime => "on_time",
            Self::Late => "late",
        }
    }
}

/// Names one half of one partition's part of a window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartialKey {
    pub window: Window,
    pub source: TopicPartition,
    pub part: Part,
}

/// A key of the state topic; [`Display`](fmt::Display) writes it and [`FromStr`] reads it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// What one partition counted of a window.
    Partial(PartialKey),
    /// How far a partition is counted.
    Progress(TopicPartition),
    /// What was reported of a window.
    Closed(Window),
    /// Up to where closed windows are forgotten.
    Horizon(Granularity),
    /// What the model said about one partition's events of a window, for true labels to come.
    Predictions { window: Window, source: TopicPartition },
    /// What was reported of a window's true performance.
    Performance(Window),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partial(PartialKey { window, source, part }) => {
                let (TopicPartition { topic, partition }, part) = (source, part.name());
                write!(f, "partial/{topic}/{partition}/{}/{}/{part}", window.granularity, window.start_ms)
            }
            Self::Progress(TopicPartition { topic, partition }) => write!(f, "progress/{topic}/{partition}"),
            Self::Closed(window) => write!(f, "closed/{}/{}", window.granularity, window.start_ms),
            Self::Horizon(granularity) => write!(f, "horizon/{granularity}"),
            Self::Predictions { window, source: TopicPartition { topic, partition } } => {
                write!(f, "predictions/{topic}/{partition}/{}/{}", window.granularity, window.start_ms)
            }
            Self::Performance(window) => write!(f, "performance/{}/{}", window.granularity, window.start_ms),
        }
    }
}

impl FromStr for Key {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        let parts: Vec<&str> = text.split('/').collect();
        let key = match parts[..] {
            ["partial", topic, partition, granularity, start_ms, part] => {
                let half = [Part::OnTime, Part::Late].into_iter().find(|half| half.name() == part);
                window(granularity, start_ms)
                    .zip(source(topic, partition))
                    .zip(half)
                    .map(|((window, source), part)| Self::Partial(PartialKey { window, source, part }))
            }
            ["progress", topic, partition] => source(topic, partition).map(Self::Progress),
            ["closed", granularity, start_ms] => window(granularity, start_ms).map(Self::Closed),
            ["horizon", granularity] => granularity.parse().ok().map(Self::Horizon),
            ["predictions", topic, partition, granularity, start_ms] => window(granularity, start_ms)
                .zip(source(topic, partition))
                .map(|(window, source)| Self::Predictions { window, source }),
            ["performance", granularity, start_ms] => window(granularity, start_ms).map(Self::Performance),
            _ => None,
        };
        // One spelling a key, or the newest value of "+1" would not replace that of "1".
        key.filter(|key| key.to_string() == text).ok_or_else(|| StateError::Key { key: text.to_owned() })
    }
}

fn source(topic: &str, partition: &str) -> Option<TopicPartition> {
    let partition = partition.parse().ok().filter(|&partition: &i32| partition >= 0)?;
    (!topic.is_empty()).then(|| TopicPartition { topic: topic.into(), partition })
}

/// The window that begins there; `None` when none of that length does.
fn window(granularity: &str, start_ms: &str) -> Option<Window> {
    let granularity: Granularity = granularity.parse().ok()?;
    let start_ms = start_ms.parse().ok()?;
    Some(granularity.window(start_ms)).filter(|window| window.start_ms == start_ms)
}

/// A record of the state topic that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("read the state: {key:?} is not a key of this version")]
    Key { key: String },
    #[error(
        "read the state of {key}: it has format {found}, and this version reads format {known}; run the version that wrote it"
    )]
    Newer { key: Key, found: u8, known: u8 },
    #[error("read the state of {key}: {reason}")]
    Corrupt { key: Key, reason: &'static str },
    #[error("read the state of {key}")]
    Json { key: Key, source: serde_json::Error },
    #[error("read the state of {key}")]
    Counts { key: Key, source: CountsError },
}

impl StateError {
    /// Reading the same bytes again gives the same error.
    pub fn recovery(&self) -> Recovery {
        Recovery::Exit
    }
}
