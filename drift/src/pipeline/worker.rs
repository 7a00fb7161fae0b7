//! A worker put together: it finds or makes the state topic, joins the group, and connects to broker and store.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use kafka::batcher::BatchLimits;
use kafka::connection::Connection;
use kafka::consumer::KafkaSource;
use kafka::identity::Identity;
use kafka::lease::Losses;
use kafka::settings::{SourceConfig, UntilEnd};
use kafka::table::KafkaTable;
use kafka::topics::{create_compacted, describe};
use kafka::transactor::Transactor;
use kafka::transactor::config::TransactorConfig;
use service::supervision::Supervision;
use sink::reports::{ReportStore, ReportsConfig};
use tokio_util::sync::CancellationToken;

use super::settings::StateConfig;
use super::{LabelsFrom, Limits, Parts, PipelineError, Progress, supervise};
use crate::compare::Comparer;
use crate::labels::settings::LabelsConfig;
use crate::observation::Observer;
use crate::settings::WindowConfig;

/// How long one question to the broker may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The largest record of the state topic, a little below what [`kafka::topics::COMPACTED`] allows.
const STATE_BYTES_MAX: usize = 16_000_000;
/// Between two looks for labelled topics that are not there yet.
const LOOK: Duration = Duration::from_millis(500);

/// What a worker is made from.
pub struct Setup<'a> {
    pub connection: &'a Connection,
    /// Its topics are those that are counted: the labelled one first, then that of the dead letters.
    pub source: SourceConfig,
    /// How the state is written.
    pub transactor: TransactorConfig,
    /// The group and the instance of the source.
    pub identity: Identity,
    pub windows: Arc<WindowConfig>,
    pub state: &'a StateConfig,
    pub reports: &'a ReportsConfig,
    pub batch: BatchLimits,
    pub observer: Observer,
    pub comparer: Comparer,
    /// Where true labels come from, if from anywhere.
    pub labels: Option<LabelsConfig>,
    /// Ends at the present end of the topics, with every window reported.
    pub until_end: bool,
}

/// Counts, saves and reports as one member of its group.
pub struct DriftWorker {
    parts: Parts,
    limits: Limits,
}

impl DriftWorker {
    /// Makes the state topic where it is missing, joins the group, and connects to broker and store.
    ///
    /// # Errors
    /// When broker or store do not answer in time, or a topic is missing or may not be used.
    pub fn connect(setup: Setup<'_>, stop: &CancellationToken) -> Result<Self, PipelineError> {
        let Setup {
            connection,
            source,
            transactor,
            identity,
            windows,
            state,
            reports,
            batch,
            observer,
            comparer,
            labels,
            ..
        } = setup;
        let until_end = setup.until_end;
        let state_topic = state.topic(source.topics());
        let store = ReportStore::open(reports)?;
        if state.create_topic {
            make_state_topic(connection, &source, &state_topic, stop)?;
        }
        let topics = source.topics().iter().map(|topic| Arc::from(topic.as_str())).collect();
        let labels = labels.map(|config| LabelsFrom {
            config,
            connection: connection.clone(),
            source: source.clone(),
            model: comparer.model().map(str::to_owned),
        });
        let table = KafkaTable::open(connection, &source, &state_topic, state.bytes_max)?;
        let source = if until_end { source.until_end(UntilEnd::Committed) } else { source.telling_ends() };
        let source = KafkaSource::start(connection, source)?;
        let lease = source.leases().lease_fn();
        let config = transactor.exactly_once().with_message_bytes_max(STATE_BYTES_MAX);
        let publisher = Transactor::connect(config, identity.clone(), lease, &[])?;
        let limits = Limits {
            topics,
            state_topic: Arc::from(state_topic),
            windows,
            batch,
            restore_wait: state.restore_wait(),
            pending_max: reports.pending_max(),
            until_end,
        };
        Ok(Self { parts: Parts { source, publisher, table, store, observer, comparer, identity, labels }, limits })
    }

    /// Tells whether this worker is a member of its group, with partitions or as a spare; for readiness.
    pub fn membership(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let leases = self.parts.source.leases();
        move || leases.lease(leases.generation()).is_some()
    }

    /// What could not be read, since the worker was connected.
    pub fn losses(&self) -> Losses {
        self.parts.source.leases().losses()
    }

    /// Works until asked to stop, until the end when that was asked for, or until nothing helps.
    ///
    /// # Errors
    /// As [`supervise`].
    pub fn run(
        &mut self,
        supervision: Supervision,
        progress: &Progress,
        stop: &CancellationToken,
    ) -> Result<(), PipelineError> {
        supervise(&mut self.parts, &self.limits, supervision, progress, stop)
    }
}

/// Makes the state topic as wide as the widest topic that is counted, which is waited for.
fn make_state_topic(
    connection: &Connection,
    source: &SourceConfig,
    state_topic: &str,
    stop: &CancellationToken,
) -> Result<(), PipelineError> {
    let names: Vec<&str> = source.topics().iter().map(String::as_str).collect();
    let deadline = Instant::now() + source.topic_wait();
    while !stop.is_cancelled() {
        let topics = describe(connection, &names, ANSWER_WITHIN)?;
        let Some(absent) = topics.iter().find(|topic| topic.partitions.is_none()) else {
            let widest = topics.iter().filter_map(|topic| topic.partitions).max().unwrap_or(1);
            return Ok(create_compacted(connection, state_topic, widest, ANSWER_WITHIN)?);
        };
        if absent.is_forbidden || Instant::now() >= deadline {
            return Err(PipelineError::TopicGone { topic: absent.name.clone() });
        }
        thread::sleep(LOOK);
    }
    Ok(())
}
