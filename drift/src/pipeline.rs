//! The live worker: read -> count and save -> report, each on its own thread.
//!
//! Counting depends on the logs alone ([`PartitionState`](crate::partition)); every `checkpoint_ms` what changed is saved
//! in one transaction with the offsets that it covers. A new assignment, or a rewind after an error, drops what is in
//! memory and reads it back ([`KafkaTable`](kafka::table::KafkaTable)). The owner of partition 0 of the first topic
//! reports for all: a report is durable before the record that closes its window is in a checkpoint, so a crash between
//! repeats the same file.
//!
//! A store that fails ends nothing: its reports wait and are tried again, and from `reports.pending_max` on reading
//! waits, too. [`run`] borrows its parts, so [`supervise`] can call it again with them.

mod count;
mod desk;
mod error;
mod labels;
mod parts;
mod progress;
mod read;
mod report;
mod session;
pub mod settings;
mod supervisor;
mod worker;

use std::thread;

use schemas::Recovery;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use error::{PipelineError, Stage};
pub use labels::LabelsFrom;
pub use parts::{Limits, Parts};
pub use progress::{NewestReport, Progress};
pub use supervisor::supervise;
pub use worker::{DriftWorker, Setup};

/// Counts, saves and reports until `stop`, the source's end, or the first error.
///
/// Stopping reads nothing new and saves what is counted. At the source's end every window is reported; the worker that
/// does so waits until the others have saved theirs.
///
/// # Errors
/// The first stage's error; [`PipelineError::recovery`] says what to do. All stages have ended when it returns.
pub fn run(
    parts: &mut Parts,
    limits: &Limits,
    progress: &Progress,
    stop: &CancellationToken,
) -> Result<(), PipelineError> {
    let reactor =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(PipelineError::Reactor)?;
    let Parts { source, publisher, table, store, observer, comparer, identity, labels } = parts;
    let labels = labels.as_ref();
    let (to_count, steps) = mpsc::channel(1);
    let desk = desk::Desk::default();
    let leases = source.leases();
    // Whichever stage ends first, by error or panic, ends the others: each holds a guard of this token.
    let ended = stop.child_token();

    thread::scope(|scope| {
        let counter = count::Counter {
            context: count::Context {
                observer,
                table,
                leases: &leases,
                identity,
                limits,
                labels,
                desk: &desk,
                progress,
            },
            publisher,
            pulse: progress.pulse(Stage::Count),
            ended: &ended,
            session: None,
            stale: None,
        };
        let count = scope.spawn(|| {
            let _ends_the_others = ended.clone().drop_guard();
            counter.run(steps)
        });
        let reporter =
            report::Reporter::new(report::Context { table, store, comparer, limits, labels, desk: &desk, progress });
        let report = scope.spawn(|| {
            let _ends_the_others = ended.clone().drop_guard();
            reporter.run(&ended)
        });
        let read = reactor.block_on(read::read(
            source,
            to_count,
            read::Context { limits, desk: &desk, pulse: progress.pulse(Stage::Read), ended: &ended },
        ));
        if stop.is_cancelled() {
            store.stop(); // the process ends: a report that does not go through now is made again by the next one
        }
        // The later stages speak first: when one fails, the others only report that it is gone.
        let count = count.join().unwrap_or_else(|panic| Err(PipelineError::panicked(Stage::Count, &panic)));
        let report = report.join().unwrap_or_else(|panic| Err(PipelineError::panicked(Stage::Report, &panic)));
        match (report.and(count), read) {
            // A consumer that was fenced can do nothing for the later stages: its end is the cause of theirs.
            (Err(later), Err(read)) if later.recovery() == Recovery::Rewind && read.recovery() == Recovery::Exit => {
                Err(read)
            }
            (later, read) => later.and(read),
        }
    })
}
