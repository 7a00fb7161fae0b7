//! What an error of the consumer means: wait it out, or end the process with a sentence that helps.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use schemas::Recovery;

use super::settings::SourceConfig;
use crate::source::SourceError;

/// What to do about an error while polling.
#[derive(Debug)]
pub(super) enum Verdict {
    /// No broker can be reached: go on polling, say so once.
    Outage,
    /// librdkafka goes on by itself; worth a line in the log.
    Passing,
    Exit(SourceError),
}

/// Judges an error; `reason` is librdkafka's own text, which names the topic where the code does not.
pub(super) fn judge(error: &KafkaError, reason: &str, config: &SourceConfig) -> Verdict {
    let code = error.rdkafka_error_code();
    let exit = |what: String, reason: String| Verdict::Exit(exit(what, reason));
    match code {
        Some(Code::FencedInstanceId) => {
            let instance = config.instance.as_deref().unwrap_or_default();
            exit(
                format!("as instance {instance}"),
                format!(
                    "a second process runs under the instance name {instance} and took over; \
                     give every replica its own --instance"
                ),
            )
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

/// An error that ends the process.
pub(super) fn exit(what: String, reason: String) -> SourceError {
    SourceError::Broker { what, reason, recovery: Recovery::Exit }
}

fn text(error: &KafkaError, reason: &str) -> String {
    if reason.is_empty() { error.to_string() } else { reason.to_owned() }
}
