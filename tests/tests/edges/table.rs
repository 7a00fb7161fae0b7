//! A compacted topic as a table, on both brokers: what is in it, and when it is caught up.

use std::time::{Duration, Instant};

use kafka::table::KafkaTable;
use kafka::topics::create_compacted;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tests::broker;
use tests::names::unique;
use tests::records;

use crate::harness::Stage;

const PATIENCE: Duration = Duration::from_secs(30);
const BYTES_MAX: usize = 1 << 20;

/// A compacted topic of two partitions with its writer.
struct Topic {
    stage: Stage,
    name: String,
    writer: BaseProducer,
}

impl Topic {
    fn new(broker: &broker::TestBroker) -> Self {
        let (stage, name) = (Stage::new(broker, 1), unique("table"));
        create_compacted(&stage.connection(), &name, 2, PATIENCE).expect("created");
        create_compacted(&stage.connection(), &name, 2, PATIENCE).expect("there already");
        let writer = Self::writer(&stage);
        Self { stage, name, writer }
    }

    fn writer(stage: &Stage) -> BaseProducer {
        let writer: BaseProducer = records::client(&stage.address)
            .set("transactional.id", unique("writer"))
            .set("transaction.timeout.ms", "30000")
            .set("linger.ms", "0")
            .create()
            .expect("a producer");
        writer.init_transactions(PATIENCE).expect("the broker answers");
        writer
    }

    fn table(&self) -> KafkaTable {
        self.stage.table(&self.name, BYTES_MAX)
    }

    /// Leaves the transaction open.
    fn send(&self, writer: &BaseProducer, values: &[(&str, Option<&str>)]) {
        writer.begin_transaction().expect("none is open");
        for (key, value) in values {
            let mut record: BaseRecord<'_, str, str> = BaseRecord::to(&self.name).key(*key);
            record.partition = Some(i32::from(*key > "m"));
            record.payload = *value;
            writer.send(record).map_err(|(error, _)| error).expect("sent");
        }
        writer.flush(PATIENCE).expect("delivered");
    }

    fn commit(&self, values: &[(&str, Option<&str>)]) {
        self.send(&self.writer, values);
        self.writer.commit_transaction(PATIENCE).expect("commits");
    }

    fn abort(&self, values: &[(&str, Option<&str>)]) {
        self.send(&self.writer, values);
        self.writer.abort_transaction(PATIENCE).expect("aborts");
    }
}

fn catch_up(table: &KafkaTable) {
    assert!(table.catch_up(PATIENCE, || false).expect("caught up"));
}

fn entries(table: &KafkaTable) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    table.entries().iter().map(|(key, value)| (text(key), text(value))).collect()
}

fn expected(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_table_holds_the_newest_committed_value_of_every_key() {
    for broker in broker::all() {
        let topic = Topic::new(&broker);
        let table = topic.table();
        catch_up(&table);
        assert_eq!(entries(&table), [], "an empty topic has nothing to catch up with");
        topic.commit(&[("a", Some("1")), ("z", Some("1")), ("gone", Some("1"))]);
        topic.abort(&[("a", Some("aborted")), ("never", Some("aborted"))]);
        topic.commit(&[("a", Some("2")), ("gone", None)]);
        // What comes last in a partition is an abort: no reader ever sees its records or its marker.
        topic.abort(&[("a", Some("aborted")), ("z", None)]);
        catch_up(&table);
        assert_eq!(entries(&table), expected(&[("a", "2"), ("z", "1")]));
        let changes = table.take_changes();
        let changed: Vec<_> = changes.iter().map(|change| (&*change.key, change.value.as_deref())).collect();
        assert_eq!(changed, [(&b"a"[..], Some(&b"2"[..])), (b"gone", None), (b"z", Some(b"1"))]);
        assert!(table.take_changes().is_empty());
        let bytes = table.bytes();
        assert!(bytes > 0);
        topic.commit(&[("a", None)]);
        catch_up(&table);
        assert!(table.bytes() < bytes);

        let other = topic.table();
        catch_up(&other);
        assert_eq!(entries(&other), entries(&table), "a later reader finds the same");
    }
}

#[test]
fn a_table_is_not_caught_up_while_a_transaction_is_open() {
    for broker in broker::all() {
        for is_committed in [true, false] {
            let topic = Topic::new(&broker);
            topic.commit(&[("a", Some("1"))]);
            let table = topic.table();
            catch_up(&table);
            let open = Topic::writer(&topic.stage);
            topic.send(&open, &[("a", Some("2"))]);
            let error = table.catch_up(Duration::from_millis(300), || false).expect_err("its outcome is not known");
            assert!(
                error.to_string().contains("not caught up within 300 ms: partition 0 is read to 2 of 3"),
                "{error}"
            );
            assert_eq!(error.recovery(), schemas::Recovery::Rewind);
            assert!(!table.catch_up(PATIENCE, || true).expect("asked to give up"));

            let started = Instant::now();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(300));
                    let end = if is_committed { Producer::commit_transaction } else { Producer::abort_transaction };
                    end(&open, PATIENCE).expect("it ends");
                });
                catch_up(&table);
            });
            assert!(started.elapsed() >= Duration::from_millis(300), "the marker was waited for");
            assert_eq!(entries(&table), expected(&[("a", if is_committed { "2" } else { "1" })]));
        }
    }
}

#[test]
fn a_table_that_grows_beyond_its_bound_says_so() {
    for broker in broker::all() {
        let topic = Topic::new(&broker);
        let table = topic.stage.table(&topic.name, 1000);
        topic.commit(&[("a", Some("small"))]);
        catch_up(&table);
        topic.commit(&[("b", Some(&"x".repeat(1000)))]);
        let error = table.catch_up(PATIENCE, || false).expect_err("too large");
        assert!(error.to_string().contains("more than 1000 bytes in memory"), "{error}");
        assert_eq!(error.recovery(), schemas::Recovery::Exit);
    }
}

#[test]
fn a_table_of_a_topic_that_is_missing_says_so() {
    for broker in broker::all() {
        let table = Stage::new(&broker, 1).table(&unique("none"), BYTES_MAX);
        let error = table.catch_up(PATIENCE, || false).expect_err("no such topic");
        assert_eq!(error.recovery(), schemas::Recovery::Exit, "{error}");
    }
}

/// devbroker compacts at once what Apache Kafka's cleaner takes seconds for; the table is the same.
#[test]
fn a_table_survives_compaction() {
    for broker in broker::all() {
        let topic = Topic::new(&broker);
        let large = "x".repeat(20_000);
        for number in 0..120 {
            topic.commit(&[("a", Some(&number.to_string())), ("b", Some(&large)), ("z", Some("same"))]);
        }
        let table = topic.table();
        catch_up(&table);
        let newest = expected(&[("a", "119"), ("b", &large), ("z", "same")]);
        assert_eq!(entries(&table), newest);
        if broker.devbroker.is_some() {
            assert!(table.records() < 300, "{} of 360 records were still there", table.records());
        }
    }
}
