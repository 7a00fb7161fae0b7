//! A step of publishing that failed, what it means, and the sentence for it: for a denied right who may not do what, and
//! what to grant.
//!
//! Codes say what kind of thing is denied; its name comes from what was being done. Who asks is known as far as the
//! settings tell: a broker may map a certificate or a token to any name.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::error::{TransactError, advice};
use crate::identity::Identity;
use crate::reaction::{Reaction, Step, judge};

/// A step that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) error: KafkaError,
    /// The places of records that were refused, alone or together with what is at fault, and with what code.
    pub(super) refused: Vec<(usize, Code)>,
    /// The topics that may have caused it.
    pub(super) topics: Vec<String>,
}

impl Failure {
    pub(super) fn new(step: Step, error: KafkaError) -> Self {
        Self { step, error, refused: Vec::new(), topics: Vec::new() }
    }

    /// A broker refused records. librdkafka does not send their sequence numbers again, so what follows in their
    /// partitions would be out of order until there is a new producer.
    pub(super) fn is_by_broker(&self) -> bool {
        self.step == Step::Deliver && !self.refused.is_empty()
    }

    pub(super) fn reaction(&self) -> Reaction {
        judge(self.step, &self.error)
    }
}

/// What ends publishing, as an error; `reason` is what librdkafka says about it.
pub(super) fn error(failure: &Failure, reason: &str, identity: &Identity) -> TransactError {
    if failure.reaction() == Reaction::Fenced {
        return TransactError::Fenced { instance: identity.instance.clone() };
    }
    if let Some(denied) = denied(failure, identity) {
        return denied;
    }
    let advice = advice(&failure.error).unwrap_or_default();
    let parts = [&failure.error.to_string(), reason, advice];
    let text: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    TransactError::exit(format!("to {}: {}", identity.brokers(), failure.step.name()), text.join("; "))
}

/// The error for a failure that is a denied right; `None` for every other.
fn denied(failure: &Failure, identity: &Identity) -> Option<TransactError> {
    let (deed, right, resource) = match failure.error.rdkafka_error_code()? {
        // Offsets are committed for topics that are read.
        Code::TopicAuthorizationFailed if failure.step == Step::Offsets => {
            ("read", "Read", topics(&failure.topics, "the input topics"))
        }
        Code::TopicAuthorizationFailed => {
            ("write to", "Write and Describe", topics(&failure.topics, "the output topics"))
        }
        Code::GroupAuthorizationFailed => ("commit for", "Read", format!("consumer group {}", identity.group)),
        Code::TransactionalIdAuthorizationFailed => {
            ("use", "Write and Describe", format!("transactional id {}", identity.transactional_id()))
        }
        Code::ClusterAuthorizationFailed => {
            ("be an idempotent producer on", "IdempotentWrite", "the cluster".to_owned())
        }
        _ => return None,
    };
    let principal = identity.principal();
    Some(TransactError::Denied { principal, deed, grant: format!("{right} on {resource}"), resource })
}

fn topics(names: &[String], unnamed: &str) -> String {
    match names {
        [] => unnamed.to_owned(),
        [name] => format!("topic {name}"),
        names => format!("one of the topics {}", names.join(", ")),
    }
}
