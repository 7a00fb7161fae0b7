//! Rights taken away on order, for tests: what Apache Kafka answers to a user whom its authorizer denies something.
//!
//! There is one user, and it may do everything but what was denied. As with Kafka's authorizer, Describe is what Read and
//! Write imply: denying it alone hides a resource, denying Read or Write leaves it visible.

use kafka_protocol::ResponseError;

/// What a right is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    Topic,
    Group,
    TransactionalId,
    /// The only right on it here is to be an idempotent producer: [`Right::Write`].
    Cluster,
}

/// What may be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    Describe,
    Read,
    Write,
}

/// One right that is taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    pub resource: Resource,
    /// The whole name; of the cluster it is not looked at.
    pub name: String,
    pub right: Right,
}

#[derive(Debug, Default)]
pub(crate) struct Rights {
    denied: Vec<Denial>,
}

impl Rights {
    pub(crate) fn deny(&mut self, denial: Denial) {
        self.denied.push(denial);
    }

    /// # Errors
    /// The code that Kafka uses for this kind of resource.
    pub(crate) fn check(&self, resource: Resource, name: &str, right: Right) -> Result<(), ResponseError> {
        let is_denied = self.denied.iter().any(|denial| {
            let is_named = resource == Resource::Cluster || denial.name == name;
            denial.resource == resource && denial.right == right && is_named
        });
        if !is_denied {
            return Ok(());
        }
        Err(match resource {
            Resource::Topic => ResponseError::TopicAuthorizationFailed,
            Resource::Group => ResponseError::GroupAuthorizationFailed,
            Resource::TransactionalId => ResponseError::TransactionalIdAuthorizationFailed,
            Resource::Cluster => ResponseError::ClusterAuthorizationFailed,
        })
    }
}
