//! What waits for a group, over all partitions of its topics: what it has committed against where the logs end. Found out
//! without joining the group and without a trace, so also while no worker runs.
//!
//! A look costs a question per topic, one to the group's coordinator and two to each leader, whatever the number of
//! partitions. The age of the oldest record costs a fetch from each partition whose committed offset has moved; of more
//! than [`AGES_MAX`] the rest is left out.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::connection::Connection;
use crate::first_times::first_times;
use crate::listener::Listener;
use crate::offsets::{self, Log, Slot};
use crate::reaction::ErrorKind;

/// Partitions whose first waiting record is fetched in one look: those with the most records.
pub const AGES_MAX: usize = 64;
/// Bytes of such a fetch and partition; a larger batch of records still comes whole.
const AGE_BYTES: usize = 16 << 10;
/// A consumer that reads only ages may give up on them.
const AGES_WAIT: Duration = Duration::from_secs(2);

/// What waits at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Offsets from what is committed to the end, over all partitions. Transaction markers among the records count, too.
    pub records: u64,
    /// The time of the oldest waiting record, milliseconds since 1970 UTC; `None` when none waits or none has a time.
    pub oldest_ms: Option<i64>,
    pub partitions: usize,
    /// Those of them in which something waits.
    pub waiting: usize,
    /// What the group has committed, where it has.
    pub committed: BTreeMap<(String, i32), i64>,
}

/// Why the backlog is not known.
#[derive(Debug, thiserror::Error)]
pub enum BacklogError {
    #[error("look at topic {topic}: it does not exist on {brokers}; create it, or correct source.topics (--input)")]
    Missing { topic: String, brokers: String },
    #[error("look at {resource}: {principal} may not; grant it Describe on {resource} (and Read on topics, for ages)")]
    Denied { resource: String, principal: String },
    #[error("look at the backlog of group {group} on {brokers}: {reason}")]
    Broker { group: String, brokers: String, reason: String },
}

/// Looks without joining.
pub struct BacklogReader {
    consumer: BaseConsumer<Listener>,
    topics: Vec<String>,
    group: String,
    brokers: String,
    principal: String,
    wait: Duration,
    /// Times of the first waiting records that are known, by where they lie.
    ages: BTreeMap<Slot, (i64, Option<i64>)>,
}

impl BacklogReader {
    /// `wait` is for each question.
    ///
    /// # Errors
    /// When librdkafka refuses the options.
    pub fn new(connection: &Connection, group: &str, topics: &[String], wait: Duration) -> Result<Self, BacklogError> {
        let brokers = connection.brokers().to_owned();
        let mut client = connection.client();
        client
            .set("group.id", group)
            // Nothing may be committed by looking.
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("allow.auto.create.topics", "false")
            // The same records as a worker would see.
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            // A first record is all that is fetched.
            .set("fetch.message.max.bytes", AGE_BYTES.to_string())
            .set("queued.min.messages", "1")
            .set("fetch.wait.max.ms", "50")
            .set("fetch.queue.backoff.ms", "5");
        let consumer = client.create_with_context(Listener::default()).map_err(|error| BacklogError::Broker {
            group: group.to_owned(),
            brokers: brokers.clone(),
            reason: error.to_string(),
        })?;
        let principal = connection.principal();
        Ok(Self {
            consumer,
            topics: topics.to_vec(),
            group: group.to_owned(),
            brokers,
            principal,
            wait,
            ages: BTreeMap::new(),
        })
    }

    /// What waits now.
    ///
    /// # Errors
    /// When a topic is missing, this user may not ask, or no broker answers in time.
    pub fn look(&mut self) -> Result<Backlog, BacklogError> {
        let slots = self.slots()?;
        let logs = offsets::logs(&self.consumer, &slots, self.wait);
        let logs = logs.map_err(|error| self.failed(&error, || format!("topics {}", self.topics.join(", "))))?;
        let committed = offsets::committed(&self.consumer, offsets::list(&slots), self.wait);
        let committed = committed.map_err(|error| self.failed(&error, || format!("group {}", self.group)))?;
        let mut waiting = Vec::new();
        for slot in &slots {
            let Some(log) = logs.get(slot) else { continue };
            let from = begin(committed.get(slot).copied().flatten(), *log);
            let records = u64::try_from(log.end - from).unwrap_or(0);
            if records > 0 {
                waiting.push((slot.clone(), from, records));
            }
        }
        Ok(Backlog {
            records: waiting.iter().map(|(_, _, records)| records).sum(),
            oldest_ms: self.oldest_ms(&mut waiting),
            partitions: slots.len(),
            waiting: waiting.len(),
            committed: committed.into_iter().filter_map(|(slot, offset)| Some((slot, offset?))).collect(),
        })
    }

