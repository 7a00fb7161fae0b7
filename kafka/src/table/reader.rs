//! The thread of a [`super::KafkaTable`]: reads every partition of its topic from the beginning and applies the records.
//!
//! How far it has come is told in two ways. librdkafka's position counts transaction markers, which come after every
//! aborted record; and where compaction left a gap at the very end, the statistics say that fetching is past it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::shared::Shared;
use crate::listener::Listener;
use crate::metrics;
use crate::reaction::Reaction;
use crate::read_error::{exit, exit_or};
use crate::settings::SourceConfig;
use crate::source::SourceError;

/// How long one poll waits for a record; also the longest that a stop goes unnoticed.
const POLL_WAIT: Duration = Duration::from_millis(50);
/// Records between two looks at the positions while there is more to read.
const RECORDS_BETWEEN_LOOKS: usize = 500;
/// Between attempts while the topic or the cluster is missing.
const RETRY_WAIT: Duration = Duration::from_millis(200);

pub(super) struct TableReader {
    consumer: BaseConsumer<Listener>,
    config: SourceConfig,
    shared: Arc<Shared>,
    bytes_max: usize,
    stop: Arc<AtomicBool>,
    is_outage: bool,
}

impl TableReader {
    pub(super) fn new(
        consumer: BaseConsumer<Listener>,
        config: SourceConfig,
        shared: Arc<Shared>,
        bytes_max: usize,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self { consumer, config, shared, bytes_max, stop, is_outage: false }
    }

    /// Reads until the table is dropped or an error ends the process.
    pub(super) fn run(mut self) -> Result<(), SourceError> {
        let Some(partitions) = self.find()? else { return Ok(()) };
        let topic = self.topic().to_owned();
        let mut assignment = TopicPartitionList::new();
        for partition in 0..partitions {
            let added = assignment.add_partition_offset(&topic, partition, Offset::Beginning);
            added.map_err(|error| exit(format!("topic {topic}"), error.to_string()))?;
        }
        self.consumer.assign(&assignment).map_err(|error| exit(format!("topic {topic}"), error.to_string()))?;
        self.shared.found(0..partitions);
        while !self.stop.load(Ordering::Acquire) {
            self.poll()?;
            self.tell_positions();
        }
        Ok(())
    }

    fn topic(&self) -> &str {
        self.config.topics().first().map_or("", String::as_str)
    }

    /// Applies what is there, up to the next look at the positions.
    fn poll(&mut self) -> Result<(), SourceError> {
        let mut wait = POLL_WAIT;
        for _ in 0..RECORDS_BETWEEN_LOOKS {
            match self.consumer.poll(wait) {
                None | Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
                Some(Err(error)) => return self.failed(&error),
                Some(Ok(message)) => {
                    if !self.shared.apply(&message, self.bytes_max) {
                        let reason = format!("it holds more than {} bytes in memory (state.bytes_max)", self.bytes_max);
                        return Err(exit(format!("topic {}", message.topic()), reason));
                    }
                }
            }
            self.reachable();
            wait = Duration::ZERO;
        }
        Ok(())
    }

    /// Everything handed out so far is applied: tells how far that is.
    fn tell_positions(&mut self) {
        for (partition, next) in self.consumer.context().take_positions() {
            self.shared.read_to(partition, next);
        }
        let Ok(positions) = self.consumer.position() else { return };
        for element in positions.elements() {
            if let Offset::Offset(next) = element.offset() {
                self.shared.read_to(element.partition(), next);
            }
        }
    }

    /// The number of the topic's partitions, once it exists; `None` when the table was dropped meanwhile.
    fn find(&mut self) -> Result<Option<i32>, SourceError> {
        let topic = self.topic().to_owned();
        let deadline = Instant::now() + self.config.topic_wait;
        while !self.stop.load(Ordering::Acquire) {
            let error = match self.consumer.fetch_metadata(Some(&topic), self.config.request_wait) {
                Ok(metadata) => {
                    let found = metadata.topics().iter().find(|found| found.name() == topic);
                    let partitions = found.map_or(0, |found| found.partitions().len());
                    match found.and_then(|found| found.error()).map(Code::from) {
                        None if partitions > 0 => return Ok(i32::try_from(partitions).ok()),
                        None | Some(Code::UnknownTopicOrPartition) if Instant::now() < deadline => None,
                        code => Some(KafkaError::MetadataFetch(code.unwrap_or(Code::UnknownTopicOrPartition))),
                    }
                }
                Err(error) => Some(error),
            };
            if let Some(error) = error {
                self.failed(&error)?;
            }
            if let Some(Err(event)) = self.consumer.poll(RETRY_WAIT) {
                self.failed(&event)?;
            }
        }
        Ok(None)
    }

    /// Judges an error: waits it out, or ends the process.
    fn failed(&mut self, error: &KafkaError) -> Result<(), SourceError> {
        let reason = self.consumer.context().take_error();
        match exit_or(error, &reason, &self.config)? {
            Reaction::CallAgain if !self.is_outage => {
                self.is_outage = true;
                metrics::outage();
                tracing::warn!(topic = self.topic(), %error, reason, "no broker can be reached; waiting");
            }
            Reaction::CallAgain | Reaction::Ignore => tracing::debug!(%error, reason, "connection lost"),
            _ => tracing::warn!(%error, reason, "librdkafka reported an error and continues"),
        }
        Ok(())
    }

    fn reachable(&mut self) {
        if std::mem::take(&mut self.is_outage) {
            tracing::info!(topic = self.topic(), "brokers can be reached again");
        }
    }
}
