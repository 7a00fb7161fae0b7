//! The pipeline: read -> label -> publish, each on its own thread, one batch in each.
//!
//! There is one way forward, a [`Batch`] handed on through channels of capacity one, and one way to recover, a rewind to
//! the committed offsets ([`supervise`]). [`run`] is the same function in production and in simulation: it borrows its
//! parts, so it can be called again with them. It knows nothing of Kafka and nothing of ONNX Runtime.
//!
//! A batch closes when the labeller falls free or a limit of work is reached, so it follows the backlog: one record at
//! low load, hundreds when far behind, and never a fixed wait.

mod error;
pub mod metrics;
mod progress;
mod summary;
mod supervisor;

use std::thread;
use std::time::Instant;

use formats::Decoder;
use ingest::batcher::{BatchLimits, Batcher};
use ingest::unusual_times;
use kafka::source::{Source, SourceEvent};
use schemas::{Batch, LabeledEvent, Origin, RawEvent, Recovery};
use service::stages::{Pulse, Work};
use sink::publisher::Publisher;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use engine::labeler::Labeler;
use engine::model::Model;

pub use error::{PipelineError, Stage};
pub use progress::Progress;
pub use service::supervision::Supervision;
pub use supervisor::supervise;

/// What a pipeline is made of; `run` borrows it.
pub struct Parts<S, M, P> {
    pub source: S,
    pub decoder: Decoder,
    pub labeler: Labeler<M>,
    pub publisher: P,
}

/// Reads, labels and publishes until `stop`, the source's end, or the first error.
///
/// Stopping reads nothing new and finishes the batches that are under way; the open batch is left for the next reader.
///
/// # Errors
/// The first stage's error; [`PipelineError::recovery`] says what to do. All stages have ended when it returns.
pub fn run<S: Source, M: Model, P: Publisher + Send>(
    parts: &mut Parts<S, M, P>,
    limits: BatchLimits,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<(), PipelineError> {
    let reactor =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(PipelineError::Reactor)?;
    let Parts { source, decoder, labeler, publisher } = parts;
    let (to_labeler, raw) = mpsc::channel(1);
    let (to_publisher, labeled) = mpsc::channel(1);
    let labeler_free = Semaphore::new(0);
    // Whichever stage ends first, by error or panic, ends the others: each holds a guard of this token.
    let ended = stop.child_token();
    let pulse = |stage: Stage| progress.stages().pulse(stage.name());
    let (reads, labels) = (pulse(Stage::Read), pulse(Stage::Label));
    let beat = labels.clone();
    labeler.tell(Box::new(move || beat.beat()));

    thread::scope(|scope| {
        let label = scope.spawn(|| {
            let _ends_the_others = ended.clone().drop_guard();
            label(decoder, labeler, raw, to_publisher, Desk { free: &labeler_free, pulse: &labels })
        });
        let publish = scope.spawn(|| {
            let _ends_the_others = ended.clone().drop_guard();
            publish(publisher, labeled, progress, &pulse(Stage::Publish))
        });
        let read = reactor.block_on(read(
            source,
            Batcher::new(limits),
            to_labeler,
            Desk { free: &labeler_free, pulse: &reads },
            &ended,
        ));
        // The publisher speaks first: when it fails, the others only report that their channel closed.
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

/// What the reader and the labeller share.
#[derive(Clone, Copy)]
struct Desk<'a> {
    /// A permit each time that the labeller falls free.
    free: &'a Semaphore,
    /// Of the stage that holds it.
    pulse: &'a Pulse,
}

/// Fills the open batch and hands it over when the labeller is free. Cancel-safe futures only.
async fn read<S: Source>(
    source: &mut S,
    mut open: Batcher,
    to_labeler: mpsc::Sender<Batch<RawEvent>>,
    labeler: Desk<'_>,
    ended: &CancellationToken,
) -> Result<(), PipelineError> {
    loop {
        // A source always answers soon, be it that nothing came; a full batch waits for the labeller, however long.
        let _reads = (!open.is_full()).then(|| labeler.pulse.work(Work::of("hear from the source")));
        tokio::select! {
            biased;
            () = ended.cancelled() => return Ok(()),
            permit = labeler.free.acquire(), if !open.is_empty() => {
                permit.expect("the semaphore is never closed").forget();
                let Some(batch) = open.take() else { continue };
                if to_labeler.send(batch).await.is_err() {
                    return Ok(()); // the labeller ended; its own result says why
                }
            }
            event = source.next(), if !open.is_full() => match event? {
                SourceEvent::Record(record, generation) => open.push(record, generation),
                SourceEvent::Tick => {}
                SourceEvent::Lost => open.clear(),
                SourceEvent::End => return Ok(()),
            },
        }
    }
}

fn label<M: Model>(
    decoder: &Decoder,
    labeler: &mut Labeler<M>,
    mut raw: mpsc::Receiver<Batch<RawEvent>>,
    to_publisher: mpsc::Sender<Batch<LabeledEvent>>,
    reader: Desk<'_>,
) -> Result<(), PipelineError> {
    loop {
        reader.free.add_permits(1);
        let Some(batch) = raw.blocking_recv() else { return Ok(()) };
        let records = batch.records();
        let first = batch.items().first().map(|record| record.origin.clone());
        let labels = reader.pulse.work(Work { task: "label a batch", records, first });
        let started = Instant::now();
        let texts = batch.sift(|record| decoder.decode(record));
        unusual_times::watch(decoder, texts.items(), "decode.event_time_unit");
        let decoded = Instant::now();
        let labeled = labeler.label(texts)?;
        metrics::labeled(records, decoded - started, decoded.elapsed());
        assert_eq!(labeled.records(), records, "labelling lost or invented records");
        drop(labels); // waiting for the publisher is no work
        if to_publisher.blocking_send(labeled).is_err() {
            return Ok(()); // the publisher ended; its own result says why
        }
    }
}

fn publish<P: Publisher>(
    publisher: &mut P,
    mut labeled: mpsc::Receiver<Batch<LabeledEvent>>,
    progress: &Progress,
    pulse: &Pulse,
) -> Result<(), PipelineError> {
    while let Some(batch) = labeled.blocking_recv() {
        let summary = summary::Summary::of(&batch);
        let (records, first) = (batch.records(), first_of(&batch));
        let _publishes = pulse.work(Work { task: "publish a batch", records, first });
        let started = Instant::now();
        let published = publisher.publish(batch)?;
        progress.record(&summary, published, started.elapsed());
    }
    Ok(())
}

/// Where the first record of a labelled batch was read.
fn first_of(batch: &Batch<LabeledEvent>) -> Option<Origin> {
    let labeled = batch.items().iter().map(|item| &item.event.raw.origin);
    labeled.chain(batch.rejects().iter().map(|letter| &letter.raw.origin)).min().cloned()
}
