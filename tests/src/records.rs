//! Topics and records: make, write, and read back as `read_committed`, the only view that counts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Header as KafkaHeader, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::{Header, Origin, RawEvent};

/// How long a broker on this machine may take for one thing before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at something that takes a moment.
const LOOK: Duration = Duration::from_millis(20);

/// A record to write; the rest is left to the broker.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// `None` lets the key decide, as librdkafka's default partitioner does.
    pub partition: Option<i32>,
    pub key: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
    pub headers: Vec<Header>,
    pub timestamp_ms: Option<i64>,
}

impl Record {
    /// A record of a payload alone.
    pub fn of(payload: impl Into<Vec<u8>>) -> Self {
        Self { payload: Some(payload.into()), ..Self::default() }
    }

    /// The same record under a key.
    #[must_use]
    pub fn keyed(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// Makes topics with this many partitions each.
pub fn create_topics(address: &str, topics: &[&str], partitions: i32) {
    let topics = topics.iter().map(|name| NewTopic::new(name, partitions, TopicReplication::Fixed(1)));
    create(address, &topics.collect::<Vec<_>>());
}

/// Makes one topic.
pub fn create_topic(address: &str, topic: &str, partitions: i32) {
    create_topics(address, &[topic], partitions);
}

/// Makes one topic with settings of its own, by their Kafka names.
pub fn create_topic_with(address: &str, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
    let wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    create(address, &[settings.iter().fold(wanted, |wanted, (name, value)| wanted.set(name, value))]);
}

/// Makes topics, and waits until the broker knows them: Apache Kafka answers when its controller does, which may be before
/// the broker takes records for them.
fn create(address: &str, topics: &[NewTopic<'_>]) {
    let admin: AdminClient<DefaultClientContext> =
        client(address).create().expect("an admin client needs only an address");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime of one thread");
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    for made in runtime.block_on(admin.create_topics(topics, &options)).expect("the broker answers") {
        made.unwrap_or_else(|(topic, code)| panic!("topic {topic} was not made: {code}"));
    }
    let deadline = Instant::now() + PATIENCE;
    for topic in topics {
        while !is_known(&admin, topic) {
            assert!(Instant::now() < deadline, "the broker does not know topic {} that it has made", topic.name);
            thread::sleep(LOOK);
        }
    }
}

fn is_known(admin: &AdminClient<DefaultClientContext>, topic: &NewTopic<'_>) -> bool {
    let metadata = admin.inner().fetch_metadata(Some(topic.name), PATIENCE).expect("the broker answers");
    let found = metadata.topics().iter().find(|found| found.name() == topic.name && found.error().is_none());
    found.is_some_and(|found| {
        i32::try_from(found.partitions().len()) == Ok(topic.num_partitions)
            && found.partitions().iter().all(|partition| partition.error().is_none() && partition.leader() >= 0)
    })
}

/// Writes the records in order and returns once all of them are acknowledged.
pub fn produce(address: &str, topic: &str, records: &[Record]) {
    let producer: BaseProducer<FailOnLoss> = client(address)
        .set("enable.idempotence", "true")
        .set("linger.ms", "1")
        .set("message.max.bytes", "100000000") // the topic decides
        .create_with_context(FailOnLoss)
        .expect("a producer needs only an address");
    let deadline = Instant::now() + PATIENCE;
    for record in records {
        let mut unsent = Some(to_kafka(topic, record));
        while let Some(next) = unsent.take() {
            match producer.send(next) {
                Ok(()) => {}
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    assert!(Instant::now() < deadline, "the broker took no more records for {PATIENCE:?}");
                    producer.poll(Duration::from_millis(1));
                    unsent = Some(back);
                }
                Err((error, _)) => panic!("a record was refused: {error}"),
            }
        }
    }
    // Not flush(): it waits in slices of 100 ms.
    while producer.in_flight_count() > 0 {
        assert!(
            Instant::now() < deadline,
            "{} records were not acknowledged in {PATIENCE:?}",
            producer.in_flight_count()
        );
        producer.poll(Duration::from_micros(500));
    }
}

/// All that `read_committed` shows of a topic at this moment, by partition and offset.
pub fn read_committed(address: &str, topic: &str) -> Vec<RawEvent> {
    await_committed(address, topic, 0, PATIENCE)
}

/// Reads until at least `count` records are visible and nothing follows them; sorted by partition and offset.
///
/// # Panics
/// When that takes longer than `within`.
pub fn await_committed(address: &str, topic: &str, count: usize, within: Duration) -> Vec<RawEvent> {
    let consumer: BaseConsumer = client(address)
        .set("group.id", "tests-reader") // never joined: partitions are assigned by hand
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "50")
        .create()
        .expect("a consumer needs only an address and a group");
    let partitions = partitions_of(&consumer, topic);
    let mut assignment = TopicPartitionList::new();
    for &partition in &partitions {
        assignment.add_partition_offset(topic, partition, Offset::Beginning).expect("the beginning is an offset");
    }
    consumer.assign(&assignment).expect("the partitions exist");

    let deadline = Instant::now() + within;
    let (mut events, mut ended) = (Vec::new(), BTreeSet::new());
    while events.len() < count || ended != partitions {
        assert!(
            Instant::now() < deadline,
            "{topic}: {} of {count} records were visible after {within:?}",
            events.len()
        );
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => {
                ended.remove(&message.partition());
                events.push(to_event(&message));
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ended.insert(partition);
            }
            Some(Err(error)) => panic!("{topic} cannot be read: {error}"),
        }
    }
    events.sort_by(|a, b| a.origin.cmp(&b.origin));
    events
}

/// A client of a broker on this machine, before its own settings.
pub fn client(address: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("broker.address.family", "v4");
    config
}

/// Fails the test when a record is not written: a loss in the harness must not pass as one of ours.
struct FailOnLoss;

impl ClientContext for FailOnLoss {}

impl ProducerContext for FailOnLoss {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            panic!("a record was not written: {error}");
        }
    }
}

fn to_kafka<'a>(topic: &'a str, record: &'a Record) -> BaseRecord<'a, [u8], [u8]> {
    let mut sent = BaseRecord::to(topic);
    sent.partition = record.partition;
    sent.key = record.key.as_deref();
    sent.payload = record.payload.as_deref();
    sent.timestamp = record.timestamp_ms;
    if !record.headers.is_empty() {
        let headers = OwnedHeaders::new_with_capacity(record.headers.len());
        sent.headers = Some(record.headers.iter().fold(headers, |headers, header| {
            headers.insert(KafkaHeader { key: &header.name, value: header.value.as_deref() })
        }));
    }
    sent
}

fn to_event(message: &BorrowedMessage<'_>) -> RawEvent {
    let headers = message
        .headers()
        .into_iter()
        .flat_map(|headers| headers.iter())
        .map(|header| Header { name: header.key.to_owned(), value: header.value.map(<[u8]>::to_vec) });
    RawEvent {
        origin: Origin { topic: Arc::from(message.topic()), partition: message.partition(), offset: message.offset() },
        key: message.key().map(<[u8]>::to_vec),
        payload: message.payload().map(<[u8]>::to_vec),
        headers: headers.collect(),
        timestamp_ms: message.timestamp().to_millis(),
    }
}

fn partitions_of(consumer: &BaseConsumer, topic: &str) -> BTreeSet<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("the broker answers");
        let found: BTreeSet<i32> =
            metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|partition| partition.id()).collect();
        if !found.is_empty() {
            return found;
        }
        assert!(Instant::now() < deadline, "topic {topic} did not appear in {PATIENCE:?}");
    }
}
