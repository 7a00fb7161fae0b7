//! One stage per test: a labelled topic, the settings of workers on it, and workers in this process or as a child.
//!
//! A child is this test program again, told by a variable to be a worker: `kill -9` needs a process of its own.

use std::collections::BTreeMap;
use std::env;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use drift::compare::Comparer;
use drift::labels::settings::{LabelsConfig, LabelsSettings};
use drift::observation::{Observer, ObserverConfig, ObserverSettings};
use drift::pipeline::settings::{StateConfig, StateSettings};
use drift::pipeline::{DriftWorker, PipelineError, Progress, Setup};
use drift::reference::ReferenceKind;
use drift::reference::settings::{ReferenceConfig, ReferenceSettings};
use drift::settings::{WindowConfig, WindowSettings};
use drift::verdict::settings::{VerdictConfig, VerdictSettings};
use formats::time::TimeUnit;
use kafka::batcher::BatchLimits;
use kafka::connection::Connection;
use kafka::identity::Identity;
use kafka::settings::{Assignment, OffsetReset, SourceConfig, SourceSettings};
use kafka::transactor::config::{Compression, Guarantee, TransactorConfig};
use serde::{Deserialize, Serialize};
use service::supervision::Supervision;
use service::telemetry::{LogConfig, LogFormat, LogSettings, install_log};
use sink::reports::ReportsConfig;
use tests::broker::TestBroker;
use tests::connection;
use tests::folder;
use tests::names::unique;
use tests::process::Process;
use tests::records::create_topics;
use tokio_util::sync::CancellationToken;

/// Tells a child what to do: a [`Job`] as JSON.
const JOB_VARIABLE: &str = "LABELSTREAM_TEST_DRIFT_JOB";
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A worker's place, and what it reads and writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) brokers: String,
    pub(crate) topic: String,
    pub(crate) group: String,
    pub(crate) instance: String,
    pub(crate) reports: PathBuf,
    pub(crate) granularities: Vec<String>,
    pub(crate) until_end: bool,
    pub(crate) pending_max: usize,
    pub(crate) idle_ms: u64,
    /// The labels topic, if there is one.
    pub(crate) labels: Option<String>,
}

impl Job {
    /// A job on a topic of its own.
    pub(crate) fn new(broker: &TestBroker, partitions: i32, reports: &Path) -> Self {
        let topic = unique("drift-labeled");
        create_topics(&broker.address, &[&topic], partitions);
        Self {
            brokers: broker.address.clone(),
            topic,
            group: unique("drift"),
            instance: "a".to_owned(),
            reports: reports.to_owned(),
            granularities: ["2s", "10s"].map(str::to_owned).to_vec(),
            until_end: false,
            pending_max: 64,
            idle_ms: 600_000,
            labels: None,
        }
    }

    /// The same topic for another group, which has a state of its own.
    pub(crate) fn undisturbed(&self, reports: &Path) -> Self {
        Self { group: unique("drift-alone"), reports: reports.to_owned(), until_end: true, ..self.clone() }
    }

    pub(crate) fn instance(&self, instance: &str) -> Self {
        Self { instance: instance.to_owned(), ..self.clone() }
    }

    pub(crate) fn until_end(&self) -> Self {
        Self { until_end: true, ..self.clone() }
    }

    pub(crate) fn state_topic(&self) -> String {
        format!("{}-{}-state", self.topic, self.group)
    }

    /// This worker as a process of its own.
    pub(crate) fn spawn(&self) -> Process {
        let own = env::current_exe().expect("a program knows its own path");
        let job = serde_json::to_string(self).expect("names and numbers");
        Process::start(
            Command::new(own).args(["--exact", "a_worker", "--ignored", "--nocapture"]).env(JOB_VARIABLE, job),
        )
    }

    /// What a child was told to do; `None` for a test run by hand.
    pub(crate) fn told() -> Option<Self> {
        let job = env::var(JOB_VARIABLE).ok()?;
        Some(serde_json::from_str(&job).expect("written by the parent"))
    }

    /// Works in this process until asked to stop, or until the end.
    pub(crate) fn work(&self, progress: &Progress, stop: &CancellationToken) -> Result<(), PipelineError> {
        let mut worker = self.connect(stop)?;
        worker.run(Supervision { rewinds_max: 20, backoff: Duration::from_millis(50) }, progress, stop)
    }

    fn connect(&self, stop: &CancellationToken) -> Result<DriftWorker, PipelineError> {
        let connection = self.connection();
        let windows = Arc::new(self.windows());
        let source = self.source();
        let identity =
            Identity { connection: connection.clone(), group: self.group.clone(), instance: self.instance.clone() };
        let state = StateConfig::try_from(StateSettings {
            topic: Some(self.state_topic()),
            create_topic: true,
            bytes_max: 256 << 20,
            restore_wait_ms: 60_000,
        });
        let setup = Setup {
            connection: &connection,
            source,
            transactor: transactor(),
            identity,
            windows: Arc::clone(&windows),
            state: &state.expect("valid settings"),
            reports: &ReportsConfig::of_folder(&self.reports).with_pending_max(self.pending_max),
            batch: BatchLimits { records_max: positive(200), bytes_max: positive(1 << 20) },
            observer: Observer::new(ObserverConfig::try_from(ObserverSettings::default()).expect("valid settings")),
            comparer: comparer(&windows),
            labels: self.labels(),
            until_end: self.until_end,
        };
        DriftWorker::connect(setup, stop)
    }

