//! True labels beside the windows: the reporter's reader of the labels topic, and what it makes of it.
//!
//! Every process that becomes the reporter reads the topic from its beginning, in a group of its own that commits
//! nothing: labels are few, and what they told before is in the state. It is read where the reporter has a moment, through
//! the source that everything else is read through, which pauses when nobody asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kafka::clock::now_ms;
use kafka::connection::Connection;
use kafka::consumer::KafkaSource;
use kafka::settings::SourceConfig;
use kafka::source::{Source, SourceError, SourceEvent};
use kafka::table::Bytes;
use schemas::RawEvent;
use tokio::runtime::Runtime;

use super::PipelineError;
use crate::labels::reviser::{Reviser, Revision};
use crate::labels::settings::LabelsConfig;
use crate::metrics;
use crate::settings::WindowConfig;
use crate::state::{Entry, StateError};

/// Records of the labels topic that are read at once, so that windows need not wait for a long backlog of labels.
const RECORDS_MAX: usize = 5000;
/// How long one go waits for a record that may be on its way.
const WAIT: Duration = Duration::from_millis(1);

/// Where true labels come from, and how they are read.
pub struct LabelsFrom {
    pub config: LabelsConfig,
    pub connection: Connection,
    /// As the labelled topics are read; its topics are not these.
    pub source: SourceConfig,
    /// Files reports under this model, as [`crate::compare::Comparer::with_model`] does.
    pub model: Option<String>,
}

/// The labels topic, read from its beginning.
struct Tail {
    source: KafkaSource,
    reactor: Runtime,
    /// The offset after the last record taken, per partition.
    taken: BTreeMap<i32, i64>,
}

impl Tail {
    fn start(from: &LabelsFrom) -> Result<Self, PipelineError> {
        let reactor =
            tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(PipelineError::Reactor)?;
        let group = format!("{}-labels-{}-{}", from.source.group(), std::process::id(), now_ms());
        let topics = vec![from.config.topic().to_owned()];
        let config = from.source.clone().reading(topics, group).from_the_beginning().telling_ends();
        Ok(Self { source: KafkaSource::start(&from.connection, config)?, reactor, taken: BTreeMap::new() })
    }

    /// The next record, if one is there.
    fn next(&mut self) -> Result<Option<RawEvent>, SourceError> {
        let Self { source, reactor, taken } = self;
        let next = reactor.block_on(async { tokio::time::timeout(WAIT, source.next()).await });
        match next {
            Ok(Ok(SourceEvent::Record(record, _))) => {
                let taken = taken.entry(record.origin.partition).or_default();
                *taken = record.origin.offset.saturating_add(1).max(*taken);
                Ok(Some(record))
            }
            Ok(Err(error)) => Err(error),
            // A rebalance begins again at the beginning; a label that is read twice changes nothing.
            Ok(Ok(SourceEvent::Tick | SourceEvent::Drained { .. } | SourceEvent::Lost | SourceEvent::End)) | Err(_) => {
                Ok(None)
            }
        }
    }

    /// Whether everything that the topic holds was taken.
    fn is_at_end(&self) -> bool {
        let Some(assigned) = self.source.leases().assigned() else { return false };
        let is_taken = |partition: &i32, read_to: Option<i64>| {
            read_to.is_none_or(|read_to| self.taken.get(partition).is_some_and(|taken| *taken >= read_to))
        };
        !assigned.partitions.is_empty()
            && assigned.partitions.iter().all(|((_, partition), own)| own.is_at_end && is_taken(partition, own.read_to))
    }
}

/// One reporter's true labels.
pub(super) struct Labels {
    reviser: Reviser,
    tail: Tail,
    /// Made, and not in the store yet.
    unwritten: Option<Revision>,
    /// When the topic was last seen read to its end, milliseconds since 1970 UTC.
    read_to_end_ms: Option<i64>,
}

impl Labels {
    /// Begins with what the state topic holds.
    pub(super) fn open(
        from: &LabelsFrom,
        windows: &WindowConfig,
        entries: &[(Bytes, Bytes)],
    ) -> Result<Self, PipelineError> {
        let mut reviser = Reviser::new(from.config.clone(), windows, from.model.clone());
        for (key, value) in entries {
            reviser.apply(key, Some(value))?;
        }
        Ok(Self { reviser, tail: Tail::start(from)?, unwritten: None, read_to_end_ms: None })
    }

    /// Takes a change of the state topic.
    pub(super) fn apply(&mut self, key: &[u8], value: Option<&Arc<[u8]>>) -> Result<(), StateError> {
        self.reviser.apply(key, value)
    }

    /// Takes up the labels that are there.
    pub(super) fn read(&mut self) -> Result<(), SourceError> {
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..RECORDS_MAX {
            let now_ms = now_ms();
            let Some(record) = self.tail.next()? else {
                if self.tail.is_at_end() {
                    self.read_to_end_ms = Some(now_ms);
                }
                break;
            };
            *if self.reviser.label(record) { &mut taken } else { &mut refused } += 1;
        }
        metrics::labels_read(taken, refused);
        Ok(())
    }

    /// The next revision to write: the one that the store did not take, else one that is due.
    pub(super) fn next(&mut self) -> Result<Option<Revision>, StateError> {
        match self.unwritten.take() {
            Some(unwritten) => Ok(Some(unwritten)),
            None => self.reviser.due(now_ms(), self.read_to_end_ms),
        }
    }

    /// The store did not take it.
    pub(super) fn keep(&mut self, unwritten: Revision) {
        self.unwritten = Some(unwritten);
    }

    /// The store has it.
    pub(super) fn written(&mut self, revision: Revision) {
        self.reviser.written(revision);
    }

    /// Records for the next checkpoint.
    pub(super) fn checkpoint(&mut self) -> Vec<Entry> {
        self.reviser.checkpoint()
    }

    /// Whether all labels that are there are in a report.
    pub(super) fn is_quiet(&self) -> bool {
        self.unwritten.is_none() && self.read_to_end_ms.is_some()
    }
}
