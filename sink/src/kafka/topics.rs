//! The topics that are written: whether they exist, how many partitions they have, and which one a record goes to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{Client, ClientContext, DefaultClientContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

use super::Identity;
use super::reach::Asker;
use crate::publisher::PublishError;

/// The settings of a topic that is read as a table: Kafka cleans closed segments only, so they are closed early and
/// cleaned when a tenth of the rest is out of date. A restart reads little more than the table itself.
pub const COMPACTED: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("segment.bytes", "16777216"),
    ("segment.ms", "3600000"),
    ("max.message.bytes", "16777216"), // the counts of a busy window are one record
    ("min.cleanable.dirty.ratio", "0.1"),
    // A reader that is away for longer than this may miss that a key is gone; ours begin at the beginning.
    ("delete.retention.ms", "3600000"),
];

/// What the cluster says of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicState {
    pub name: String,
    /// `None` when it does not exist or may not be described.
    pub partitions: Option<i32>,
    /// The broker does not let this user see it.
    pub is_forbidden: bool,
}

/// Asks for the state of each topic, without creating or writing anything.
///
/// # Errors
/// When no broker answers within `wait`.
pub fn describe(identity: &Identity, topics: &[&str], wait: Duration) -> Result<Vec<TopicState>, PublishError> {
    let mut asker = Asker::new(identity, wait)?;
    let states = topics.iter().map(|name| asker.topic(name, &|| true)).collect::<Result<Vec<_>, _>>()?;
    Ok(states.into_iter().flatten().collect())
}

/// A topic to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub name: String,
    pub partitions: i32,
    /// `retention.ms`; -1 keeps records for ever. It is always set: records keep the time that they were read with, so
    /// the cluster's default, seven days, would delete what is written for older records at once.
    pub retention_ms: i64,
    /// `max.message.bytes`, where the cluster's default may be too small.
    pub bytes_max: Option<usize>,
}

/// Creates the topics that are missing, with the cluster's default replication. Existing ones stay as they are.
///
/// # Errors
/// When the broker refuses, naming the topic.
pub fn create(identity: &Identity, topics: &[Wanted], wait: Duration) -> Result<(), PublishError> {
    let values: Vec<_> = topics
        .iter()
        .map(|topic| (topic, topic.retention_ms.to_string(), topic.bytes_max.map(|bytes| bytes.to_string())))
        .collect();
    let wanted: Vec<_> = values
        .iter()
        .map(|(topic, retention_ms, bytes_max)| {
            let wanted = NewTopic::new(&topic.name, topic.partitions, TopicReplication::Fixed(-1));
            let wanted = wanted.set("retention.ms", retention_ms);
            bytes_max.iter().fold(wanted, |wanted, bytes| wanted.set("max.message.bytes", bytes))
        })
        .collect();
    create_all(identity, &wanted, wait)
}

/// Creates a topic that keeps the newest value of every key, unless it is there. [`COMPACTED`] says how.
///
/// # Errors
/// When the broker refuses.
pub fn create_compacted(identity: &Identity, topic: &str, partitions: i32, wait: Duration) -> Result<(), PublishError> {
    let wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
    let wanted = COMPACTED.iter().fold(wanted, |wanted, (name, value)| wanted.set(name, value));
    create_all(identity, &[wanted], wait)
}

fn create_all(identity: &Identity, wanted: &[NewTopic<'_>], wait: Duration) -> Result<(), PublishError> {
    let admin = admin(identity)?;
    let options = AdminOptions::new().operation_timeout(Some(wait)).request_timeout(Some(wait));
    let exit = |reason: String| super::exit(format!("to {}: create topics", identity.brokers()), reason);
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| exit(error.to_string()))?;
    let created = runtime.block_on(admin.create_topics(wanted, &options)).map_err(|error| exit(error.to_string()))?;
    for result in created {
        match result {
            Ok(topic) => tracing::info!(topic, "created a topic"),
            Err((_, Code::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(exit(format!("{topic}: {code}"))),
        }
    }
    Ok(())
}

fn admin(identity: &Identity) -> Result<AdminClient<DefaultClientContext>, PublishError> {
    // By asking for a topic nobody creates it: brokers would, by default.
    let client = identity.connect().set("allow.auto.create.topics", "false").create();
    client.map_err(|error| super::exit(format!("to {}", identity.brokers()), error.to_string()))
}

pub(super) fn state<C: ClientContext>(client: &Client<C>, name: &str, wait: Duration) -> KafkaResult<TopicState> {
    let deadline = Instant::now() + wait;
    loop {
        let metadata = client.fetch_metadata(Some(name), deadline.saturating_duration_since(Instant::now()))?;
        let found = metadata.topics().iter().find(|topic| topic.name() == name);
        let code = found.and_then(|topic| topic.error()).map(Code::from);
        let partitions = found.map_or(0, |topic| topic.partitions().len());
        let is_forbidden = code == Some(Code::TopicAuthorizationFailed);
        let state = |partitions| TopicState { name: name.to_owned(), partitions, is_forbidden };
        match code {
            None if partitions > 0 => return Ok(state(i32::try_from(partitions).ok())),
            None | Some(Code::UnknownTopicOrPartition | Code::TopicAuthorizationFailed) => return Ok(state(None)),
            Some(Code::LeaderNotAvailable) if Instant::now() < deadline => {}
            Some(code) => return Err(KafkaError::MetadataFetch(code)),
        }
    }
}

/// The numbers of partitions, looked up when first needed and again when they are old.
pub(super) struct Partitions {
    known: HashMap<Arc<str>, (i32, Instant)>,
    age_max: Duration,
    wait: Duration,
}

impl Partitions {
    pub(super) fn new(age_max: Duration, wait: Duration) -> Self {
        Self { known: HashMap::new(), age_max, wait }
    }

    /// The number of partitions of a topic.
    pub(super) fn count<C: ClientContext>(&mut self, topic: &Arc<str>, client: &Client<C>) -> KafkaResult<i32> {
        let known = self.known.get(topic).copied();
        if let Some((count, since)) = known
            && since.elapsed() < self.age_max
        {
            return Ok(count);
        }
        let answer = state(client, topic, self.wait);
        let is_forbidden = answer.as_ref().is_ok_and(|state| state.is_forbidden);
        let count = match (answer.map(|state| state.partitions), known) {
            (Ok(Some(count)), _) => count,
            // An old number is better than none: a broker that is gone for a moment changes no partition.
            (_, Some((count, _))) => count,
            (Ok(None), None) if is_forbidden => return Err(KafkaError::MetadataFetch(Code::TopicAuthorizationFailed)),
            (Ok(None), None) => return Err(KafkaError::MetadataFetch(Code::UnknownTopicOrPartition)),
            (Err(error), None) => return Err(error),
        };
        self.known.insert(Arc::clone(topic), (count, Instant::now()));
        Ok(count)
    }
}

/// The partition of a topic with `count` partitions for a record that was read from partition `read`: the same number
/// where it exists, so that a partition's order and a key's place survive; else one that all its records share.
pub(super) fn place(read: i32, count: i32) -> i32 {
    if read < count { read } else { read.rem_euclid(count.max(1)) }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_record_keeps_its_partition_where_it_exists() {
        for (read, count, expected) in [(0, 1, 0), (3, 4, 3), (3, 12, 3), (4, 4, 0), (7, 4, 3)] {
            assert_eq!(place(read, count), expected, "{read} of {count}");
        }
    }
}
