//! One stage per test: topics of its own, readers and publishers on them, and the events between the two.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use formats::{Layout, dead_letter};
use kafka::connection::Connection;
use kafka::consumer::KafkaSource;
use kafka::error::TransactError;
use kafka::identity::Identity;
use kafka::lease::{LeaseFn, Leases};
use kafka::settings::{Assignment, OffsetReset, SourceConfig, SourceSettings, UntilEnd};
use kafka::source::{Source, SourceError, SourceEvent};
use kafka::table::KafkaTable;
use kafka::transactor::Published;
use kafka::transactor::config::{Compression, Guarantee};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use schemas::{Batch, Generation, LabeledEvent, RawEvent};
use sink::labels::{Encoder, KafkaPublisher};
use sink::publisher::Publisher;
use sink::settings::{SinkConfig, SinkSettings};
use tests::admin;
use tests::broker::TestBroker;
use tests::connection;
use tests::names::unique;
use tests::records::{self, Record};
use tokio::runtime::Runtime;

use crate::events::batch;

const PATIENCE: Duration = Duration::from_secs(30);
/// The least that Apache Kafka allows by default.
pub(crate) const SESSION_TIMEOUT: Duration = Duration::from_secs(6);

pub(crate) struct Stage {
    pub(crate) address: String,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) dead_letters: String,
    pub(crate) message_bytes_max: usize,
    pub(crate) guarantee: Guarantee,
    pub(crate) max_poll_interval: Duration,
    pub(crate) assignment: Assignment,
    pub(crate) offset_reset: OffsetReset,
    pub(crate) queue_bytes_max: usize,
    pub(crate) prefetch_bytes_max: usize,
    group: String,
    partitions: i32,
}

impl Stage {
    pub(crate) fn new(broker: &TestBroker, partitions: i32) -> Self {
        let stage = Self::named(broker, partitions);
        let topics = [stage.input.as_str(), &stage.output, &stage.dead_letters];
        records::create_topics(&stage.address, &topics, partitions);
        stage
    }

    /// Topics of one partition; those that are written have settings of their own.
    pub(crate) fn with_settings(broker: &TestBroker, output: &[(&str, &str)], dead_letters: &[(&str, &str)]) -> Self {
        let stage = Self::named(broker, 1);
        records::create_topic(&stage.address, &stage.input, 1);
        records::create_topic_with(&stage.address, &stage.output, 1, output);
        records::create_topic_with(&stage.address, &stage.dead_letters, 1, dead_letters);
        stage
    }

    fn named(broker: &TestBroker, partitions: i32) -> Self {
        Self {
            address: broker.address.clone(),
            input: unique("in"),
            output: unique("out"),
            dead_letters: unique("dead"),
            message_bytes_max: 1_048_588,
            guarantee: Guarantee::ExactlyOnce,
            max_poll_interval: Duration::from_secs(60),
            assignment: Assignment::CooperativeSticky, // the harder one: what is kept is not reset
            offset_reset: OffsetReset::Earliest,
            queue_bytes_max: 1 << 20,
            prefetch_bytes_max: 16 << 20,
            group: unique("group"),
            partitions,
        }
    }

    /// Writes `text 0`, `text 1`, ... over the partitions in turn.
    pub(crate) fn produce(&self, count: usize) {
        let partitions = usize::try_from(self.partitions).expect("positive");
        let records: Vec<_> = (0..count)
            .map(|place| Record {
                partition: Some(i32::try_from(place % partitions).expect("small")),
                ..Record::of(format!("text {place}"))
            })
            .collect();
        records::produce(&self.address, &self.input, &records);
    }

    /// 20 records in partition 0 over committed transactions, aborted ones between and after them; partition 1 holds
    /// aborted records alone.
    pub(crate) fn produce_in_transactions(&self) {
        let producer: BaseProducer = records::client(&self.address)
            .set("transactional.id", unique("writer"))
            .set("linger.ms", "0")
            .create()
            .expect("a producer");
        producer.init_transactions(PATIENCE).expect("the broker answers");
        for transaction in 0..5 {
            for (is_committed, partitions) in [(true, &[0][..]), (false, &[0, 1][..])] {
                producer.begin_transaction().expect("none is open");
                for partition in partitions {
                    for place in 0..4 {
                        let payload = format!("{is_committed} {transaction} {place}");
                        let record: BaseRecord<'_, (), str> =
                            BaseRecord::to(&self.input).payload(payload.as_str()).partition(*partition);
                        producer.send(record).map_err(|(error, _)| error).expect("sent");
                    }
                }
                producer.flush(PATIENCE).expect("delivered");
                let end = if is_committed { Producer::commit_transaction } else { Producer::abort_transaction };
                end(&producer, PATIENCE).expect("the transaction ends");
            }
        }
    }

    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    /// What the group has committed of a partition of the input.
    pub(crate) fn committed(&self, partition: i32) -> Option<i64> {
        admin::committed(&self.address, &self.group, &self.input, partition)
    }

