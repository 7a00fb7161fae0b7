//! Where batches go: the one trait that the pipeline publishes through, in production and in simulation.

use schemas::{Batch, LabeledEvent, Recovery};

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// Labels, dead letters and offsets are visible together.
    Committed,
    /// The batch's generation is over: nothing was published, its records will be read again.
    Stale,
}

/// Why a batch could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
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
    /// The labelled event could not be written as JSON.
    #[error("publish: encode a labelled event")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Its topic refuses a record that may not be left out, in every form that it can have.
    #[error("publish {what}: topic {topic} refuses it: {rule}; change that topic's settings, or write to another one")]
    Refused { what: String, topic: String, rule: String },
}

impl PublishError {
    /// A right is missing.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Denied { .. })
    }

    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Fenced { .. }
            | Self::Denied { .. }
            | Self::Unreachable { .. }
            | Self::Encode(_)
            | Self::Refused { .. } => Recovery::Exit,
            Self::Broker { recovery, .. } => *recovery,
        }
    }

    /// The same error of the broker with another way to recover; others know theirs.
    pub(crate) fn with(mut self, other: Recovery) -> Self {
        if let Self::Broker { recovery, .. } = &mut self {
            *recovery = other;
        }
        self
    }
}

/// Publishes all of a batch, with its offsets, or nothing of it.
pub trait Publisher {
    /// Blocks until the batch is visible or known not to be.
    ///
    /// # Errors
    /// [`Recovery::Rewind`]: the committed offsets say what of the batch is visible, all of it or nothing.
    /// [`Recovery::Exit`]: what is left open is settled by the next start.
    fn publish(&mut self, batch: Batch<LabeledEvent>) -> Result<Published, PublishError>;
}
