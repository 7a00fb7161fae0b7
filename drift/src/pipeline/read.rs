//! The reading stage: fills the open batch, and hands it over as soon as the counting stage has room.

use std::time::Duration;

use ingest::batcher::Batcher;
use ingest::source::{Source, SourceEvent};
use schemas::{Batch, RawEvent};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::{Limits, PipelineError};

/// How often the counting stage hears something while nothing is read.
const TICK: Duration = Duration::from_millis(100);

/// What the counting stage is told.
pub(super) enum Step {
    Records(Batch<RawEvent>),
    /// Nothing came: a chance to look at the clock and at the group.
    Tick,
    /// Everything up to the end was counted and saved. Said again and again.
    End,
}

/// Reads until asked to stop, or until the counting stage ends. Cancel-safe futures only.
pub(super) async fn read(
    source: &mut impl Source,
    limits: &Limits,
    to_count: mpsc::Sender<Step>,
    desk: &Desk,
    ended: &CancellationToken,
) -> Result<(), PipelineError> {
    let mut open = Batcher::new(limits.batch);
    let mut has_ended = false;
    loop {
        // An unread source pauses its partitions and stays in its group.
        let is_waiting = has_ended || desk.is_overfull() || open.is_full();
        tokio::select! {
            biased;
            () = ended.cancelled() => return Ok(()),
            permit = to_count.reserve(), if !open.is_empty() => {
                let Ok(permit) = permit else { return Ok(()) }; // the counting stage's own result says why
                if let Some(batch) = open.take() {
                    permit.send(Step::Records(batch));
                }
            }
            event = source.next(), if !is_waiting => match event? {
                SourceEvent::Record(record, generation) => open.push(record, generation),
                SourceEvent::Tick => tell(&to_count, Step::Tick),
                SourceEvent::Lost => open.clear(),
                SourceEvent::End => has_ended = true,
            },
            () = tokio::time::sleep(TICK), if is_waiting && open.is_empty() => {
                tell(&to_count, if has_ended { Step::End } else { Step::Tick });
            }
        }
    }
}

/// Says it where there is room; who is busy needs no waking.
fn tell(to_count: &mpsc::Sender<Step>, step: Step) {
    to_count.try_send(step).ok();
}
