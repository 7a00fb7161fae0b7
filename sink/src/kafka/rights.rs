//! Rights that a broker denies, as one sentence: who may not do what, and what to grant.
//!
//! Codes say what kind of thing is denied; its name comes from what was being done. Who asks is known as far as the
//! settings tell: a broker may map a certificate or a token to any name.

use rdkafka::error::RDKafkaErrorCode as Code;

use super::producer::Failure;
use super::verdict::Step;
use crate::publisher::PublishError;
use crate::settings::Identity;

/// The error for a failure that is a denied right; `None` for every other.
pub(super) fn denied(failure: &Failure, identity: &Identity) -> Option<PublishError> {
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
    Some(PublishError::Denied { principal, deed, grant: format!("{right} on {resource}"), resource })
}

/// A topic that may not even be described.
pub(super) fn hidden(topic: &str, identity: &Identity) -> PublishError {
    let resource = topics(&[topic.to_owned()], topic);
    let grant = format!("Write and Describe on {resource}");
    PublishError::Denied { principal: identity.principal(), deed: "see", resource, grant }
}

fn topics(names: &[String], unnamed: &str) -> String {
    match names {
        [] => unnamed.to_owned(),
        [name] => format!("topic {name}"),
        names => format!("one of the topics {}", names.join(", ")),
    }
}