    fn connection(&self) -> Connection {
        connection::plaintext(&self.brokers)
    }

    fn windows(&self) -> WindowConfig {
        WindowConfig::try_from(WindowSettings {
            granularities: self.granularities.clone(),
            out_of_order_ms: 1000,
            lateness_ms: 4000,
            idle_ms: self.idle_ms,
            retention_ms: 60_000,
            checkpoint_ms: 300,
            checkpoint_records_max: 1000,
        })
        .expect("valid settings")
    }

    fn labels(&self) -> Option<LabelsConfig> {
        let settings = LabelsSettings {
            topic: self.labels.clone(),
            id_pointer: "/id".to_owned(),
            label_pointer: "/truth".to_owned(),
            time_pointer: Some("/time".to_owned()),
            time_unit: TimeUnit::Milliseconds,
            ttl_ms: 3_600_000,
            predictions_max: 5000,
            labels_max: 100_000,
            revise_every_ms: 1000,
        };
        LabelsConfig::new(settings).expect("valid settings")
    }

    fn source(&self) -> SourceConfig {
        SourceConfig::try_from(SourceSettings {
            topics: vec![self.topic.clone()],
            group: self.group.clone(),
            instance: Some(self.instance.clone()),
            assignment: Assignment::Range,
            offset_reset: OffsetReset::Earliest,
            metadata_age_max_ms: 30_000,
            session_timeout_ms: 6000,
            max_poll_interval_ms: 60_000,
            revoke_wait_ms: 3000,
            topic_wait_ms: 5000,
            request_wait_ms: 2000,
            close_wait_ms: 5000,
            queue_records_max: 500,
            queue_bytes_max: 1 << 20,
            prefetch_bytes_max: 16 << 20,
        })
        .expect("valid settings")
    }
}

fn positive(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("positive")
}

fn transactor() -> TransactorConfig {
    TransactorConfig {
        guarantee: Guarantee::ExactlyOnce,
        compression: Compression::Lz4,
        transaction_timeout: Duration::from_secs(30),
        publish_wait: Duration::from_secs(15),
        commit_wait: Duration::from_secs(10),
        abort_wait: Duration::from_secs(10),
        connect_wait: Duration::from_secs(30),
        attempts_max: NonZeroU32::new(5).expect("positive"),
        retry_wait: Duration::from_millis(10),
        message_bytes_max: 1_000_000,
        partitions_age_max: Duration::from_secs(60),
    }
}

/// Compares with the window before: what was closed must come back from the state, to the byte.
fn comparer(windows: &WindowConfig) -> Comparer {
    let reference = ReferenceConfig::try_from(ReferenceSettings {
        kind: ReferenceKind::Previous,
        profile: String::new(),
        allow_other_model: false,
        rolling_windows: 1,
        seasonal_weeks: 1,
        windows_min: 1,
    });
    let verdict = VerdictConfig::try_from(VerdictSettings {
        false_alarm_budget: "1 per day".to_owned(),
        records_min: 20,
        persistence_windows: 3,
        persistence_flagged: 2,
        large_level: 0.05,
        share_change_min: 0.02,
        rate_change_min: 0.01,
        score_distance_min: 0.05,
        length_change_min: 0.05,
        word_change_min: 0.01,
        embedding_distance_min: 0.05,
    });
    Comparer::new(reference.expect("valid settings"), verdict.expect("valid settings"), windows.granularities(), None)
}

/// Logs to standard error, for the parent to read.
pub(crate) fn log() {
    let settings = LogSettings { format: LogFormat::Text, level: "info".to_owned() };
    install_log(&LogConfig::try_from(settings).expect("valid settings")).expect("the first one in this process");
}

/// The reports below a folder, by their paths; what a killed writer left unfinished is none.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    folder::files(folder).into_iter().filter(|(name, _)| name.ends_with(".parquet")).collect()
}

/// A worker on a thread of this process; dropping it asks it to stop.
pub(crate) struct Running {
    pub(crate) progress: Arc<Progress>,
    stop: CancellationToken,
    thread: Option<thread::JoinHandle<Result<(), PipelineError>>>,
}

impl Running {
    pub(crate) fn start(job: &Job) -> Self {
        let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
        let (job, own, token) = (job.clone(), Arc::clone(&progress), stop.clone());
        Self { progress, stop, thread: Some(thread::spawn(move || job.work(&own, &token))) }
    }

    /// Waits until it is so.
    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut(&Progress) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(&self.progress) {
            let is_running = self.thread.as_ref().is_some_and(|thread| !thread.is_finished());
            assert!(is_running && Instant::now() < deadline, "not so: {what}; {:?}", self.progress);
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) {
        self.stop.cancel();
        self.join();
    }

    /// Waits until it ends by itself.
    pub(crate) fn await_end(mut self) -> Arc<Progress> {
        let deadline = Instant::now() + PATIENCE;
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            assert!(Instant::now() < deadline, "it did not end: {:?}", self.progress);
            thread::sleep(Duration::from_millis(20));
        }
        self.join();
        Arc::clone(&self.progress)
    }

    fn join(&mut self) {
        let thread = self.thread.take().expect("joined once");
        thread.join().expect("no panic").expect("a worker that ends well");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
