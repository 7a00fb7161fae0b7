//! Where labels and dead letters go, and how long each step of publishing may take.
//!
//! [`SinkSettings`] is `[sink]` as written; [`SinkConfig`] is what passed every check. How records
//! leave is for the transactor ([`TransactorConfig`]).

use std::num::NonZeroU32;
use std::time::Duration;

use formats::Layout;
use kafka::topic_name::{self, SIGNS};
use kafka::transactor::config::{Compression, Guarantee, TransactorConfig};
use schemas::Problem;
use serde::Deserialize;

/// A dead letter in its smallest form fits into this much: names of 249 bytes, and a sentence.
const MESSAGE_BYTES_LEAST: usize = 4096;

/// `[sink]` as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkSettings {
    pub output_topic: String,
    pub dead_letter_topic: String,
    /// How the user's object and the added fields are combined.
    pub layout: Layout,
    pub guarantee: Guarantee,
    pub compression: Compression,
    /// How long the broker keeps a transaction of a dead process open; readers of the output wait that long.
    pub transaction_timeout_ms: u64,
    /// Producing a batch, its delivery and its offsets, per attempt.
    pub publish_wait_ms: u64,
    /// Committing a transaction; when it is over a new producer settles the outcome and the offsets are read again.
    pub commit_wait_ms: u64,
    /// Aborting a transaction; when it is over a new producer is created.
    pub abort_wait_ms: u64,
    /// Reaching the brokers at the start.
    pub connect_wait_ms: u64,
    /// Attempts per batch, the first included.
    pub attempts_max: u32,
    /// The wait before the second attempt; it doubles each time.
    pub retry_wait_ms: u64,
    /// The largest record, before compression.
    pub message_bytes_max: usize,
    /// How old the known number of output partitions may be, and what is known of the output topics' settings.
    pub partitions_age_max_ms: u64,
    /// Create the output topics when they are missing, with as many partitions as the widest input topic.
    pub create_topics: bool,
    /// `retention.ms` of an output topic that is created; -1 keeps labels for ever.
    pub create_retention_ms: i64,
    /// `retention.ms` of a dead-letter topic that is created; -1 keeps dead letters for ever.
    pub create_dead_letter_retention_ms: i64,
}

/// Checked settings of a publisher.
#[derive(Clone, Debug)]
pub struct SinkConfig {
    pub(crate) output_topic: String,
    pub(crate) dead_letter_topic: String,
    pub(crate) layout: Layout,
    pub(crate) transactor: TransactorConfig,
    pub(crate) create_topics: bool,
    pub(crate) create_retention_ms: i64,
    pub(crate) create_dead_letter_retention_ms: i64,
}

impl SinkConfig {
    pub fn output_topic(&self) -> &str {
        &self.output_topic
    }

    pub fn dead_letter_topic(&self) -> &str {
        &self.dead_letter_topic
    }

    pub fn guarantee(&self) -> Guarantee {
        self.transactor.guarantee
    }

    /// How records leave.
    pub fn transactor(&self) -> &TransactorConfig {
        &self.transactor
    }

    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// How long the brokers may take to answer at the start.
    pub fn connect_wait(&self) -> Duration {
        self.transactor.connect_wait
    }

    pub fn create_topics(&self) -> bool {
        self.create_topics
    }

    /// `retention.ms` of an output topic and of a dead-letter topic that are created; -1 for ever.
    pub fn create_retention_ms(&self) -> (i64, i64) {
        (self.create_retention_ms, self.create_dead_letter_retention_ms)
    }

    /// The largest record, before compression.
    pub fn message_bytes_max(&self) -> usize {
        self.transactor.message_bytes_max
    }

    /// For relations with the source: it must be below `source.max_poll_interval_ms`.
    pub fn transaction_timeout(&self) -> Duration {
        self.transactor.transaction_timeout
    }
}

impl TryFrom<SinkSettings> for SinkConfig {
    type Error = Vec<Problem>;

