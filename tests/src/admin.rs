//! What an operator does to topics and groups beside the workers: records deleted, partitions added, offsets looked up.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::runtime::Runtime;

use crate::records::client;

/// How long a broker on this machine may take for one thing before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a wait looks again.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Deletes everything before `offset`, as retention does.
pub fn delete_records(address: &str, topic: &str, partition: i32, offset: i64) {
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("an offset");
    let deleted = runtime().block_on(admin(address).delete_records(&before, &options())).expect("the broker answers");
    for element in deleted.elements() {
        element.error().unwrap_or_else(|error| panic!("{topic} [{partition}] to {offset}: {error}"));
    }
}

/// Raises the number of a topic's partitions.
pub fn add_partitions(address: &str, topic: &str, count: usize) {
    let grown = NewPartitions::new(topic, count);
    let made = runtime().block_on(admin(address).create_partitions(&[grown], &options())).expect("the broker answers");
    for made in made {
        made.unwrap_or_else(|(topic, code)| panic!("topic {topic} did not grow: {code}"));
    }
    await_partitions(address, topic, count);
}

/// Deletes a topic and creates it again, empty.
pub fn recreate_topic(address: &str, topic: &str, partitions: i32) {
    let deleted = runtime().block_on(admin(address).delete_topics(&[topic], &options())).expect("the broker answers");
    for deleted in deleted {
        deleted.unwrap_or_else(|(topic, code)| panic!("topic {topic} was not deleted: {code}"));
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let again = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let made = runtime().block_on(admin(address).create_topics(&[again], &options())).expect("the broker answers");
        if made.iter().all(Result::is_ok) {
            return;
        }
        assert!(Instant::now() < deadline, "topic {topic} was not made again: {made:?}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The offset that a group has committed; asked without joining it.
pub fn committed(address: &str, group: &str, topic: &str, partition: i32) -> Option<i64> {
    let mut asked = TopicPartitionList::new();
    asked.add_partition(topic, partition);
    let answer = outsider(address, group).committed_offsets(asked, PATIENCE).expect("the coordinator answers");
    match answer.elements()[0].offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}

/// Waits until a group has committed anything of a partition.
pub fn await_committed(address: &str, group: &str, topic: &str, partition: i32) -> i64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(offset) = committed(address, group, topic, partition) {
            return offset;
        }
        assert!(Instant::now() < deadline, "group {group} committed nothing of {topic} [{partition}]");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Sets an offset of a group without members.
pub fn commit(address: &str, group: &str, topic: &str, partition: i32, offset: i64) {
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(topic, partition, Offset::Offset(offset)).expect("an offset");
    let deadline = Instant::now() + PATIENCE;
    // The coordinator may hear of a new topic after the answer that it is made.
    while let Err(error) = outsider(address, group).commit(&offsets, CommitMode::Sync) {
        assert!(Instant::now() < deadline, "group {group} takes no offset of {topic}: {error}");
        std::thread::sleep(LOOK_EVERY);
    }
}

fn await_partitions(address: &str, topic: &str, count: usize) {
    let reader = outsider(address, "tests-admin");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let metadata = reader.fetch_metadata(Some(topic), PATIENCE).expect("the broker answers");
        if metadata.topics().iter().any(|topic| topic.partitions().len() == count) {
            return;
        }
        assert!(Instant::now() < deadline, "topic {topic} has no {count} partitions");
        std::thread::sleep(LOOK_EVERY);
    }
}

fn outsider(address: &str, group: &str) -> BaseConsumer {
    client(address).set("group.id", group).set("enable.auto.commit", "false").create().expect("a consumer")
}

fn admin(address: &str) -> AdminClient<DefaultClientContext> {
    client(address).create().expect("an admin client needs only an address")
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE))
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime of one thread")
}
