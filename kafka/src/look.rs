//! A look at the input topics that leaves no trace: the newest records, read by assignment and not as a group member.
//!
//! Nothing is committed and no member of the group notices. The group's own offsets are only asked for, which also
//! shows whether this user may use the group.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::RawEvent;

use crate::connection::Connection;
use crate::error::ClientError;
use crate::first_times::first_times;
use crate::listener::Listener;
use crate::reaction::ErrorKind;
use crate::record::{TopicNames, raw_event};

/// How often a group is asked for again while its coordinator moves.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// How far the group has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupState {
    /// Partitions with a committed offset.
    pub committed: usize,
    pub partitions: usize,
    /// Offsets between what is committed, else the beginning, and the end.
    pub behind: i64,
    /// Offsets from what is committed to the first record that is left: deleted before they were read.
    pub deleted: i64,
}

/// Reads without joining.
pub struct Look {
    consumer: BaseConsumer<Listener>,
    wait: Duration,
    /// Every partition with its first offset and its end.
    ends: Vec<(String, i32, i64, i64)>,
}

impl Look {
    /// Connects and finds the ends of every partition.
    ///
    /// # Errors
    /// When the broker does not answer within `wait`, or this user may not read a topic.
    pub fn at(
        connection: &Connection,
        group: &str,
        topics: &[(String, i32)],
        wait: Duration,
    ) -> Result<Self, ClientError> {
        let mut client = connection.client();
        client
            .set("group.id", group)
            // Nothing may be committed by looking.
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // The same records as the worker would see.
            .set("isolation.level", "read_committed")
            // The end of a partition may be a transaction marker, which is never read: ask for an event at the end instead.
            .set("enable.partition.eof", "true");
        let consumer: BaseConsumer<Listener> = client.create_with_context(Listener::default())?;
        let mut ends = Vec::new();
        for (topic, partitions) in topics {
            for partition in 0..*partitions {
                let (first, end) = consumer.fetch_watermarks(topic, partition, wait)?;
                ends.push((topic.clone(), partition, first, end));
            }
        }
        Ok(Self { consumer, wait, ends })
    }

    /// What the group has committed.
    ///
    /// # Errors
    /// When this user may not use the group, or its coordinator does not answer.
    pub fn group(&self) -> Result<GroupState, ClientError> {
        let mut asked = TopicPartitionList::with_capacity(self.ends.len());
        for (topic, partition, ..) in &self.ends {
            asked.add_partition(topic, *partition);
        }
        let answer = self.committed(&asked)?;
        let mut state = GroupState { partitions: self.ends.len(), ..GroupState::default() };
        for (topic, partition, first, end) in &self.ends {
            let element = answer.find_partition(topic, *partition);
            let offset = element.map(|element| element.error().map(|()| element.offset())).transpose()?;
            let next = match offset {
                Some(Offset::Offset(next)) => {
                    state.committed += 1;
                    next
                }
                _ => *first,
            };
            state.deleted += (first - next).max(0);
            state.behind += (end - next.max(*first)).max(0);
        }
        Ok(state)
    }

    /// A broker that has just started does not know at once who coordinates the group.
    fn committed(&self, asked: &TopicPartitionList) -> KafkaResult<TopicPartitionList> {
        let deadline = Instant::now() + self.wait;
        loop {
            match self.consumer.committed_offsets(asked.clone(), self.wait) {
                Err(error)
                    if error
                        .rdkafka_error_code()
                        .is_some_and(|code| ErrorKind::of(code) == ErrorKind::CoordinatorMoves)
                        && Instant::now() < deadline =>
                {
                    thread::sleep(ASK_EVERY);
                }
                Err(error) => return Err(self.cause().unwrap_or(error)),
                answer => return answer,
            }
        }
    }

    /// The time of the oldest record over all partitions, milliseconds since 1970 UTC; `None` when there is none that
    /// carries a time, or none comes in time.
    pub fn oldest_ms(&self) -> Option<i64> {
        let held = self.ends.iter().filter(|(_, _, first, end)| first < end);
        let starts: Vec<_> = held.map(|(topic, partition, first, _)| ((topic.clone(), *partition), *first)).collect();
        first_times(&self.consumer, &starts, self.wait).ok()?.into_values().flatten().min()
    }

    /// A coordinator that refuses says so in an event; the call that waits for it only runs out of time.
    fn cause(&self) -> Option<KafkaError> {
        let mut events = std::iter::from_fn(|| self.consumer.poll(Duration::ZERO));
        events.find_map(|event| {
            event.err().filter(|error| error.rdkafka_error_code() == Some(Code::GroupAuthorizationFailed))
        })
    }

    /// The newest `count` records over all partitions, by timestamp; fewer when there are no more.
    ///
    /// # Errors
    /// When a partition cannot be read. Running out of time is none: what came is returned.
    pub fn newest(&self, count: usize) -> Result<Vec<RawEvent>, ClientError> {
        let back = i64::try_from(count).unwrap_or(i64::MAX);
        let mut assigned = TopicPartitionList::with_capacity(self.ends.len());
        for (topic, partition, first, end) in self.ends.iter().filter(|(_, _, first, end)| first < end) {
            assigned.add_partition_offset(topic, *partition, Offset::Offset(end.saturating_sub(back).max(*first)))?;
        }
        let mut open = assigned.count();
        self.consumer.assign(&assigned)?;
        let deadline = Instant::now() + self.wait;
        let (mut found, names) = (Vec::new(), TopicNames::new(&[]));
        while open > 0 && Instant::now() < deadline {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => found.push(raw_event(&message, &names)),
                Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
                Some(Err(error)) if ErrorKind::of_error(&error) == ErrorKind::Unreachable => {}
                Some(Err(error)) => return Err(error.into()),
                None => {}
            }
        }
        found.sort_by_key(|event| std::cmp::Reverse(event.timestamp_ms));
        found.truncate(count);
        Ok(found)
    }
}
