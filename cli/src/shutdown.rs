//! The bound of a shutdown: a worker that does not stop in time is ended, and says so.

use std::thread;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// The exit code of a process that failed, here to stop in time.
const EXIT_TOO_SLOW: i32 = 1;

/// Ends the process when stopping takes longer than `run.shutdown_grace_ms`: an orchestrator would kill it anyway, and
/// then nobody would learn why. Nothing is lost: what was not committed is read again.
///
/// # Errors
/// When the process may have no further thread.
pub(crate) fn bound(stop: CancellationToken, grace: Duration) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(Failure::Reactor)?;
    let end = move || {
        runtime.block_on(async {
            stop.cancelled().await;
            tokio::time::sleep(grace).await;
        });
        tracing::error!(
            grace_ms = grace.as_millis(),
            "stopping took longer than run.shutdown_grace_ms, ending at once"
        );
        std::process::exit(EXIT_TOO_SLOW);
    };
    thread::Builder::new().name("shutdown-bound".to_owned()).spawn(end).map(drop).map_err(Failure::Reactor)
}