    fn try_from(settings: SinkSettings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, expected: String| problems.push(Problem::new(format!("sink.{key}"), expected));
        check_topics(&settings, &mut problem);
        check_times(&settings, &mut problem);
        let attempts_max = NonZeroU32::new(settings.attempts_max).unwrap_or_else(|| {
            problem("attempts_max", "expected at least 1, found 0".to_owned());
            NonZeroU32::MIN
        });
        if !(MESSAGE_BYTES_LEAST..=1_000_000_000).contains(&settings.message_bytes_max) {
            let found = settings.message_bytes_max;
            let expected = format!("expected {MESSAGE_BYTES_LEAST} to 1000000000 bytes, found {found}");
            problem("message_bytes_max", expected);
        }
        for (key, retention_ms) in [
            ("create_retention_ms", settings.create_retention_ms),
            ("create_dead_letter_retention_ms", settings.create_dead_letter_retention_ms),
        ] {
            if retention_ms < 1 && retention_ms != -1 {
                problem(key, format!("expected a number of ms, or -1 for unlimited, found {retention_ms}"));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let milliseconds = Duration::from_millis;
        Ok(Self {
            output_topic: settings.output_topic,
            dead_letter_topic: settings.dead_letter_topic,
            layout: settings.layout,
            transactor: TransactorConfig {
                guarantee: settings.guarantee,
                compression: settings.compression,
                transaction_timeout: milliseconds(settings.transaction_timeout_ms),
                publish_wait: milliseconds(settings.publish_wait_ms),
                commit_wait: milliseconds(settings.commit_wait_ms),
                abort_wait: milliseconds(settings.abort_wait_ms),
                connect_wait: milliseconds(settings.connect_wait_ms),
                attempts_max,
                retry_wait: milliseconds(settings.retry_wait_ms),
                message_bytes_max: settings.message_bytes_max,
                partitions_age_max: milliseconds(settings.partitions_age_max_ms),
            },
            create_topics: settings.create_topics,
            create_retention_ms: settings.create_retention_ms,
            create_dead_letter_retention_ms: settings.create_dead_letter_retention_ms,
        })
    }
}

fn check_topics(settings: &SinkSettings, problem: &mut impl FnMut(&str, String)) {
    for (key, topic) in [("output_topic", &settings.output_topic), ("dead_letter_topic", &settings.dead_letter_topic)] {
        if !topic_name::is_valid(topic) {
            problem(key, format!("expected a topic name of {SIGNS}, found {topic:?}"));
        }
    }
    if settings.output_topic == settings.dead_letter_topic {
        let expected = "expected another topic than sink.output_topic";
        problem("dead_letter_topic", format!("{expected}, found {:?} for both", settings.output_topic));
    }
}

fn check_times(settings: &SinkSettings, problem: &mut impl FnMut(&str, String)) {
    for (key, value, least) in [
        ("transaction_timeout_ms", settings.transaction_timeout_ms, 1000),
        ("publish_wait_ms", settings.publish_wait_ms, 100),
        ("commit_wait_ms", settings.commit_wait_ms, 100),
        ("abort_wait_ms", settings.abort_wait_ms, 100),
        ("connect_wait_ms", settings.connect_wait_ms, 100),
        ("retry_wait_ms", settings.retry_wait_ms, 1),
        ("partitions_age_max_ms", settings.partitions_age_max_ms, 100),
    ] {
        if !(least..=900_000).contains(&value) {
            problem(key, format!("expected {least} to 900000 ms, found {value}"));
        }
    }
    let attempt = settings.publish_wait_ms.saturating_add(settings.commit_wait_ms);
    if attempt >= settings.transaction_timeout_ms {
        let expected = "expected more than sink.publish_wait_ms and sink.commit_wait_ms together";
        let found = settings.transaction_timeout_ms;
        problem("transaction_timeout_ms", format!("{expected} ({attempt}), found {found}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> SinkSettings {
        SinkSettings {
            output_topic: "labels".to_owned(),
            dead_letter_topic: "dead".to_owned(),
            layout: Layout::Merge,
            guarantee: Guarantee::ExactlyOnce,
            compression: Compression::Lz4,
            transaction_timeout_ms: 30_000,
            publish_wait_ms: 15_000,
            commit_wait_ms: 10_000,
            abort_wait_ms: 10_000,
            connect_wait_ms: 60_000,
            attempts_max: 5,
            retry_wait_ms: 50,
            message_bytes_max: 1_000_000,
            partitions_age_max_ms: 60_000,
            create_topics: false,
            create_retention_ms: -1,
            create_dead_letter_retention_ms: -1,
        }
    }

    fn check(change: impl FnOnce(&mut SinkSettings), expected: &[&str]) {
        let mut changed = settings();
        change(&mut changed);
        let problems = SinkConfig::try_from(changed).err().unwrap_or_default();
        assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn reports_every_problem_with_its_key() {
        check(|_| (), &[]);
        check(|settings| settings.dead_letter_topic = "labels".to_owned(), &["sink.dead_letter_topic"]);
        check(|settings| settings.commit_wait_ms = 15_000, &["sink.transaction_timeout_ms"]);
        check(
            |settings| {
                settings.output_topic = "a b".to_owned();
                settings.retry_wait_ms = 0;
                settings.attempts_max = 0;
                settings.message_bytes_max = 10;
                settings.create_retention_ms = 0;
                settings.create_dead_letter_retention_ms = -2;
            },
            &[
                "sink.output_topic",
                "sink.retry_wait_ms",
                "sink.attempts_max",
                "sink.message_bytes_max",
                "sink.create_retention_ms",
                "sink.create_dead_letter_retention_ms",
            ],
        );
    }
}
