//! Topics asked for and created, before anything is read or written.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode as Code;

use crate::connection::Connection;
use crate::error::TransactError;
use crate::reach::Asker;
use crate::topic_state::TopicState;

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

/// Asks for the state of each topic, without creating or writing anything.
///
/// # Errors
/// When no broker answers within `wait`.
pub fn describe(connection: &Connection, topics: &[&str], wait: Duration) -> Result<Vec<TopicState>, TransactError> {
    let mut asker = Asker::new(connection, wait)?;
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
pub fn create(connection: &Connection, topics: &[Wanted], wait: Duration) -> Result<(), TransactError> {
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
    create_all(connection, &wanted, wait)
}

/// Creates a topic that keeps the newest value of every key, unless it is there. [`COMPACTED`] says how.
///
/// # Errors
/// When the broker refuses.
pub fn create_compacted(
    connection: &Connection,
    topic: &str,
    partitions: i32,
    wait: Duration,
) -> Result<(), TransactError> {
    let wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
    let wanted = COMPACTED.iter().fold(wanted, |wanted, (name, value)| wanted.set(name, value));
    create_all(connection, &[wanted], wait)
}

fn create_all(connection: &Connection, wanted: &[NewTopic<'_>], wait: Duration) -> Result<(), TransactError> {
    let admin = admin(connection)?;
    let options = options(wait);
    let exit = |reason: String| TransactError::exit(format!("to {}: create topics", connection.brokers()), reason);
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

/// Deletes topics.
///
/// # Errors
/// When the broker refuses, naming the first topic.
pub fn delete(connection: &Connection, topics: &[&str], wait: Duration) -> Result<(), TransactError> {
    let exit = |reason: String| TransactError::exit(format!("to {}: delete topics", connection.brokers()), reason);
    let (admin, options) = (admin(connection)?, options(wait));
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| exit(error.to_string()))?;
    let deleted = runtime.block_on(admin.delete_topics(topics, &options)).map_err(|error| exit(error.to_string()))?;
    deleted.into_iter().try_for_each(|topic| topic.map(drop).map_err(|(topic, code)| exit(format!("{topic}: {code}"))))
}

fn options(wait: Duration) -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(wait)).request_timeout(Some(wait))
}

fn admin(connection: &Connection) -> Result<AdminClient<DefaultClientContext>, TransactError> {
    // By asking for a topic nobody creates it: brokers would, by default.
    let client = connection.client().set("allow.auto.create.topics", "false").create();
    client.map_err(|error| TransactError::exit(format!("to {}", connection.brokers()), error.to_string()))
}
