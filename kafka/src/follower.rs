//! A topic followed from its beginning, as an application of the user's would read it: `read_committed`, by assignment,
//! without a group and without a trace. What it has come to, it reads on from, until it is asked to look for the ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::RawEvent;

use crate::connection::Connection;
use crate::error::ClientError;
use crate::listener::Listener;
use crate::record::{TopicNames, raw_event};

/// A consumer needs the name of a group even where it joins none.
const GROUP: &str = "labelstream-follower";

/// Reads one topic.
pub struct Follower {
    consumer: BaseConsumer<Listener>,
    topic: String,
    names: TopicNames,
    /// Where each partition is read on.
    next: BTreeMap<i32, Offset>,
    /// Partitions whose ends were reached since they were looked for.
    ended: BTreeSet<i32>,
    seeks_ends: bool,
}

impl Follower {
    /// Begins with the first record of each partition.
    ///
    /// # Errors
    /// When librdkafka refuses the options.
    pub fn open(
        connection: &Connection,
        topic: &str,
        partitions: impl IntoIterator<Item = i32>,
    ) -> Result<Self, ClientError> {
        let mut client = connection.client();
        client
            .set("group.id", GROUP)
            .set("enable.auto.commit", "false")
            // Only what is committed is there.
            .set("isolation.level", "read_committed")
            // Tells when everything is read.
            .set("enable.partition.eof", "true")
            .set("fetch.wait.max.ms", "50")
            // The default of a second would add to the latency of each record.
            .set("fetch.queue.backoff.ms", "5");
        let follower = Self {
            consumer: client.create_with_context(Listener::default())?,
            topic: topic.to_owned(),
            names: TopicNames::new(&[topic.to_owned()]),
            next: partitions.into_iter().map(|partition| (partition, Offset::Beginning)).collect(),
            ended: BTreeSet::new(),
            seeks_ends: false,
        };
        follower.assign()?;
        Ok(follower)
    }

    /// The next record; `None` when nothing came within `wait`, or an end.
    ///
    /// # Errors
    /// When the broker refuses, or cannot be reached.
    pub fn next(&mut self, wait: Duration) -> Result<Option<RawEvent>, ClientError> {
        match self.consumer.poll(wait) {
            None => Ok(None),
            Some(Ok(message)) => {
                self.next.insert(message.partition(), Offset::Offset(message.offset() + 1));
                Ok(Some(raw_event(&message, &self.names)))
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                if self.seeks_ends {
                    self.ended.insert(partition);
                }
                Ok(None)
            }
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// Looks for the ends from here: one that was reached before may lie before the last commit.
    ///
    /// # Errors
    /// When librdkafka refuses the assignment.
    pub fn seek_ends(&mut self) -> Result<(), ClientError> {
        self.seeks_ends = true;
        self.ended.clear();
        self.assign()
    }

    /// Whether every partition was read to its end since the ends were looked for.
    pub fn is_at_ends(&self) -> bool {
        self.ended.len() == self.next.len()
    }

    fn assign(&self) -> Result<(), ClientError> {
        let mut partitions = TopicPartitionList::new();
        for (partition, offset) in &self.next {
            partitions.add_partition_offset(&self.topic, *partition, *offset)?;
        }
        Ok(self.consumer.assign(&partitions)?)
    }
}
