//! The one way to recover: rewind to the committed offsets and run again, within a bound.

use std::time::Duration;

use ingest::batcher::BatchLimits;
use ingest::source::Source;
use schemas::Recovery;
use sink::publisher::Publisher;
use tokio_util::sync::CancellationToken;

use super::{Parts, PipelineError, Progress, run};
use crate::model::Model;

/// How long and how often to try again.
#[derive(Clone, Copy, Debug)]
pub struct Supervision {
    /// Rewinds in a row that commit nothing between them; one more ends the process.
    pub rewinds_max: u32,
    /// The wait before the first rewind; it doubles with each one in a row, up to 32 times.
    pub backoff: Duration,
}

/// Runs the pipeline until it stops, ends, or cannot be recovered.
///
/// # Errors
/// The error that asked for [`Recovery::Exit`], or [`PipelineError::TooManyRewinds`] around the last one.
pub fn supervise<S: Source, M: Model, P: Publisher + Send>(
    parts: &mut Parts<S, M, P>,
    limits: BatchLimits,
    supervision: Supervision,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<(), PipelineError> {
    let mut rewinds = 0;
    let mut committed = progress.batches();
    loop {
        let Err(error) = run(parts, limits, progress, stop) else { return Ok(()) };
        if error.recovery() == Recovery::Exit || stop.is_cancelled() {
            return Err(error);
        }
        if progress.batches() > committed {
            rewinds = 0;
        }
        committed = progress.batches();
        rewinds += 1;
        if rewinds > supervision.rewinds_max {
            return Err(PipelineError::TooManyRewinds { rewinds: supervision.rewinds_max, source: Box::new(error) });
        }
        tracing::warn!(error = %Chain(&error), rewinds, "batch not published, rewinding to the committed offsets");
        wait(supervision.backoff * 2u32.pow(rewinds.min(6) - 1), stop)?;
        parts.source.rewind()?;
        progress.rewound();
    }
}

/// Sleeps, or returns early when asked to stop.
fn wait(pause: Duration, stop: &CancellationToken) -> Result<(), PipelineError> {
    let reactor =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(PipelineError::Reactor)?;
    reactor.block_on(async {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    });
    Ok(())
}

/// An error with its causes on one line, for the log.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
