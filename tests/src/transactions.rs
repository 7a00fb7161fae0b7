//! Records of an application that writes in transactions, some of which it aborts, and the lag that they leave.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::admin;
use crate::names::unique;
use crate::records::client;

/// How long a broker on this machine may take for one thing before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a wait looks again.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Committed,
    Aborted,
}

/// Writes payloads to one partition in one transaction. Its marker takes an offset, and so do aborted records.
pub fn produce(address: &str, topic: &str, partition: i32, payloads: &[&str], ending: Ending) {
    let producer: BaseProducer = client(address)
        .set("transactional.id", unique("writer"))
        .set("linger.ms", "0")
        .create()
        .expect("a producer needs only an address and an id");
    producer.init_transactions(PATIENCE).expect("the broker answers");
    producer.begin_transaction().expect("none is open");
    for payload in payloads {
        let record: BaseRecord<'_, (), str> = BaseRecord::to(topic).payload(*payload).partition(partition);
        producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
    }
    producer.flush(PATIENCE).expect("the broker takes the records");
    let end = match ending {
        Ending::Committed => Producer::commit_transaction,
        Ending::Aborted => Producer::abort_transaction,
    };
    end(&producer, PATIENCE).expect("the transaction ends");
}

/// Waits until a group's committed offsets are the ends of its partitions, as a tool that computes lag from the two sees
/// them; returns the ends.
///
/// # Panics
/// When that takes longer than `within`.
pub fn await_no_lag(address: &str, group: &str, topic: &str, partitions: i32, within: Duration) -> Vec<i64> {
    let reader: BaseConsumer = client(address)
        .set("group.id", group) // never joined
        .set("isolation.level", "read_uncommitted")
        .create()
        .expect("a consumer needs only an address and a group");
    let deadline = Instant::now() + within;
    loop {
        let ends = (0..partitions).map(|partition| reader.fetch_watermarks(topic, partition, PATIENCE));
        let ends: Vec<i64> = ends.map(|ends| ends.expect("the broker answers").1).collect();
        let committed = (0..partitions).map(|partition| admin::committed(address, group, topic, partition));
        let committed: Vec<Option<i64>> = committed.collect();
        if ends.iter().zip(&committed).all(|(end, committed)| *committed == Some(*end)) {
            return ends;
        }
        assert!(
            Instant::now() < deadline,
            "group {group} has committed {committed:?} of {topic}, which ends at {ends:?}"
        );
        std::thread::sleep(LOOK_EVERY);
    }
}
