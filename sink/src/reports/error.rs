//! What can go wrong with a report store, and what a caller does about it.

use std::error::Error as StdError;
use std::time::Duration;

use parquet::errors::ParquetError;
use schemas::Recovery;

/// What a store, or the system under it, said.
pub(super) type Cause = Box<dyn StdError + Send + Sync + 'static>;

/// A report that was not written, or not read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store did not answer, or not in time, or is full: it may work later, so keep the report and call again.
    #[error("{action} {place}: the store is unavailable, {attempts} attempts in {waited:?}")]
    Unavailable {
        action: &'static str,
        /// A path or `s3://bucket/key`.
        place: String,
        attempts: u32,
        waited: Duration,
        #[source]
        source: Cause,
    },
    /// The store answered, and said no: a person must act.
    #[error("{action} {place}: {advice}")]
    Refused {
        action: &'static str,
        place: String,
        /// A sentence for that person.
        advice: &'static str,
        #[source]
        source: Cause,
    },
    /// A number of a report that no report may have: a fault of ours.
    #[error("a row of table {table} has a {column} that is not finite")]
    NotFinite { table: &'static str, column: &'static str },
    /// A window outside of the years 0 to 9999.
    #[error("the window that starts at {start_ms} ms since 1970 is outside the range of dates")]
    NoDate { start_ms: i64 },
    /// Rows could not be written as Parquet.
    #[error("write rows of table {table} as Parquet")]
    Encode {
        table: &'static str,
        #[source]
        source: ParquetError,
    },
    /// A file that is no Parquet file of this table, or of a version that this one cannot read.
    #[error("read {place} as table {table}: {problem}")]
    Damaged { place: String, table: &'static str, problem: String },
    /// Nothing is stored under this name.
    #[error("there is no report {place}")]
    NotFound { place: String },
}

impl StoreError {
    /// [`Recovery::Retry`]: keep the report and call again later; the budget of this call is spent.
    /// [`Recovery::Exit`]: no repeat will help.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Unavailable { .. } => Recovery::Retry,
            _ => Recovery::Exit,
        }
    }
}