    pub(crate) fn reader(&self, instance: &str) -> Reader {
        self.start(Some(instance), None)
    }

    /// A member without a name leaves the group at once when it is dropped.
    pub(crate) fn reader_unnamed(&self) -> Reader {
        self.start(None, None)
    }

    pub(crate) fn until_end(&self, instance: &str, until: UntilEnd) -> Reader {
        self.start(Some(instance), Some(until))
    }

    pub(crate) fn until_end_unnamed(&self, until: UntilEnd) -> Reader {
        self.start(None, Some(until))
    }

    fn start(&self, instance: Option<&str>, until: Option<UntilEnd>) -> Reader {
        let mut config = self.source(instance);
        if let Some(until) = until {
            config = config.until_end(until);
        }
        self.open(config)
    }

    /// A reader that tells which partitions are read to their ends.
    pub(crate) fn telling_ends(&self, instance: &str) -> Reader {
        self.open(self.source(Some(instance)).telling_ends())
    }

    fn open(&self, config: SourceConfig) -> Reader {
        let source = KafkaSource::start(&self.connection(), config).expect("valid options");
        Reader { source, runtime: runtime() }
    }

    /// A compacted topic in memory.
    pub(crate) fn table(&self, topic: &str, bytes_max: usize) -> KafkaTable {
        KafkaTable::open(&self.connection(), &self.source(None), topic, bytes_max).expect("valid options")
    }

    fn source(&self, instance: Option<&str>) -> SourceConfig {
        SourceConfig::try_from(SourceSettings {
            topics: vec![self.input.clone()],
            group: self.group.clone(),
            instance: instance.map(str::to_owned),
            assignment: self.assignment,
            offset_reset: self.offset_reset,
            metadata_age_max_ms: 500,
            session_timeout_ms: 6000,
            max_poll_interval_ms: u64::try_from(self.max_poll_interval.as_millis()).expect("a short time"),
            revoke_wait_ms: 3000,
            topic_wait_ms: 2000,
            request_wait_ms: 2000,
            close_wait_ms: 10_000,
            queue_records_max: 200,
            queue_bytes_max: self.queue_bytes_max,
            prefetch_bytes_max: self.prefetch_bytes_max,
        })
        .expect("valid settings")
    }

    pub(crate) fn connection(&self) -> Connection {
        connection::plaintext(&self.address)
    }

    pub(crate) fn identity(&self, instance: &str) -> Identity {
        Identity { connection: self.connection().clone(), group: self.group.clone(), instance: instance.to_owned() }
    }

    pub(crate) fn publisher(&self, instance: &str) -> TestPublisher {
        let config = SinkConfig::try_from(SinkSettings {
            output_topic: self.output.clone(),
            dead_letter_topic: self.dead_letters.clone(),
            layout: Layout::Merge,
            guarantee: self.guarantee,
            compression: Compression::Lz4,
            transaction_timeout_ms: 30_000,
            publish_wait_ms: 15_000,
            commit_wait_ms: 10_000,
            abort_wait_ms: 10_000,
            connect_wait_ms: 30_000,
            attempts_max: 5,
            retry_wait_ms: 10,
            message_bytes_max: self.message_bytes_max,
            partitions_age_max_ms: 60_000,
            create_topics: false,
            create_retention_ms: -1,
            create_dead_letter_retention_ms: -1,
        })
        .expect("valid settings");
        let identity = self.identity(instance);
        let leases = SharedLeases::default();
        let granted = Arc::clone(&leases);
        let lease: LeaseFn = Box::new(move |generation| get(&granted)?.lease(generation));
        let publisher = KafkaPublisher::connect(&config, identity, lease).expect("the broker answers");
        TestPublisher { encoder: Encoder::new(&config), publisher, leases }
    }

    /// Publishes all of the input in one batch; `large` must come out as the only dead letter.
    pub(crate) fn publishes_all_but_one_as_label(&self, large: &str) {
        let (mut reader, mut publisher) = (self.reader("one"), self.publisher("one"));
        publisher.lease_from(&reader);
        let count = records::read_committed(&self.address, &self.input).len();
        let (events, generation) = reader.take(count);
        let outcome = publisher.publish(batch(events, generation)).expect("published");
        assert_eq!(outcome, Published::Committed);
        let labels = records::await_committed(&self.address, &self.output, count - 1, PATIENCE);
        assert_eq!(labels.len(), count - 1);
        let letters = records::await_committed(&self.address, &self.dead_letters, 1, PATIENCE);
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].payload.as_deref(), Some(large.as_bytes()));
        let found = dead_letter::read_headers(&letters[0].headers).expect("a dead letter");
        assert_eq!(found.reason, schemas::Reason::OutputTooLarge);
        // The next batch finds the publisher in good order.
        records::produce(&self.address, &self.input, &[Record::of("after")]);
        let (events, generation) = reader.take(1);
        assert_eq!(publisher.publish(batch(events, generation)).expect("published"), Published::Committed);
        assert_eq!(records::await_committed(&self.address, &self.output, count, PATIENCE).len(), count);
    }
}

