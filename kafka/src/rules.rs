//! What a topic takes, as the broker tells it: sizes, keys, times. A record that would be refused is known beforehand.
//!
//! The broker's answer to a record counts, not this: rules may be hidden from this user, change, or be decided by another
//! clock. So whatever is not surely refused is sent.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use crate::connection::Connection;
use crate::error::TransactError;
use crate::outgoing::Outgoing;
use crate::rule::Rule;

/// The clocks of this machine and of the broker may differ by this much: what is refused by less is left to the broker.
const CLOCKS_APART_MS: i64 = 60_000;

/// The rules of one topic. What is not known is `None` or false.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicRules {
    /// `max.message.bytes`: a batch after compression.
    pub bytes_max: Option<usize>,
    /// `cleanup.policy` has `compact`: the topic keeps the newest record of every key, and takes none without a key.
    pub keeps_keys: bool,
    /// `cleanup.policy` has `delete`: what is too old or too much goes.
    pub deletes: bool,
    /// How far a record's time may be before the broker's; `None` for no limit.
    pub before_max_ms: Option<i64>,
    /// How far a record's time may be after the broker's; `None` for no limit.
    pub after_max_ms: Option<i64>,
    /// `message.timestamp.type` is `LogAppendTime`: every record gets the time at which it arrives.
    pub stamps: bool,
    /// `retention.ms`, where it is limited.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`, per partition, where it is limited.
    pub retention_bytes: Option<i64>,
}

impl TopicRules {
    fn of(resource: &ConfigResource) -> Self {
        let text = |name: &str| resource.get(name).and_then(|entry| entry.value.as_deref());
        let number = |name: &str| text(name).and_then(|value| value.parse::<i64>().ok());
        let limit = |name: &str| number(name).filter(|value| (0..i64::MAX).contains(value));
        let stamps = text("message.timestamp.type") == Some("LogAppendTime");
        // Before Kafka 3.6 there was one limit for both directions.
        let time = |name: &str| {
            let known = text(name).map_or_else(|| limit("message.timestamp.difference.max.ms"), |_| limit(name));
            known.filter(|_| !stamps)
        };
        let policy = text("cleanup.policy").unwrap_or_default();
        Self {
            bytes_max: number("max.message.bytes").and_then(|bytes| usize::try_from(bytes).ok()),
            keeps_keys: policy.contains("compact"),
            deletes: policy.contains("delete"),
            before_max_ms: time("message.timestamp.before.max.ms"),
            after_max_ms: time("message.timestamp.after.max.ms"),
            stamps,
            retention_ms: limit("retention.ms"),
            retention_bytes: limit("retention.bytes"),
        }
    }

    /// The rule by which the broker surely refuses a record, sizes apart: they depend on compression.
    pub(crate) fn broken_by(&self, record: &Outgoing, now_ms: i64) -> Option<Rule> {
        if self.keeps_keys && record.key.is_none() {
            return Some(Rule::Key);
        }
        self.time_broken_by(record.timestamp_ms, now_ms, CLOCKS_APART_MS)
    }

    /// The rule that a record's time breaks by more than `slack_ms`; none and 0 become the time of sending.
    pub fn time_broken_by(&self, timestamp_ms: Option<i64>, now_ms: i64, slack_ms: i64) -> Option<Rule> {
        let time = timestamp_ms.filter(|time| *time != 0 && *time != -1)?;
        let (behind, ahead) = (now_ms.saturating_sub(time), time.saturating_sub(now_ms));
        if let Some(max) = self.after_max_ms.filter(|max| ahead > max.saturating_add(slack_ms)) {
            return Some(Rule::TooNew { ahead_ms: ahead, max_ms: max });
        }
        let max = self.before_max_ms.filter(|max| behind > max.saturating_add(slack_ms))?;
        Some(Rule::TooOld { behind_ms: behind, max_ms: max })
    }
}

/// Asks for the rules of each topic; `None` for those that this user may not see or that are not there.
///
/// # Errors
/// When no broker answers within `wait`.
pub fn topic_rules(
    connection: &Connection,
    topics: &[&str],
    wait: Duration,
) -> Result<Vec<Option<TopicRules>>, TransactError> {
    let failed = |reason: String| {
        TransactError::exit(format!("to {}: read the settings of topics", connection.brokers()), reason)
    };
    let client: AdminClient<DefaultClientContext> =
        connection.client().create().map_err(|error| failed(error.to_string()))?;
    let asked: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
    let options = AdminOptions::new().request_timeout(Some(wait));
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| failed(error.to_string()))?;
    let answer = runtime.block_on(client.describe_configs(&asked, &options));
    let found = answer.map_err(|error| failed(error.to_string()))?;
    Ok(found
        .iter()
        .map(|found| found.as_ref().ok().filter(|found| !found.entries.is_empty()).map(TopicRules::of))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn check(time: Option<i64>, expected: Option<Rule>) {
        let rules = TopicRules { before_max_ms: Some(1000), after_max_ms: Some(3_600_000), ..TopicRules::default() };
        assert_eq!(rules.time_broken_by(time, NOW, 0), expected, "{time:?}");
    }

    #[test]
    fn times_are_held_against_both_limits() {
        let old = |behind_ms| Some(Rule::TooOld { behind_ms, max_ms: 1000 });
        let new = |ahead_ms| Some(Rule::TooNew { ahead_ms, max_ms: 3_600_000 });
        check(Some(NOW), None);
        check(Some(NOW + 3_600_000), None);
        check(Some(NOW + 3_600_001), new(3_600_001));
        check(Some(i64::MAX), new(i64::MAX - NOW));
        check(Some(NOW - 1001), old(1001));
        check(Some(-5), old(NOW + 5));
        check(Some(i64::MIN), old(i64::MAX));
        for sent_as_now in [None, Some(0), Some(-1)] {
            check(sent_as_now, None);
        }
    }
}
