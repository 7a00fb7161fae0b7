//! What an error of the consumer means: wait it out, or end the process with a sentence that helps.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use schemas::Recovery;

use crate::settings::SourceConfig;
use crate::source::SourceError;

/// What to do about an error while polling.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// No broker can be reached: go on polling, say so once.
    Outage,
    /// librdkafka goes on by itself; worth a line in the log.
    Passing,
    /// One connection was lost, maybe an idle one that its broker closed. When none is left, an outage follows.
    Ignored,
    Exit(SourceError),
}

/// Judges an error; `reason` is librdkafka's own text, which names the topic where the code does not.
pub(crate) fn judge(error: &KafkaError, reason: &str, config: &SourceConfig) -> Verdict {
    let code = error.rdkafka_error_code();
    let exit = |what: String, reason: String| Verdict::Exit(exit(what, reason));
    match code {
        Some(Code::FencedInstanceId) => Verdict::Exit(replaced(config)),
        Some(Code::BrokerTransportFailure | Code::Resolve | Code::OperationTimedOut | Code::RequestTimedOut)
            if matches!(error, KafkaError::MessageConsumption(_)) =>
        {
            Verdict::Ignored
        }
        Some(
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::SSL
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::WaitingForCoordinator
            | Code::NetworkException
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::NotCoordinator
            | Code::LeaderNotAvailable,
        ) if !matches!(error, KafkaError::MessageConsumptionFatal(_)) => Verdict::Outage,
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicId) => {
            exit(format!("topics {}", config.topics.join(", ")), text(error, reason))
        }
        Some(Code::TopicAuthorizationFailed) => {
            exit(format!("topics {}", config.topics.join(", ")), format!("not permitted: {}", text(error, reason)))
        }
        Some(Code::GroupAuthorizationFailed) => {
            exit(format!("as group {}", config.group), format!("not permitted: {}", text(error, reason)))
        }
        Some(
            Code::ClusterAuthorizationFailed
            | Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState,
        ) => exit("from the brokers".to_owned(), format!("not permitted: {}", text(error, reason))),
        Some(Code::InconsistentGroupProtocol) => exit(
            format!("as group {}", config.group),
            "the group's other members use another source.assignment; all of them must use the same".to_owned(),
        ),
        Some(Code::InvalidSessionTimeout) => exit(
            format!("as group {}", config.group),
            "source.session_timeout_ms is outside of what the broker allows".to_owned(),
        ),
        _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => {
            exit(format!("as group {}", config.group), text(error, reason))
        }
        _ => Verdict::Passing,
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

fn text(error: &KafkaError, reason: &str) -> String {
    if reason.is_empty() { error.to_string() } else { reason.to_owned() }
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
        let found = match judge(error, reason, &config) {
            Verdict::Exit(error) => error.to_string(),
            other => format!("{other:?}"),
        };
        assert!(found.contains(expected), "{error:?}: {found}");
    }

    #[test]
    fn what_ends_the_process_says_what_to_do() {
        use KafkaError::{MessageConsumption as Event, MessageConsumptionFatal as Fatal, MetadataFetch};
        check(&Fatal(Code::FencedInstanceId), "", "a second process runs under the instance name one");
        check(&Event(Code::TopicAuthorizationFailed), "topic messages", "read topics messages: not permitted");
        check(&Event(Code::GroupAuthorizationFailed), "", "read as group labelstream: not permitted");
        check(&Event(Code::Authentication), "SASL failed", "not permitted: SASL failed");
        check(&Event(Code::UnknownTopicOrPartition), "Subscribed topic not available: x", "not available: x");
        check(&Event(Code::InconsistentGroupProtocol), "", "source.assignment");
        check(&Fatal(Code::InvalidProducerEpoch), "some reason", "some reason");
        check(&Event(Code::AllBrokersDown), "", "Outage");
        check(&Event(Code::BrokerTransportFailure), "", "Ignored");
        check(&MetadataFetch(Code::BrokerTransportFailure), "", "Outage");
        check(&Event(Code::PollExceeded), "", "Passing");
    }
}
