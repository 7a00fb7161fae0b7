//! What no client library lets one ask: wrong sequences, stale epochs, false names. The error codes are Apache Kafka's.

mod groups;
mod producers;
mod reading;

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, InitProducerIdRequest, ProduceRequest, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;

use crate::clients::PATIENCE;
use crate::wire::Wire;

// Error codes by the names that Kafka's documentation gives them.
const NONE: i16 = 0;
const OFFSET_OUT_OF_RANGE: i16 = 1;
const CORRUPT_MESSAGE: i16 = 2;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;
const NOT_COORDINATOR: i16 = 16;
const INVALID_REQUIRED_ACKS: i16 = 21;
const ILLEGAL_GENERATION: i16 = 22;
const INCONSISTENT_GROUP_PROTOCOL: i16 = 23;
const INVALID_GROUP_ID: i16 = 24;
const UNKNOWN_MEMBER_ID: i16 = 25;
const INVALID_SESSION_TIMEOUT: i16 = 26;
const INVALID_REQUEST: i16 = 42;
const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const INVALID_TXN_STATE: i16 = 48;
const INVALID_PRODUCER_ID_MAPPING: i16 = 49;
const INVALID_TRANSACTION_TIMEOUT: i16 = 50;
const CONCURRENT_TRANSACTIONS: i16 = 51;
const OPERATION_NOT_ATTEMPTED: i16 = 55;
const GROUP_ID_NOT_FOUND: i16 = 69;
const FETCH_SESSION_ID_NOT_FOUND: i16 = 70;
const UNKNOWN_LEADER_EPOCH: i16 = 75;
const MEMBER_ID_REQUIRED: i16 = 79;
const FENCED_INSTANCE_ID: i16 = 82;
const INVALID_RECORD: i16 = 87;
const PRODUCER_FENCED: i16 = 90;
const UNKNOWN_TOPIC_ID: i16 = 100;
const TRANSACTION_ABORTABLE: i16 = 120;

fn connect(address: &str) -> Wire {
    Wire::connect(address.parse::<SocketAddr>().expect("tests' brokers have numeric addresses"))
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn group_id(name: &str) -> GroupId {
    GroupId(text(name))
}

/// Calls again while the broker says that it is not ready yet or still ends a transaction.
fn settled<R>(mut call: impl FnMut() -> (i16, R)) -> (i16, R) {
    let wait = [COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS];
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (code, answer) = call();
        if !wait.contains(&code) {
            return (code, answer);
        }
        assert!(Instant::now() < deadline, "the broker says {code} for {PATIENCE:?}");
        sleep(Duration::from_millis(20));
    }
}

/// Makes a broker find (and, the first time, make) its coordinator: 0 for groups, 1 for transactions.
fn find_coordinator(wire: &mut Wire, kind: i8) {
    let request = FindCoordinatorRequest::default().with_key(text("any")).with_key_type(kind);
    assert_eq!(settled(|| (wire.call(3, &request).error_code, ())).0, NONE);
}

/// A producer's id and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    id: i64,
    epoch: i16,
}

fn init_producer(wire: &mut Wire, transactional_id: Option<&str>) -> Identity {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(transactional_id.map(|id| TransactionalId(text(id))))
        .with_transaction_timeout_ms(60_000);
    let (code, answer) = settled(|| {
        let answer = wire.call(4, &request);
        (answer.error_code, answer)
    });
    assert_eq!(code, NONE);
    Identity { id: answer.producer_id.0, epoch: answer.producer_epoch }
}

/// Produces to partition 0 and returns error code and base offset.
fn produce(wire: &mut Wire, version: i16, topic: &str, transactional_id: Option<&str>, records: Bytes) -> (i16, i64) {
    let data = PartitionProduceData::default().with_records(Some(records));
    let data = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    let request = ProduceRequest::default()
        .with_transactional_id(transactional_id.map(|id| TransactionalId(text(id))))
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![data]);
    let answer = wire.call(version, &request);
    let partition = &answer.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}
