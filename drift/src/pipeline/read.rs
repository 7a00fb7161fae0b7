//! The reading stage: fills the open batch, and hands it over as soon as the counting stage has room.

use std::time::Duration;

use kafka::batcher::Batcher;
use kafka::consumer::KafkaSource;
use kafka::source::{Source, SourceEvent};
use schemas::{Batch, Generation, RawEvent};
use service::stages::{Pulse, Work};
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
    /// Everything up to the end was counted and saved, in this generation.
    End(Generation),
}

/// What the stage looks at and does not change.
pub(super) struct Context<'a> {
    pub(super) limits: &'a Limits,
    pub(super) desk: &'a Desk,
    pub(super) pulse: Pulse,
    pub(super) ended: &'a CancellationToken,
}

/// Reads until asked to stop, or until the counting stage ends. Cancel-safe futures only.
pub(super) async fn read(
    source: &mut KafkaSource,
    to_count: mpsc::Sender<Step>,
    context: Context<'_>,
) -> Result<(), PipelineError> {
    let Context { limits, desk, pulse, ended } = context;
    let mut open = Batcher::new(limits.batch);
    let mut end = None;
    loop {
        // An unread source pauses its partitions and stays in its group.
        let is_waiting = desk.is_overfull() || open.is_full();
        // A source always answers soon, if only with a tick; waiting for a later stage counts as that stage's time.
        let _reads = (!is_waiting).then(|| pulse.work(Work::of("wait for the source")));
        tokio::select! {
            biased;
            () = ended.cancelled() => return Ok(()),
            permit = to_count.reserve(), if !open.is_empty() || end.is_some() => {
                let Ok(permit) = permit else { return Ok(()) }; // the counting stage's own result says why
                // The end comes behind the records.
                let step = open.take().map(Step::Records).or_else(|| end.take().map(Step::End));
                if let Some(step) = step {
                    permit.send(step);
                }
            }
            event = source.next(), if !is_waiting => match event? {
                SourceEvent::Record(record, generation) => open.push(record, generation),
                SourceEvent::Tick | SourceEvent::Drained { .. } => tick(&to_count),
                SourceEvent::Lost => open.clear(),
                SourceEvent::End => end = Some(source.generation()),
            },
            () = tokio::time::sleep(TICK), if is_waiting && open.is_empty() => tick(&to_count),
        }
    }
}

/// Wakes the counting stage; when it is busy, it needs no waking.
fn tick(to_count: &mpsc::Sender<Step>) {
    to_count.try_send(Step::Tick).ok();
}
