//! What is read, as which member of which group, and how long each wait may take.
//!
//! [`SourceSettings`] is `[source]` as written; [`SourceConfig`] is what passed every check. The librdkafka options are
//! all set here, each with its reason.

use std::num::NonZeroUsize;
use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use schemas::Problem;
use serde::Deserialize;

use crate::connection::Connection;
use crate::prefetch;
use crate::topic_name::{self, SIGNS};

/// `[source]` as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    pub topics: Vec<String>,
    pub group: String,
    /// Names this replica: static membership and the transactional id derive from it. Empty: a member without a name,
    /// which leaves the group when it stops.
    pub instance: Option<String>,
    pub assignment: Assignment,
    /// Where a group begins in a topic of which it has committed nothing.
    pub offset_reset: OffsetReset,
    /// How long it may take until new partitions are noticed.
    pub metadata_age_max_ms: u64,
    /// How long a replica may be gone before the others take its partitions.
    pub session_timeout_ms: u64,
    /// How long the poll thread may be stuck before the broker removes this member.
    pub max_poll_interval_ms: u64,
    /// How long a rebalance waits for the publish in progress.
    pub revoke_wait_ms: u64,
    /// How long a missing input topic may take to appear at the start.
    pub topic_wait_ms: u64,
    /// How long one question to the broker (committed offsets, ends of partitions) may take; it is repeated after that.
    pub request_wait_ms: u64,
    /// How long closing may take: leaving the group, ending the poll thread.
    pub close_wait_ms: u64,
    /// Records handed over at once; the same number may wait.
    pub queue_records_max: usize,
    /// Bytes of keys, payloads and headers handed over at once; the same number may wait.
    pub queue_bytes_max: usize,
    /// Bytes that may be fetched ahead, over all partitions, headers included and as they are compressed.
    pub prefetch_bytes_max: usize,
}

/// How the group spreads partitions over its members. All members must use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assignment {
    /// Partitions move only where they must; the others go on being read.
    CooperativeSticky,
    /// Contiguous ranges; every rebalance stops all members for a moment.
    Range,
}

/// Where a group begins that is new to a topic. A partition that appears later is read from its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffsetReset {
    Earliest,
    Latest,
}

/// When a source that works up to the present end has reached it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UntilEnd {
    /// When everything up to there is committed by the group.
    Committed,
    /// When everything up to there was handed over: for readers that commit nothing.
    Delivered,
}

/// Checked settings of a [`crate::consumer::KafkaSource`].
#[derive(Clone, Debug)]
pub struct SourceConfig {
    pub(crate) topics: Vec<String>,
    pub(crate) group: String,
    pub(crate) instance: Option<String>,
    pub(crate) assignment: Assignment,
    pub(crate) offset_reset: OffsetReset,
    pub(crate) metadata_age_max: Duration,
    pub(crate) session_timeout: Duration,
    pub(crate) max_poll_interval: Duration,
    pub(crate) revoke_wait: Duration,
    pub(crate) topic_wait: Duration,
    pub(crate) request_wait: Duration,
    pub(crate) close_wait: Duration,
    pub(crate) queue_records_max: NonZeroUsize,
    pub(crate) queue_bytes_max: NonZeroUsize,
    pub(crate) prefetch_bytes_max: usize,
    pub(crate) until_end: Option<UntilEnd>,
    pub(crate) tells_ends: bool,
    pub(crate) tells_drained: bool,
    /// False for readers that commit nothing.
    pub(crate) commits_starts: bool,
}

impl SourceConfig {
    /// Makes the source end at the offsets that are the ends of its topics when it starts.
    #[must_use]
    pub fn until_end(mut self, until: UntilEnd) -> Self {
        self.until_end = Some(until);
        self.commits_starts &= until == UntilEnd::Committed;
        self
    }

    /// Makes the source tell, in [`crate::lease::Leases::assigned`], which partitions are read to their ends.
    #[must_use]
    pub fn telling_ends(mut self) -> Self {
        self.tells_ends = true;
        self
    }

    /// Makes the source tell the ends of drained partitions, for a reader that commits them.
    #[must_use]
    pub fn telling_drained(mut self) -> Self {
        self.tells_drained = true;
        self
    }

    /// Makes a reader that commits nothing begin with the first record.
    #[must_use]
    pub fn from_the_beginning(mut self) -> Self {
        self.offset_reset = OffsetReset::Earliest;
        self.commits_starts = false;
        self
    }

    /// The same reading of other topics, as a member without a name of another group: for tools beside the pipeline.
    #[must_use]
    pub fn reading(mut self, topics: Vec<String>, group: impl Into<String>) -> Self {
        self.topics = topics;
        self.group = group.into();
        self.instance = None;
        self
    }

    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    pub fn group(&self) -> &str {
        &self.group
    }

