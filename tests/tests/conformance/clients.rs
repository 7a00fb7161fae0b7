//! Consumers, producers and an admin client, set up alike, and the few things that checks do with them.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tests::records;

/// How long anything may take before a check calls it missing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Reads committed records from the beginning and commits nothing by itself.
pub(crate) fn consumer(address: &str, group: &str, settings: &[(&str, &str)]) -> BaseConsumer {
    let mut config = records::client(address);
    config
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "300")
        .set("fetch.wait.max.ms", "100")
        .set_log_level(RDKafkaLogLevel::Critical);
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.create().expect("the consumer's settings are valid")
}

/// A consumer of given partitions from given offsets, outside of any group's membership.
pub(crate) fn reader(address: &str, topic: &str, from: &[(i32, Offset)], settings: &[(&str, &str)]) -> BaseConsumer {
    let reader = consumer(address, "reader", settings);
    let mut partitions = TopicPartitionList::new();
    for (partition, offset) in from {
        partitions.add_partition_offset(topic, *partition, *offset).expect("a valid offset");
    }
    reader.assign(&partitions).expect("partitions can be assigned");
    reader
}

/// Remembers what became of each record.
#[derive(Default)]
pub(crate) struct Deliveries {
    results: Mutex<Vec<Delivery>>,
}

/// Partition and offset, or why not.
pub(crate) type Delivery = Result<(i32, i64), RDKafkaErrorCode>;

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let delivery = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.rdkafka_error_code().expect("deliveries fail with a code")),
        };
        self.results.lock().expect("no panic holds it").push(delivery);
    }
}

pub(crate) type TestProducer = BaseProducer<Deliveries>;

pub(crate) fn producer(address: &str, settings: &[(&str, &str)]) -> TestProducer {
    let mut config = records::client(address);
    config.set("linger.ms", "0").set("message.timeout.ms", "30000").set_log_level(RDKafkaLogLevel::Critical);
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.create_with_context(Deliveries::default()).expect("the producer's settings are valid")
}

/// A producer that has taken its transactional id over.
pub(crate) fn transactional(address: &str, id: &str, timeout_ms: &str) -> TestProducer {
    let settings =
        [("transactional.id", id), ("transaction.timeout.ms", timeout_ms), ("message.timeout.ms", timeout_ms)];
    let producer = producer(address, &settings);
    producer.init_transactions(PATIENCE).expect("the transactional id can be taken over");
    producer
}

/// Sends each value and waits for what became of it, in order of the answers.
pub(crate) fn send(producer: &TestProducer, topic: &str, partition: i32, values: &[impl AsRef<str>]) -> Vec<Delivery> {
    for value in values {
        let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(value.as_ref());
        producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
    }
    let deadline = Instant::now() + PATIENCE;
    while producer.in_flight_count() > 0 {
        assert!(Instant::now() < deadline, "records were neither written nor refused");
        producer.poll(Duration::from_micros(500));
    }
    std::mem::take(&mut *producer.client().context().results.lock().expect("no panic holds it"))
}

/// The same, all of which must be written.
pub(crate) fn send_ok(producer: &TestProducer, topic: &str, partition: i32, values: &[impl AsRef<str>]) {
    let results = send(producer, topic, partition, values);
    assert!(results.iter().all(Result::is_ok), "some records were refused: {results:?}");
}

/// Reads until `count` values have come.
pub(crate) fn read(consumer: &BaseConsumer, count: usize) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    let mut values = Vec::new();
    while values.len() < count {
        assert!(Instant::now() < deadline, "only {} of {count} records came: {values:?}", values.len());
        if let Some(value) = next(consumer, Duration::from_millis(100)) {
            values.push(value);
        }
    }
    values
}

/// Asserts that no record comes for a while.
pub(crate) fn read_nothing(consumer: &BaseConsumer) {
    let until = Instant::now() + Duration::from_millis(700);
    while Instant::now() < until {
        let value = next(consumer, Duration::from_millis(50));
        assert_eq!(value, None, "a record that should not be visible");
    }
}

fn next(consumer: &BaseConsumer, within: Duration) -> Option<String> {
    let message = consumer.poll(within)?.unwrap_or_else(|error| panic!("cannot read: {error}"));
    let payload = message.payload().unwrap_or_default();
    Some(String::from_utf8(payload.to_vec()).expect("checks write text"))
}

/// What the group has committed for a partition; `None` for nothing.
pub(crate) fn committed(consumer: &BaseConsumer, topic: &str, partition: i32) -> Option<i64> {
    let mut asked = TopicPartitionList::new();
    asked.add_partition(topic, partition);
    let answer = consumer.committed_offsets(asked, PATIENCE).expect("the group's offsets can be asked for");
    match answer.find_partition(topic, partition).expect("it was asked for").offset() {
        Offset::Offset(offset) => Some(offset),
        Offset::Invalid => None,
        other => panic!("not an offset: {other:?}"),
    }
}

/// Offsets to commit: the next one to read in each partition.
pub(crate) fn positions(topic: &str, next: &[(i32, i64)]) -> TopicPartitionList {
    let mut offsets = TopicPartitionList::new();
    for (partition, offset) in next {
        offsets.add_partition_offset(topic, *partition, Offset::Offset(*offset)).expect("a valid offset");
    }
    offsets
}

/// The code inside any error of a transaction or of another call.
pub(crate) fn code(error: &KafkaError) -> RDKafkaErrorCode {
    match error {
        KafkaError::Transaction(inner) => inner.code(),
        other => other.rdkafka_error_code().unwrap_or_else(|| panic!("no code in {other}")),
    }
}

pub(crate) fn is_fatal(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(inner) if inner.is_fatal())
}

pub(crate) fn must_abort(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(inner) if inner.txn_requires_abort())
}

pub(crate) fn admin(address: &str) -> AdminClient<DefaultClientContext> {
    records::client(address).set_log_level(RDKafkaLogLevel::Critical).create().expect("an admin client")
}

pub(crate) fn admin_options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}

/// Waits for an admin call, which rdkafka offers as a future only.
pub(crate) fn wait<R>(call: impl Future<Output = R>) -> R {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime of one thread").block_on(call)
}
