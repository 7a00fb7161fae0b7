//! Why a package could not be had: which address, what was tried, what was expected.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What a library said.
pub(crate) type Cause = Box<dyn StdError + Send + Sync + 'static>;

/// A package that was not fetched. Its text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No answer, or none that counts: it may work later.
    #[error("fetch {address}: {asked} cannot be reached, {attempts} attempts in {waited:.0?}")]
    Unreachable {
        address: String,
        /// The request, without what is secret in it.
        asked: String,
        attempts: u32,
        waited: Duration,
        #[source]
        source: Cause,
    },
    /// An answer that no repeat changes; the text says what was expected and what to do.
    #[error("fetch {address}: {problem}")]
    Refused { address: String, problem: String },
    /// The text of a folder as written; the hint is empty or begins with a semicolon.
    #[error("open the model package {folder}: it is not a folder on this machine{hint}")]
    NoFolder { folder: String, hint: String },
    /// Other bytes than those that were promised. Nothing of them is kept.
    #[error("fetch {address}: {file} is not what {promise} promises: expected {expected}, found {found}")]
    Digest {
        address: String,
        file: String,
        /// Who said what the bytes should be.
        promise: &'static str,
        expected: String,
        found: String,
    },
    #[error("fetch {address}: {what} is larger than packages.bytes_max ({bytes_max} bytes)")]
    TooLarge { address: String, what: String, bytes_max: u64 },
    #[error("fetch {address}: {problem}, and no server may be contacted (packages.offline)")]
    NotCached { address: String, problem: &'static str },
    /// Another process holds the lock of the same package.
    #[error("fetch {address}: another process has been fetching it for {waited:.0?} (lock {})", .lock.display())]
    Locked { address: String, lock: PathBuf, waited: Duration },
    #[error("{action} {} in the package cache", .path.display())]
    Cache {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("find a folder for the package cache: set packages.cache (--model-cache), XDG_CACHE_HOME or HOME")]
    NoCacheFolder,
    #[error("use the environment variable {name}: it contains characters that a request must not have")]
    Variable { name: &'static str },
    #[error("fetch {address}: it took longer than packages.fetch_wait_ms ({waited:.0?})")]
    TooSlow { address: String, waited: Duration },
    #[error("set up a client for model packages")]
    Client(#[source] Cause),
    #[error("fetch {address}: asked to stop")]
    Interrupted { address: String },
}

impl FetchError {
    /// True when the same call may succeed later, without anything being changed.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Cache { .. }) || self.is_unreachable()
    }

    /// True when the registry did not answer, so that its last answer still holds.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Locked { .. } | Self::TooSlow { .. })
    }
}
