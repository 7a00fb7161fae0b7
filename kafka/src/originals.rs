//! Single records read again by their origins: for dead letters that were written without a part of theirs.
//!
//! By assignment, without a group, without a trace.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::{Origin, RawEvent};

use crate::connection::Connection;
use crate::listener::Listener;
use crate::range::client;
use crate::reaction::ErrorKind;
use crate::read_error::exit;
use crate::record::{TopicNames, raw_event};
use crate::source::SourceError;

/// Reads records where they once were.
pub struct Originals {
    consumer: BaseConsumer<Listener>,
    wait: Duration,
}

impl Originals {
    /// `wait` bounds the reading of one record.
    ///
    /// # Errors
    /// When a property of the connection is refused.
    pub fn new(connection: &Connection, wait: Duration) -> Result<Self, SourceError> {
        let mut client = client(connection);
        // A record that is gone must not be taken for the one that follows it.
        client.set("auto.offset.reset", "error");
        let consumer = client
            .create_with_context(Listener::default())
            .map_err(|error| exit("records at their origins".to_owned(), error.to_string()))?;
        Ok(Self { consumer, wait })
    }

    /// The record at `origin`; `None` when it is no longer there.
    ///
    /// # Errors
    /// When this user may not read the topic, or the broker does not answer in time.
    pub fn read(&self, origin: &Origin) -> Result<Option<RawEvent>, SourceError> {
        let failed = |error: KafkaError| exit(format!("record {origin}"), error.to_string());
        let mut assigned = TopicPartitionList::with_capacity(1);
        let offset = Offset::Offset(origin.offset);
        assigned.add_partition_offset(&origin.topic, origin.partition, offset).map_err(failed)?;
        self.consumer.assign(&assigned).map_err(failed)?;
        let found = self.poll(origin);
        self.consumer.assign(&TopicPartitionList::new()).map_err(failed)?;
        found
    }

    fn poll(&self, origin: &Origin) -> Result<Option<RawEvent>, SourceError> {
        let deadline = Instant::now() + self.wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let reason = format!("no answer within {} s", self.wait.as_secs());
                return Err(exit(format!("record {origin}"), reason));
            }
            match self.consumer.poll(left) {
                Some(Ok(message)) if message.topic() == &*origin.topic && message.partition() == origin.partition => {
                    let is_it = message.offset() == origin.offset;
                    return Ok(is_it.then(|| raw_event(&message, &TopicNames::new(&[]))));
                }
                Some(Err(KafkaError::PartitionEOF(partition))) if partition == origin.partition => return Ok(None),
                Some(Err(error)) if error.rdkafka_error_code().is_some_and(is_gone) => return Ok(None),
                Some(Err(error)) if ErrorKind::of_error(&error) != ErrorKind::Unreachable => {
                    return Err(exit(format!("record {origin}"), error.to_string()));
                }
                _ => {}
            }
        }
    }
}

/// The offset, the partition or the topic is no longer there.
fn is_gone(code: Code) -> bool {
    matches!(
        code,
        Code::AutoOffsetReset
            | Code::OffsetOutOfRange
            | Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition
    )
}
