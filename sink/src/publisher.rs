//! Where batches go: the one trait that the pipeline publishes through, in production and in simulation.

use kafka::error::TransactError;
use kafka::transactor::Published;
use schemas::Batch;

use crate::labels::LabelRecord;

/// Publishes all of a batch, with its offsets, or nothing of it.
pub trait Publisher {
    /// Blocks until the batch is visible or known not to be.
    ///
    /// # Errors
    /// [`Recovery::Rewind`](schemas::Recovery::Rewind): the committed offsets say what of the batch is visible, all of it
    /// or nothing. [`Recovery::Exit`](schemas::Recovery::Exit): what is left open is settled by the next start.
    fn publish(&mut self, batch: Batch<LabelRecord>) -> Result<Published, TransactError>;
}