    fn slots(&self) -> Result<Vec<Slot>, BacklogError> {
        let mut slots = Vec::new();
        for topic in &self.topics {
            let resource = || format!("topic {topic}");
            let metadata = self.consumer.fetch_metadata(Some(topic), self.wait);
            let metadata = metadata.map_err(|error| self.failed(&error, resource))?;
            let found = metadata.topics().iter().find(|found| found.name() == topic);
            let code = found.and_then(|found| found.error()).map(Code::from);
            let partitions = found.map_or(&[][..], |found| found.partitions());
            match code {
                Some(code) if ErrorKind::of(code) != ErrorKind::NoTopic => {
                    return Err(self.failed(&KafkaError::MetadataFetch(code), resource));
                }
                None if !partitions.is_empty() => {
                    slots.extend(partitions.iter().map(|partition| (topic.clone(), partition.id())));
                }
                _ => return Err(BacklogError::Missing { topic: topic.clone(), brokers: self.brokers.clone() }),
            }
        }
        Ok(slots)
    }

    /// A coordinator that refuses says so in an event; the call that waits for it only runs out of time.
    fn failed(&self, error: &KafkaError, resource: impl Fn() -> String) -> BacklogError {
        let events = std::iter::from_fn(|| self.consumer.poll(Duration::ZERO)).filter_map(Result::err);
        let is_denied = |error: &KafkaError| ErrorKind::of_error(error) == ErrorKind::Denied;
        if is_denied(error) || events.take(100).any(|event| is_denied(&event)) {
            return BacklogError::Denied { resource: resource(), principal: self.principal.clone() };
        }
        let said = self.consumer.context().take_error();
        let reason = if said.is_empty() { error.to_string() } else { format!("{error}: {said}") };
        BacklogError::Broker { group: self.group.clone(), brokers: self.brokers.clone(), reason }
    }

    /// The time of the oldest first record; partitions in which nothing visible waits have none.
    fn oldest_ms(&mut self, waiting: &mut [(Slot, i64, u64)]) -> Option<i64> {
        waiting.sort_by_key(|(_, _, records)| std::cmp::Reverse(*records));
        self.ages.retain(|slot, (at, _)| waiting.iter().any(|(own, from, _)| own == slot && from == at));
        let unknown = waiting.iter().filter(|(slot, ..)| !self.ages.contains_key(slot));
        let unknown: Vec<(Slot, i64)> = unknown.take(AGES_MAX).map(|(slot, from, _)| (slot.clone(), *from)).collect();
        if !unknown.is_empty() {
            match first_times(&self.consumer, &unknown, self.wait.min(AGES_WAIT)) {
                Ok(mut times) => self.ages.extend(unknown.into_iter().filter_map(|(slot, from)| {
                    let time = times.remove(&slot)?;
                    Some((slot, (from, time)))
                })),
                Err(error) => tracing::debug!(%error, "failed to read the oldest records"),
            }
        }
        self.ages.values().filter_map(|(_, time)| *time).min()
    }
}

/// Where a worker would begin: what is deleted does not wait, and a log that ends before the committed offset is another one.
fn begin(committed: Option<i64>, log: Log) -> i64 {
    committed.filter(|committed| (log.first..=log.end).contains(committed)).unwrap_or(log.first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_what_a_worker_would_read() {
        let log = Log { first: 20, end: 30 };
        for (committed, expected) in [(None, 20), (Some(10), 20), (Some(25), 25), (Some(30), 30), (Some(31), 20)] {
            assert_eq!(begin(committed, log), expected, "{committed:?}");
        }
    }
}
