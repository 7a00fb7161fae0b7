//! The one way to recover: back to the last checkpoint, state and offsets both, and run again, within a bound.

use kafka::source::Source;
use service::supervision::{Rewinds, Supervision};
use tokio_util::sync::CancellationToken;

use super::{Limits, Parts, PipelineError, Progress, run};

/// Runs the pipeline until it stops, ends, or cannot be recovered.
///
/// # Errors
/// The error that asked for [`Recovery::Exit`](schemas::Recovery::Exit), or [`PipelineError::TooManyRewinds`] around the
/// last one.
pub fn supervise(
    parts: &mut Parts,
    limits: &Limits,
    supervision: Supervision,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<(), PipelineError> {
    let mut rewinds = Rewinds::new(supervision, progress.checkpoints());
    while let Err(error) = run(parts, limits, progress, stop) {
        let recovery = error.recovery();
        rewinds.wait(error, recovery, progress.checkpoints(), stop)?;
        parts.source.rewind()?;
        progress.rewound();
    }
    Ok(())
}
