//! The one way to recover: rewind to the committed offsets and run again, within a bound.

use kafka::source::Source;
use schemas::{Recovery, chain};
use service::supervision::{Rewinds, Supervision, pause};
use sink::publisher::Publisher;
use tokio_util::sync::CancellationToken;

use super::{Limits, Parts, PipelineError, Progress, run};

/// Runs the pipeline until it stops, ends, or cannot be recovered.
///
/// # Errors
/// The error that asked for [`Recovery::Exit`], or [`PipelineError::TooManyRewinds`] around the last one.
pub fn supervise<S: Source, P: Publisher + Send>(
    parts: &mut Parts<S, P>,
    limits: Limits,
    supervision: Supervision,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<(), PipelineError> {
    let mut rewinds = Rewinds::new(supervision, progress.batches());
    loop {
        let Err(error) = run(parts, limits, progress, stop) else { return Ok(()) };
        if error.recovery() == Recovery::Exit || stop.is_cancelled() {
            return Err(error);
        }
        let Some(wait) = rewinds.one_more(progress.batches()) else {
            return Err(PipelineError::TooManyRewinds { rewinds: supervision.rewinds_max, source: Box::new(error) });
        };
        let in_a_row = rewinds.in_a_row();
        tracing::warn!(error = chain(&error), rewinds = in_a_row, "pipeline failed, restarting from committed offsets");
        pause(wait, stop);
        parts.source.rewind()?;
        progress.rewound();
    }
}
