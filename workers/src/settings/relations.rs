//! What two sections must agree on.

use std::time::Duration;

use schemas::Problem;
use sink::settings::SinkSettings;

use super::written::Settings;

/// Every attempt with all that may be waited for in it, and the waits between them.
pub(super) fn publish_max(sink: &SinkSettings) -> Duration {
    let waits = [sink.publish_wait_ms, sink.commit_wait_ms, sink.abort_wait_ms, sink.connect_wait_ms];
    let attempt = waits.into_iter().fold(0, u64::saturating_add);
    let doubled = (1..sink.attempts_max).map(|retry| sink.retry_wait_ms.saturating_mul(1 << (retry - 1).min(31)));
    let between = doubled.fold(0, u64::saturating_add);
    Duration::from_millis(attempt.saturating_mul(u64::from(sink.attempts_max)).saturating_add(between))
}

/// What two sections must agree on.
pub(super) fn relations(settings: &Settings) -> Vec<Problem> {
    let Settings { source, decode, sink, run, .. } = settings;
    let mut problems = Vec::new();
    if source.instance.as_ref().is_none_or(String::is_empty) {
        let expected =
            "expected a name that no other replica of the group has: the transactional id is derived from it";
        let found =
            if source.instance.is_some() { "an empty string" } else { "none, and a host name that is not UTF-8" };
        problems.push(Problem::new("source.instance", format!("{expected}, found {found}")));
    }
    for (key, topic) in [("sink.output_topic", &sink.output_topic), ("sink.dead_letter_topic", &sink.dead_letter_topic)]
    {
        if source.topics.contains(topic) {
            let expected = format!(
                "expected a topic that is not among source.topics, found {topic:?}: that would be an endless loop"
            );
            problems.push(Problem::new(key, expected));
        }
    }
    for entry in &decode.tombstones_by_topic {
        let topic = entry.split('=').next().unwrap_or_default();
        if entry.contains('=') && !topic.is_empty() && !source.topics.iter().any(|own| own == topic) {
            let expected = format!("expected a topic of source.topics, found {topic:?}");
            problems.push(Problem::new("decode.tombstones_by_topic", expected));
        }
    }
    let mut at_least = |key: &str, found: u64, least: u64, what: &str| {
        if found < least {
            problems.push(Problem::new(key, format!("expected at least {what} ({least}), found {found}")));
        }
    };
    at_least(
        "source.max_poll_interval_ms",
        source.max_poll_interval_ms,
        sink.transaction_timeout_ms.saturating_add(1),
        "one more than sink.transaction_timeout_ms",
    );
    at_least(
        "run.shutdown_grace_ms",
        run.shutdown_grace_ms,
        sink.publish_wait_ms.saturating_add(sink.commit_wait_ms).saturating_add(source.close_wait_ms),
        "sink.publish_wait_ms, sink.commit_wait_ms and source.close_wait_ms together",
    );
    if decode.payload_bytes_max >= sink.message_bytes_max {
        let expected = format!(
            "expected less than sink.message_bytes_max ({}), which also holds the label",
            sink.message_bytes_max
        );
        problems
            .push(Problem::new("decode.payload_bytes_max", format!("{expected}, found {}", decode.payload_bytes_max)));
    }
    problems
}
