//! Why reading ends, as a sentence that helps: what was read, and what the broker, or librdkafka, says about it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use schemas::Recovery;

use crate::reaction::{ErrorKind, Reaction, Step, judge};
use crate::settings::SourceConfig;
use crate::source::SourceError;

/// The error that ends the process; otherwise what to do about it.
///
/// `reason` is librdkafka's own text, which names the topic where the code does not.
pub(crate) fn exit_or(error: &KafkaError, reason: &str, config: &SourceConfig) -> Result<Reaction, SourceError> {
    match judge(Step::Read, error) {
        Reaction::Fenced => Err(replaced(config)),
        Reaction::Exit => Err(describe(error, reason, config)),
        reaction => Ok(reaction),
    }
}

fn describe(error: &KafkaError, reason: &str, config: &SourceConfig) -> SourceError {
    let (topics, group) = (format!("topics {}", config.topics.join(", ")), format!("as group {}", config.group));
    let text = if reason.is_empty() { error.to_string() } else { reason.to_owned() };
    match (ErrorKind::of_error(error), error.rdkafka_error_code()) {
        (ErrorKind::NoTopic | ErrorKind::NoPartition, _) => exit(topics, text),
        (ErrorKind::Denied, Some(Code::TopicAuthorizationFailed)) => exit(topics, format!("not permitted: {text}")),
        (ErrorKind::Denied, Some(Code::GroupAuthorizationFailed)) => exit(group, format!("not permitted: {text}")),
        (ErrorKind::Denied | ErrorKind::Credentials, _) => {
            exit("from the brokers".to_owned(), format!("not permitted: {text}"))
        }
        (_, Some(Code::InconsistentGroupProtocol)) => exit(
            group,
            "the group's other members use another source.assignment; all of them must use the same".to_owned(),
        ),
        (_, Some(Code::InvalidSessionTimeout)) => {
            exit(group, "source.session_timeout_ms is outside of what the broker allows".to_owned())
        }
        _ => exit(group, text),
    }
}

/// Another process has taken over the name of this replica.
pub(crate) fn replaced(config: &SourceConfig) -> SourceError {
    let instance = config.instance.as_deref().unwrap_or_default();
    exit(
        format!("as instance {instance}"),
        format!(
            "a second process runs under the instance name {instance} and took over; \
             give every replica its own --instance"
        ),
    )
}

/// An error that ends the process.
pub(crate) fn exit(what: String, reason: String) -> SourceError {
    SourceError::Broker { what, reason, recovery: Recovery::Exit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Assignment, OffsetReset, SourceSettings};

    fn check(error: &KafkaError, reason: &str, expected: &str) {
        let config = SourceConfig::try_from(SourceSettings {
            topics: vec!["messages".to_owned()],
            group: "labelstream".to_owned(),
            instance: Some("one".to_owned()),
            assignment: Assignment::CooperativeSticky,
            offset_reset: OffsetReset::Earliest,
            metadata_age_max_ms: 30_000,
            session_timeout_ms: 6000,
            max_poll_interval_ms: 60_000,
            revoke_wait_ms: 100,
            topic_wait_ms: 100,
            request_wait_ms: 100,
            close_wait_ms: 100,
            queue_records_max: 1,
            queue_bytes_max: 1,
            prefetch_bytes_max: 1 << 20,
        })
        .expect("valid settings");
        let found = exit_or(error, reason, &config).expect_err("it ends the process").to_string();
        assert!(found.contains(expected), "{error:?}: {found}");
    }

    #[test]
    fn what_ends_the_process_says_what_to_do() {
        use KafkaError::{MessageConsumption as Event, MessageConsumptionFatal as Fatal};
        check(&Fatal(Code::FencedInstanceId), "", "a second process runs under the instance name one");
        check(&Event(Code::TopicAuthorizationFailed), "topic messages", "read topics messages: not permitted");
        check(&Event(Code::GroupAuthorizationFailed), "", "read as group labelstream: not permitted");
        check(&Event(Code::Authentication), "SASL failed", "not permitted: SASL failed");
        check(&Event(Code::UnknownTopicOrPartition), "Subscribed topic not available: x", "not available: x");
        check(&Event(Code::InconsistentGroupProtocol), "", "source.assignment");
        check(&Fatal(Code::InvalidProducerEpoch), "some reason", "some reason");
    }
}
