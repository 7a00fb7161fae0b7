//! Before the first record: the topics exist and may be read, and, when asked, where they end at this moment.
//!
//! A cluster that cannot be reached is waited for; a topic that is missing is an error after `source.topic_wait_ms`.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

use super::poller::Poller;
use crate::offsets::{self, Slot, list};
use crate::read_error::exit;
use crate::settings::OffsetReset;
use crate::source::SourceError;

/// Between attempts while a topic or the cluster is missing.
const RETRY_WAIT: Duration = Duration::from_millis(200);

impl Poller {
    /// Finds the input topics and their ends; `None` when the source was dropped meanwhile.
    pub(super) fn start(&mut self) -> Result<Option<BTreeMap<Slot, i64>>, SourceError> {
        let mut ends = BTreeMap::new();
        for topic in self.config.topics.clone() {
            let Some(partitions) = self.find(&topic)? else { return Ok(None) };
            if self.config.offset_reset == OffsetReset::Latest && !self.find_latest(&topic, partitions)? {
                return Ok(None);
            }
            if self.config.until_end.is_none() {
                continue;
            }
            for partition in 0..partitions {
                let Some(end) = self.end_of(&topic, partition)? else { return Ok(None) };
                ends.insert((topic.clone(), partition), end);
            }
        }
        Ok(Some(ends))
    }

    /// The number of a topic's partitions, once it exists.
    fn find(&mut self, topic: &str) -> Result<Option<i32>, SourceError> {
        let mut missing_since = None;
        while !self.stop.load(Ordering::Acquire) {
            let error = match self.consumer.fetch_metadata(Some(topic), self.config.request_wait) {
                Ok(metadata) => {
                    self.reachable();
                    let found = metadata.topics().iter().find(|found| found.name() == topic);
                    let code = found.and_then(|found| found.error()).map(Code::from);
                    let partitions = found.map_or(0, |found| found.partitions().len());
                    match code {
                        None if partitions > 0 => return Ok(i32::try_from(partitions).ok()),
                        None | Some(Code::UnknownTopicOrPartition) => {
                            self.missing(topic, *missing_since.get_or_insert_with(Instant::now))?;
                            None
                        }
                        Some(code) => Some(KafkaError::MetadataFetch(code)),
                    }
                }
                Err(error) => Some(error),
            };
            self.wait_after(error)?;
        }
        Ok(None)
    }

    fn missing(&self, topic: &str, since: Instant) -> Result<(), SourceError> {
        if since.elapsed() < self.config.topic_wait {
            return Ok(());
        }
        let brokers = self.consumer.context().brokers();
        Err(exit(
            format!("topic {topic}"),
            format!("it does not exist on {brokers}; create it, or correct source.topics (--input)"),
        ))
    }

    /// Where a group that is new to the topic begins with `latest`: at its present ends. False: the source was dropped.
    ///
    /// Found here, and for all partitions at once. When partitions are assigned it is too late: what came since would be
    /// skipped, and other members would have committed their own.
    fn find_latest(&mut self, topic: &str, partitions: i32) -> Result<bool, SourceError> {
        let slots: Vec<Slot> = (0..partitions).map(|partition| (topic.to_owned(), partition)).collect();
        while !self.stop.load(Ordering::Acquire) {
            let ends = self
                .is_group_new_to(&slots)
                .and_then(|is_new| if is_new { self.logs(&slots) } else { Ok(BTreeMap::new()) });
            match ends {
                Ok(ends) => {
                    self.state.starts.is_new_to(ends.into_iter().map(|(slot, log)| (slot, log.end)));
                    return Ok(true);
                }
                Err(error) => {
                    self.not_begun(&error)?;
                    self.wait_after(None)?;
                }
            }
        }
        Ok(false)
    }

    /// Whether the group has committed nothing of the topic. A transaction that is not settled need not be waited for:
    /// where there is one, the start was committed before it.
    fn is_group_new_to(&self, slots: &[Slot]) -> KafkaResult<bool> {
        let committed = offsets::committed(&self.uncommitted()?, list(slots), self.config.request_wait)?;
        Ok(committed.values().all(Option::is_none))
    }

    /// The last stable offset: what an open transaction holds back is not yet there.
    fn end_of(&mut self, topic: &str, partition: i32) -> Result<Option<i64>, SourceError> {
        while !self.stop.load(Ordering::Acquire) {
            match self.consumer.fetch_watermarks(topic, partition, self.config.request_wait) {
                Ok((_, end)) => return Ok(Some(end)),
                Err(error) => self.wait_after(Some(error))?,
            }
        }
        Ok(None)
    }

    /// Tells the reader that this thread lives.
    pub(super) fn turn(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// Judges an error, and serves librdkafka's events for a moment: refusals of credentials arrive there.
    fn wait_after(&mut self, error: Option<KafkaError>) -> Result<(), SourceError> {
        self.turn();
        if let Some(Err(event)) = self.consumer.poll(RETRY_WAIT) {
            self.failed(&event)?;
        }
        error.map_or(Ok(()), |error| self.failed(&error))
    }
}
