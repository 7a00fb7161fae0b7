//! Why records could not be published, or what was asked could not be found out.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use schemas::Recovery;

use crate::identity::Identity;
use crate::reaction::ErrorKind;

/// Why a transaction, or a question to the brokers, came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum TransactError {
    /// Another process took over this instance name or its partitions' transactions.
    #[error(
        "publish: a second process runs under the instance name {instance}; give every replica its own --instance \
         (or this process was stuck for longer than sink.transaction_timeout_ms)"
    )]
    Fenced { instance: String },
    /// The broker's authorizer does not let this user publish.
    #[error("publish: {principal} may not {deed} {resource}; grant it {grant}")]
    Denied { principal: String, deed: &'static str, resource: String, grant: String },
    /// The broker refused or did not answer within its budget.
    #[error("publish {what}: {reason}")]
    Broker { what: String, reason: String, recovery: Recovery },
    /// No broker answered in time.
    #[error("reach the brokers {brokers} within {wait_s} s: {cause}")]
    Unreachable { brokers: String, wait_s: u64, cause: String },
    /// Its topic refuses a record that may not be left out, in every form that it can have.
    #[error("publish {what}: topic {topic} refuses it: {rule}; change that topic's settings, or write to another one")]
    Refused { what: String, topic: String, rule: String },
}

impl TransactError {
    /// An error that ends the process.
    pub(crate) fn exit(what: String, reason: String) -> Self {
        Self::Broker { what, reason, recovery: Recovery::Exit }
    }

    /// A topic that may not even be described.
    pub(crate) fn hidden(topic: &str, identity: &Identity) -> Self {
        let resource = format!("topic {topic}");
        let grant = format!("Write and Describe on {resource}");
        Self::Denied { principal: identity.principal(), deed: "see", resource, grant }
    }

    /// A right is missing.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied { .. })
    }

    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Fenced { .. } | Self::Denied { .. } | Self::Unreachable { .. } | Self::Refused { .. } => {
                Recovery::Exit
            }
            Self::Broker { recovery, .. } => *recovery,
        }
    }

    /// The same error of the broker with another way to recover; others know theirs.
    #[must_use]
    pub(crate) fn with(mut self, other: Recovery) -> Self {
        if let Self::Broker { recovery, .. } = &mut self {
            *recovery = other;
        }
        self
    }
}

/// A client's call that came to nothing: what the broker, or librdkafka, says.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ClientError(#[from] KafkaError);

impl ClientError {
    /// A right is missing.
    pub fn is_denied(&self) -> bool {
        ErrorKind::of_error(&self.0) == ErrorKind::Denied
    }
}

/// A sentence that helps, for the errors that a person can do something about.
pub(crate) fn advice(error: &KafkaError) -> Option<&'static str> {
    match error.rdkafka_error_code()? {
        Code::InvalidTransactionTimeout => {
            Some("sink.transaction_timeout_ms is above the broker's transaction.max.timeout.ms")
        }
        Code::UnknownTopicOrPartition | Code::UnknownTopic => {
            Some("the topic does not exist: create it, or set sink.create_topics")
        }
        _ => None,
    }
}