    pub fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// How long one question to the broker may take.
    pub fn request_wait(&self) -> Duration {
        self.request_wait
    }

    /// For the maker of output topics, which are as wide as these.
    pub fn topic_wait(&self) -> Duration {
        self.topic_wait
    }

    /// For relations with the sink: a transaction must not outlive it.
    pub fn max_poll_interval(&self) -> Duration {
        self.max_poll_interval
    }

    /// Every librdkafka option that we depend on, with its reason.
    pub(crate) fn client(&self, connection: &Connection) -> ClientConfig {
        let mut client = connection.client();
        let mut set = |name: &str, value: &dyn ToString| {
            client.set(name, value.to_string());
        };
        set("group.id", &self.group);
        if let Some(instance) = &self.instance {
            // A restart within the session time-out gets its partitions back without a rebalance.
            set("group.instance.id", instance);
        }
        // Generations, leases and static fencing rest on the classic protocol's generation id.
        set("group.protocol", &"classic");
        set("partition.assignment.strategy", &self.assignment.property());
        // Offsets travel in the transaction of the labels that they stand for, and in no other way.
        set("enable.auto.commit", &false);
        set("enable.auto.offset.store", &false);
        // Also makes librdkafka ask for stable offsets: a new owner waits for the old owner's commit in flight.
        set("isolation.level", &"read_committed");
        // For positions that a broker refuses, also with `latest`: what exists is read. A group's first start is ours to
        // find, and partitions without a committed offset begin here until it is found.
        set("auto.offset.reset", &"earliest");
        set("topic.metadata.refresh.interval.ms", &self.metadata_age_max.as_millis());
        // A misspelt topic must be an error and not a new topic.
        set("allow.auto.create.topics", &false);
        set("session.timeout.ms", &self.session_timeout.as_millis());
        set("heartbeat.interval.ms", &(self.session_timeout / 10).as_millis().clamp(100, 3000));
        set("max.poll.interval.ms", &self.max_poll_interval.as_millis());
        // One record is enough for an answer: latency. Under load a fetch is full anyway.
        set("fetch.min.bytes", &1);
        // An idle fetch holds up seeks and new partitions of the same broker: 100 ms instead of 500.
        set("fetch.wait.max.ms", &100);
        // Lag, broker state, and positions past transaction markers; more often where an end is waited for.
        let statistics_ms = if self.until_end.is_some() || self.tells_ends { 250 } else { 5000 };
        set("statistics.interval.ms", &statistics_ms);
        // The bounds of reading ahead: memory, and what a rewind throws away.
        prefetch::bound(&mut client, self.prefetch_bytes_max);
        // A refused position is told as a warning of librdkafka, and must be heard however little is logged.
        if matches!(client.log_level, RDKafkaLogLevel::Error) {
            client.set_log_level(RDKafkaLogLevel::Warning);
        }
        client
    }
}

impl Assignment {
    fn property(self) -> &'static str {
        match self {
            Self::CooperativeSticky => "cooperative-sticky",
            Self::Range => "range",
        }
    }
}

impl TryFrom<SourceSettings> for SourceConfig {
    type Error = Vec<Problem>;

    fn try_from(settings: SourceSettings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, expected: String| problems.push(Problem::new(format!("source.{key}"), expected));
        check_names(&settings, &mut problem);
        check_times(&settings, &mut problem);
        let mut positive = |key: &str, value: usize| {
            NonZeroUsize::new(value).unwrap_or_else(|| {
                problem(key, "expected at least 1, found 0".to_owned());
                NonZeroUsize::MIN
            })
        };
        let queue_records_max = positive("queue_records_max", settings.queue_records_max);
        let queue_bytes_max = positive("queue_bytes_max", settings.queue_bytes_max);
        if settings.prefetch_bytes_max < 1 << 20 {
            let found = settings.prefetch_bytes_max;
            problem("prefetch_bytes_max", format!("expected at least 1048576 (1 MiB), found {found}"));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            topics: settings.topics,
            group: settings.group,
            instance: settings.instance.filter(|instance| !instance.is_empty()),
            assignment: settings.assignment,
            offset_reset: settings.offset_reset,
            metadata_age_max: Duration::from_millis(settings.metadata_age_max_ms),
            session_timeout: Duration::from_millis(settings.session_timeout_ms),
            max_poll_interval: Duration::from_millis(settings.max_poll_interval_ms),
            revoke_wait: Duration::from_millis(settings.revoke_wait_ms),
            topic_wait: Duration::from_millis(settings.topic_wait_ms),
            request_wait: Duration::from_millis(settings.request_wait_ms),
            close_wait: Duration::from_millis(settings.close_wait_ms),
            queue_records_max,
            queue_bytes_max,
            prefetch_bytes_max: settings.prefetch_bytes_max,
            until_end: None,
            tells_ends: false,
            tells_drained: false,
            commits_starts: true,
        })
    }
}

