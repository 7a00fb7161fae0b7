//! Why a check ended, or what it found.

use std::io;

use kafka::error::TransactError;

/// What ended a check. Its text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The report says which.
    #[error("pass the check: {failed} failed")]
    Failed { failed: usize },
    #[error(transparent)]
    Describe(#[from] TransactError),
    #[error("write the report")]
    Write(#[source] io::Error),
}
