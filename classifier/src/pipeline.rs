//! The pipeline: read -> label -> publish, each on its own thread; the engine has threads of its own.
//!
//! There is one way forward, a [`Batch`] handed on through channels of capacity one, and one way to recover, a rewind to
//! the committed offsets ([`supervise`]). [`run`] is the same function in production and in simulation: it borrows its
//! parts, so it can be called again with them. It knows nothing of Kafka and nothing of ONNX Runtime.
//!
//! Nothing waits for a batch to be whole. Records go to the engine as they come, while there is room under way; a free
//! publisher takes all that is labelled, in the order of its partitions, as one transaction. So a batch follows the load:
//! one record at low load, hundreds when far behind, and never a fixed wait.

mod error;
mod label;
mod limits;
pub mod metrics;
mod order;
mod progress;
mod summary;
mod supervisor;
mod unusual_times;

use std::thread;
use std::time::Instant;

use engine::Client;
use formats::Decoder;
use kafka::batcher::Batcher;
use kafka::source::{Source, SourceEvent};
use schemas::{Batch, Origin, RawEvent, Recovery};
use service::stages::{Pulse, Work};
use sink::labels::{Encoder, LabelRecord};
use sink::publisher::Publisher;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use label::Desk;

pub use error::{PipelineError, Stage};
pub use limits::Limits;
pub use progress::Progress;
pub use service::supervision::Supervision;
pub use supervisor::supervise;

/// What a pipeline is made of; `run` borrows it.
pub struct Parts<S, P> {
    pub source: S,
    pub decoder: Decoder,
    pub model: Client,
    pub encoder: Encoder,
    pub publisher: P,
}

/// Reads, labels and publishes until `stop`, the source's end, or the first error.
///
/// Stopping reads nothing new and finishes the batches that are under way; the open batch is left for the next reader.
///
/// # Errors
/// The first stage's error; [`PipelineError::recovery`] says what to do. All stages have ended when it returns.
pub fn run<S: Source, P: Publisher + Send>(
    parts: &mut Parts<S, P>,
    limits: Limits,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<(), PipelineError> {
    let reactor =
        || tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(PipelineError::Reactor);
    let (reads, labels) = (reactor()?, reactor()?);
    let Parts { source, decoder, model, encoder, publisher } = parts;
    let (to_label, raw) = mpsc::channel(1);
    let (to_publisher, labeled) = mpsc::channel(1);
    let (has_room, publisher_free) = (Semaphore::new(0), Semaphore::new(0));
    // Whichever stage ends first, by error or panic, ends the others: each holds a guard of this token.
    let ended = stop.child_token();
    let pulse = |stage: Stage| progress.stages().pulse(stage.name());

    thread::scope(|scope| {
        let label = scope.spawn(|| {
            let _ends_the_others = ended.clone().drop_guard();
            let (pulse, has_room, publisher_free) = (&pulse(Stage::Label), &has_room, &publisher_free);
            labels.block_on(label::label(
                label::Tools { decoder, model, encoder },
                limits,
                Desk { raw, to_publisher, has_room, publisher_free, pulse },
            ))
        });
        let publish = scope.spawn(|| {
            let _ends_the_others = ended.clone().drop_guard();
            publish(publisher, labeled, &publisher_free, progress, &pulse(Stage::Publish))
        });
        let open = Batcher::new(limits.batch);
        let read = reads.block_on(read(source, open, to_label, (&has_room, &pulse(Stage::Read)), &ended));
        // The publisher's error goes first: when it fails, the others only report that their channel closed.
        let publish = publish.join().unwrap_or_else(|panic| Err(PipelineError::panicked(Stage::Publish, &panic)));
        let label = label.join().unwrap_or_else(|panic| Err(PipelineError::panicked(Stage::Label, &panic)));
        match (publish.and(label), read) {
            // A consumer that was fenced can do nothing for the later stages: its end is the cause of theirs.
            (Err(later), Err(read)) if later.recovery() == Recovery::Rewind && read.recovery() == Recovery::Exit => {
                Err(read)
            }
            (later, read) => later.and(read),
        }
    })
}

/// Fills the open batch and hands it over when the label stage has room. Cancel-safe futures only.
async fn read<S: Source>(
    source: &mut S,
    mut open: Batcher,
    to_label: mpsc::Sender<Batch<RawEvent>>,
    (has_room, pulse): (&Semaphore, &Pulse),
    ended: &CancellationToken,
) -> Result<(), PipelineError> {
    loop {
        // A source always answers soon, if only with a tick; a full batch waits for room as long as it takes.
        let _reads = (!open.is_full()).then(|| pulse.work(Work::of("wait for the source")));
        tokio::select! {
            biased;
            () = ended.cancelled() => return Ok(()),
            permit = has_room.acquire(), if !open.is_empty() => {
                permit.expect("the semaphore is never closed").forget();
                let Some(batch) = open.take() else { continue };
                if to_label.send(batch).await.is_err() {
                    return Ok(()); // the label stage ended; its own result says why
                }
            }
            event = source.next(), if !open.is_full() => match event? {
                SourceEvent::Record(record, generation) => open.push(record, generation),
                SourceEvent::Drained { partition, end, generation } => open.drained(partition, end, generation),
                SourceEvent::Tick => {}
                SourceEvent::Lost => open.clear(),
                SourceEvent::End => return Ok(()),
            },
        }
    }
}

fn publish<P: Publisher>(
    publisher: &mut P,
    mut labeled: mpsc::Receiver<Batch<LabelRecord>>,
    free: &Semaphore,
    progress: &Progress,
    pulse: &Pulse,
) -> Result<(), PipelineError> {
    loop {
        free.add_permits(1);
        let Some(batch) = labeled.blocking_recv() else { return Ok(()) };
        let summary = summary::Summary::of(&batch);
        let (records, first) = (batch.records(), first_of(&batch));
        let _publishes = pulse.work(Work { task: "publish a batch", records, first });
        let started = Instant::now();
        let published = publisher.publish(batch)?;
        progress.record(&summary, published, started.elapsed());
    }
}

/// Where the first record of a labelled batch was read.
fn first_of(batch: &Batch<LabelRecord>) -> Option<Origin> {
    let labeled = batch.items().iter().map(|item| &item.raw.origin);
    labeled.chain(batch.rejects().iter().map(|letter| &letter.raw.origin)).min().cloned()
}
