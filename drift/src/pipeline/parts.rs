//! What a pipeline of the drift worker is made of.

use std::sync::Arc;
use std::time::Duration;

use kafka::batcher::BatchLimits;
use kafka::consumer::KafkaSource;
use kafka::identity::Identity;
use kafka::table::KafkaTable;
use kafka::transactor::Transactor;
use sink::reports::ReportStore;

use super::labels::LabelsFrom;
use crate::compare::Comparer;
use crate::observation::Observer;
use crate::settings::WindowConfig;

/// What a pipeline is made of; `run` borrows it.
pub struct Parts {
    pub source: KafkaSource,
    pub publisher: Transactor,
    /// The state topic.
    pub table: KafkaTable,
    pub store: ReportStore,
    pub observer: Observer,
    pub comparer: Comparer,
    /// Asks how many partitions the topics have.
    pub identity: Identity,
    /// `None`: there are no true labels.
    pub labels: Option<LabelsFrom>,
}

/// The settings that a pipeline runs under.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The topics that are counted; the owner of partition 0 of the first one reports.
    pub topics: Vec<Arc<str>>,
    pub state_topic: Arc<str>,
    pub windows: Arc<WindowConfig>,
    pub batch: BatchLimits,
    /// Reading the state back after an assignment.
    pub restore_wait: Duration,
    /// Reports that may wait for the store.
    pub pending_max: usize,
    /// The source ends: then every window is closed, as final.
    pub until_end: bool,
}
