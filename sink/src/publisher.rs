//! Where batches go: the one trait that the pipeline publishes through, in production and in simulation.

use kafka::error::TransactError;
use kafka::transactor::Published;
use schemas::{Batch, LabeledEvent, Recovery};

/// Why a batch could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Transact(#[from] TransactError),
    /// The labelled event could not be written as JSON.
    #[error("publish: encode a labelled event")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl PublishError {
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Transact(error) => error.recovery(),
            Self::Encode(_) => Recovery::Exit,
        }
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