fn check_names(settings: &SourceSettings, problem: &mut impl FnMut(&str, String)) {
    if settings.topics.is_empty() {
        problem("topics", "expected at least one topic, found none".to_owned());
    }
    for (place, topic) in settings.topics.iter().enumerate() {
        if !topic_name::is_valid(topic) {
            problem("topics", format!("expected topic names of {SIGNS}, found {topic:?}"));
        }
        if settings.topics[..place].contains(topic) {
            problem("topics", format!("expected every topic once, found {topic:?} again"));
        }
    }
    if settings.group.is_empty() {
        problem("group", "expected a name, found an empty string".to_owned());
    }
    if let Some(instance) = settings.instance.as_ref().filter(|instance| !instance.is_empty())
        && !topic_name::is_valid(instance)
    {
        problem("instance", format!("expected a name of {SIGNS}, found {instance:?}"));
    }
}

fn check_times(settings: &SourceSettings, problem: &mut impl FnMut(&str, String)) {
    for (key, value, least) in [
        ("session_timeout_ms", settings.session_timeout_ms, 1000),
        ("max_poll_interval_ms", settings.max_poll_interval_ms, 1000),
        ("request_wait_ms", settings.request_wait_ms, 100),
        ("close_wait_ms", settings.close_wait_ms, 100),
    ] {
        if !(least..=86_400_000).contains(&value) {
            problem(key, format!("expected {least} to 86400000 ms, found {value}"));
        }
    }
    if !(100..=3_600_000).contains(&settings.metadata_age_max_ms) {
        let found = settings.metadata_age_max_ms;
        problem("metadata_age_max_ms", format!("expected 100 to 3600000 ms, found {found}"));
    }
    let SourceSettings { session_timeout_ms, max_poll_interval_ms, revoke_wait_ms, request_wait_ms, .. } = *settings;
    if max_poll_interval_ms < session_timeout_ms {
        let expected = format!("expected at least source.session_timeout_ms ({session_timeout_ms})");
        problem("max_poll_interval_ms", format!("{expected}, found {max_poll_interval_ms}"));
    }
    if revoke_wait_ms.saturating_add(request_wait_ms) >= max_poll_interval_ms {
        let expected = "expected, with source.request_wait_ms, less than source.max_poll_interval_ms";
        problem("revoke_wait_ms", format!("{expected} ({max_poll_interval_ms}), found {revoke_wait_ms}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::REFUSED;

    fn settings() -> SourceSettings {
        SourceSettings {
            topics: vec!["in".to_owned()],
            group: "labelstream".to_owned(),
            instance: Some("one".to_owned()),
            assignment: Assignment::CooperativeSticky,
            offset_reset: OffsetReset::Earliest,
            metadata_age_max_ms: 30_000,
            session_timeout_ms: 30_000,
            max_poll_interval_ms: 300_000,
            revoke_wait_ms: 10_000,
            topic_wait_ms: 10_000,
            request_wait_ms: 5000,
            close_wait_ms: 5000,
            queue_records_max: 500,
            queue_bytes_max: 1 << 20,
            prefetch_bytes_max: 16 << 20,
        }
    }

    fn check(change: impl FnOnce(&mut SourceSettings), expected: &[&str]) {
        let mut changed = settings();
        change(&mut changed);
        let problems = SourceConfig::try_from(changed).err().unwrap_or_default();
        assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn reports_every_problem_with_its_key() {
        check(|_| (), &[]);
        check(|settings| settings.instance = Some(String::new()), &[]);
        check(|settings| settings.topics.clear(), &["source.topics"]);
        check(|settings| settings.topics.push("in".to_owned()), &["source.topics"]);
        check(|settings| settings.revoke_wait_ms = 295_000, &["source.revoke_wait_ms"]);
        check(
            |settings| {
                settings.topics[0] = "no/topic".to_owned();
                settings.group.clear();
                settings.metadata_age_max_ms = 0;
                settings.session_timeout_ms = 400_000;
                settings.queue_records_max = 0;
                settings.prefetch_bytes_max = 1;
            },
            &[
                "source.topics",
                "source.group",
                "source.metadata_age_max_ms",
                "source.max_poll_interval_ms",
                "source.queue_records_max",
                "source.prefetch_bytes_max",
            ],
        );
    }

    #[test]
    fn no_property_is_overridden_in_silence() {
        let connection = Connection::plaintext("one:9092");
        let client = SourceConfig::try_from(settings()).expect("valid settings").client(&connection);
        for name in client.config_map().keys() {
            assert!(REFUSED.iter().any(|(refused, _)| refused == name), "{name} is set and may be set by users");
        }
    }
}
