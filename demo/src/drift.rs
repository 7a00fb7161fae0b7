//! The demo's drift worker: the same as under `labelstream drift`, with windows of seconds, and a reader of its
//! reports, which plays the analyst: what the screen says about drift, it has read from the Parquet files.

use std::collections::BTreeSet;
use std::sync::mpsc::SyncSender;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drift::pipeline::{DriftWorker, Progress};
use drift::verdict::overall;
use jiff::Timestamp;
use schemas::report::{DriftRow, Verdict};
use service::settings::Flag;
use sink::reports::{ReportName, ReportStore, Selection};
use tokio_util::sync::CancellationToken;
use workers::drift::setup;
use workers::error::WorkerError;
use workers::settings::Config;

use crate::error::DemoError;
use crate::event::Event;
use crate::topics::Topics;
use crate::watch::Judged;

/// Between two looks for new reports.
const LOOK: Duration = Duration::from_millis(200);
/// Records of a window that is judged: a little less than the slowest pace sends in the longest window, for some of them
/// are dead letters.
const RECORDS_MIN: &str = "35";
/// What the screen says about a window that drifted.
const REASONS: usize = 3;

/// What differs from the defaults: a demo lasts half a minute, so its windows are short, its reference is the windows
/// before, and it says what it sees at once. A slow machine brings too few records for a window of two seconds: then the
/// longer ones judge. The change is so large that the fewer records of [`RECORDS_MIN`] show it.
pub(crate) fn flags(topics: &Topics, reports: &str) -> Vec<Flag> {
    [
        ("drift.topics", topics.output.as_str()),
        ("drift.dead_letter_topics", &topics.dead_letter),
        ("drift.group", &topics.state),
        ("state.topic", &topics.state),
        ("drift.granularities", "2s,4s,8s"),
        ("drift.out_of_order_ms", "200"),
        ("drift.lateness_ms", "2000"),
        ("drift.idle_ms", "1500"),
        ("drift.retention_ms", "60000"),
        ("drift.checkpoint_ms", "300"),
        ("reference.kind", "rolling"),
        ("reference.rolling_windows", "6"),
        ("reference.windows_min", "2"),
        ("verdict.records_min", RECORDS_MIN),
        ("verdict.false_alarm_budget", "24 per day"),
        ("verdict.persistence_windows", "1"),
        ("verdict.persistence_flagged", "1"),
        ("reports.url", reports),
    ]
    .into_iter()
    .map(|(key, text)| Flag { name: "demo", key, text: text.to_owned() })
    .collect()
}

/// The worker and the reader of its reports, at work.
pub(crate) struct DriftAct {
    worker: JoinHandle<Result<(), WorkerError>>,
    reader: JoinHandle<Result<(), DemoError>>,
}

impl DriftAct {
    /// Connects and starts both; they end with `stop`.
    ///
    /// # Errors
    /// When the worker cannot connect, or the folder of reports cannot be used.
    pub(crate) fn start(
        config: &Config,
        stop: &CancellationToken,
        to_show: &SyncSender<Event>,
    ) -> Result<Self, DemoError> {
        let mut worker = DriftWorker::connect(setup(config, false, stop)?, stop).map_err(WorkerError::Drift)?;
        let store = ReportStore::open(config.reports())?;
        let (supervision, ended) = (config.supervision(), stop.clone());
        let tell = to_show.clone();
        let work = move || {
            let worked = worker.run(supervision, &Progress::default(), &ended);
            if worked.is_err() {
                tell.send(Event::PipelineEnded).ok(); // the demo is over anyway
            }
            worked.map_err(WorkerError::Drift)
        };
        let (ended, tell) = (stop.clone(), to_show.clone());
        let read = move || read(&store, &ended, &tell);
        let spawn = |name: &str| thread::Builder::new().name(name.to_owned());
        Ok(Self {
            worker: spawn("demo-drift").spawn(work).map_err(DemoError::Thread)?,
            reader: spawn("demo-reports").spawn(read).map_err(DemoError::Thread)?,
        })
    }

    /// Waits for both after they were told to stop.
    ///
    /// # Errors
    /// When one of them failed.
    pub(crate) fn join(self) -> Result<(), DemoError> {
        let worked = self.worker.join().map_err(|_| DemoError::DriftPanicked)?;
        let read = self.reader.join().map_err(|_| DemoError::DriftPanicked)?;
        Ok(worked?).and(read)
    }
}

/// What moved, surest first, each thing once.
fn reasons(rows: &[DriftRow]) -> Vec<String> {
    let mut drifted: Vec<_> = rows.iter().filter(|row| row.verdict == Verdict::Drift).collect();
    drifted.sort_by(|one, other| one.q_value.unwrap_or(1.0).total_cmp(&other.q_value.unwrap_or(1.0)));
    let mut reasons: Vec<String> = Vec::new();
    for row in drifted {
        if reasons.len() < REASONS && !reasons.contains(&row.reason) {
            reasons.push(row.reason.clone());
        }
    }
    reasons
}

/// Reads every new report and tells what it says.
fn read(store: &ReportStore, stop: &CancellationToken, tell: &SyncSender<Event>) -> Result<(), DemoError> {
    let since = Selection { from_ms: Some(Timestamp::now().as_millisecond()), ..Selection::default() };
    let mut known: BTreeSet<ReportName> = BTreeSet::new();
    while !stop.is_cancelled() {
        thread::sleep(LOOK);
        for name in store.windows(&since)? {
            if known.contains(&name) {
                continue;
            }
            let report = store.read(&name)?;
            if report.drift.is_empty() {
                continue; // this table is written last: the report is on its way
            }
            known.insert(name);
            let overall = overall(&report.drift);
            let judged = Judged {
                window_start_ms: report.key.window_start_ms,
                window_end_ms: report.key.window_end_ms,
                verdict: overall.verdict,
                reasons: reasons(&report.drift),
                at_ms: Timestamp::now().as_millisecond(),
            };
            if tell.send(Event::Judged(judged)).is_err() {
                return Ok(()); // the demo is over
            }
        }
    }
    Ok(())
}