pub(crate) struct TestPublisher {
    encoder: Encoder,
    publisher: KafkaPublisher,
    leases: SharedLeases,
}

/// Known once the publisher has a reader to publish for.
type SharedLeases = Arc<Mutex<Option<Arc<Leases>>>>;

fn get(leases: &SharedLeases) -> Option<Arc<Leases>> {
    leases.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl TestPublisher {
    pub(crate) fn lease_from(&mut self, reader: &Reader) {
        *self.leases.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader.source.leases());
    }

    pub(crate) fn publish(&mut self, batch: Batch<LabeledEvent>) -> Result<Published, TransactError> {
        let encoded = batch.try_map(|labeled| Ok(self.encoder.encode(labeled).expect("the tests write text")));
        self.publisher.publish(encoded)
    }
}

pub(crate) struct Reader {
    pub(crate) source: KafkaSource,
    runtime: Runtime,
}

impl Reader {
    pub(crate) fn next(&mut self) -> Result<SourceEvent, SourceError> {
        self.runtime.block_on(self.source.next())
    }

    /// The next `count` records, which must be of one generation and come before the end.
    pub(crate) fn take(&mut self, count: usize) -> (Vec<RawEvent>, Generation) {
        self.take_unless(count, |read| panic!("the source ended after {read} of {count} records"))
    }

    /// The next `count` records of one generation; partitions may come one after the other, each with an end.
    pub(crate) fn take_past_ends(&mut self, count: usize) -> (Vec<RawEvent>, Generation) {
        self.take_unless(count, |_| {})
    }

    fn take_unless(&mut self, count: usize, on_end: impl Fn(usize)) -> (Vec<RawEvent>, Generation) {
        let deadline = Instant::now() + PATIENCE;
        let (mut events, mut generation) = (Vec::new(), None);
        while events.len() < count {
            assert!(Instant::now() < deadline, "{} of {count} records came", events.len());
            match self.next().expect("the source goes on") {
                SourceEvent::Record(event, of) => {
                    assert_eq!(*generation.get_or_insert(of), of, "a new generation begins with Lost");
                    events.push(event);
                }
                SourceEvent::Lost => {
                    events.clear();
                    generation = None;
                }
                SourceEvent::Tick | SourceEvent::Drained { .. } => {}
                SourceEvent::End => on_end(events.len()),
            }
        }
        (events, generation.expect("at least one record"))
    }

    /// Leaves records where they are and waits.
    pub(crate) fn until(&mut self, mut is_done: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_done(self) {
            assert!(Instant::now() < deadline, "it did not happen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// True when no record comes for a while.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let until = Instant::now() + Duration::from_millis(700);
        while Instant::now() < until {
            if let SourceEvent::Record(..) = self.next().expect("the source goes on") {
                return false;
            }
        }
        true
    }

    /// The error that ends this source.
    pub(crate) fn error(&mut self) -> SourceError {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "no error came");
            if let Err(error) = self.next() {
                return error;
            }
        }
    }

    /// Publishes batches of up to `size` until the end, as a pipeline does.
    pub(crate) fn work(&mut self, publisher: &mut TestPublisher, size: usize) {
        let deadline = Instant::now() + PATIENCE * 3;
        let (mut open, mut generation) = (Vec::new(), Generation::default());
        loop {
            assert!(Instant::now() < deadline, "the end was not reached");
            let event = self.next().expect("the source goes on");
            let is_tick = matches!(event, SourceEvent::Tick);
            match event {
                SourceEvent::Record(record, of) => {
                    generation = of;
                    open.push(record);
                }
                SourceEvent::Lost => open.clear(),
                SourceEvent::Tick | SourceEvent::Drained { .. } => {}
                SourceEvent::End => return,
            }
            if open.len() >= size || (is_tick && !open.is_empty()) {
                publisher.publish(batch(std::mem::take(&mut open), generation)).expect("no error");
            }
        }
    }

    /// Every record up to the end.
    pub(crate) fn read_all(&mut self) -> Vec<RawEvent> {
        let deadline = Instant::now() + PATIENCE;
        let mut events = Vec::new();
        loop {
            assert!(Instant::now() < deadline, "the end was not reached after {} records", events.len());
            match self.next().expect("the source goes on") {
                SourceEvent::Record(record, _) => events.push(record),
                SourceEvent::Lost => events.clear(),
                SourceEvent::Tick | SourceEvent::Drained { .. } => {}
                SourceEvent::End => return events,
            }
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime of one thread")
}
