//! Transactions: what is visible when, and the offsets committed inside them.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::Producer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tests::names::unique;
use tests::records::create_topic;

use crate::clients::{
    PATIENCE, TestProducer, code, committed, consumer, positions, producer, read, read_nothing, reader, send_ok,
    transactional,
};
use crate::on_each_broker;

/// One transaction with one record.
fn transact(producer: &TestProducer, topic: &str, value: &str, commit: bool) {
    producer.begin_transaction().expect("begins");
    send_ok(producer, topic, 0, &[value]);
    if commit {
        producer.commit_transaction(PATIENCE).expect("commits");
    } else {
        producer.abort_transaction(PATIENCE).expect("aborts");
    }
}

#[test]
fn only_committed_records_are_visible() {
    on_each_broker(|address| {
        let topic = unique("visible");
        create_topic(address, &topic, 1);
        let from = [(0, Offset::Beginning)];
        let committed = reader(address, &topic, &from, &[]);
        let uncommitted = reader(address, &topic, &from, &[("isolation.level", "read_uncommitted")]);
        let writer = transactional(address, &unique("x"), "30000");
        transact(&writer, &topic, "committed", true);
        assert_eq!(read(&committed, 1), ["committed"]);
        writer.begin_transaction().expect("begins");
        send_ok(&writer, &topic, 0, &["open"]);
        // A record behind an open transaction is held back too, whoever wrote it.
        send_ok(&producer(address, &[]), &topic, 0, &["plain"]);
        assert_eq!(read(&uncommitted, 3), ["committed", "open", "plain"]);
        read_nothing(&committed);
        writer.abort_transaction(PATIENCE).expect("aborts");
        assert_eq!(read(&committed, 1), ["plain"]);
        transact(&writer, &topic, "aborted", false);
        transact(&writer, &topic, "last", true);
        assert_eq!(read(&committed, 1), ["last"]);
        read_nothing(&committed);
    });
}

#[test]
fn interleaved_transactions_are_told_apart() {
    on_each_broker(|address| {
        let topic = unique("interleaved");
        create_topic(address, &topic, 1);
        let writers = [transactional(address, &unique("a"), "30000"), transactional(address, &unique("b"), "30000")];
        let mut expected = Vec::new();
        for round in 0..10 {
            writers.iter().for_each(|writer| writer.begin_transaction().expect("begins"));
            for step in 0..5 {
                for (name, writer) in ["a", "b"].iter().zip(&writers) {
                    send_ok(writer, &topic, 0, &[format!("{name} {round} {step}")]);
                }
            }
            let commits = [round % 2 == 0, round % 3 == 0];
            for (writer, commit) in writers.iter().zip(commits) {
                let end =
                    if commit { TestProducer::commit_transaction::<Duration> } else { TestProducer::abort_transaction };
                end(writer, PATIENCE).expect("ends");
            }
            for step in 0..5 {
                for (name, _) in ["a", "b"].iter().zip(commits).filter(|(_, commit)| *commit) {
                    expected.push(format!("{name} {round} {step}"));
                }
            }
        }
        let committed = reader(address, &topic, &[(0, Offset::Beginning)], &[]);
        assert_eq!(read(&committed, expected.len()), expected);
        read_nothing(&committed);
        let all = reader(address, &topic, &[(0, Offset::Beginning)], &[("isolation.level", "read_uncommitted")]);
        assert_eq!(read(&all, 100).len(), 100);
        // From the middle, the aborted ones before are of no concern and those after are still known.
        let middle = reader(address, &topic, &[(0, Offset::Offset(60))], &[]);
        let rest = read(&middle, 5);
        assert!(expected.windows(5).any(|window| window == rest), "{rest:?}");
    });
}

#[test]
fn a_transaction_spans_partitions_and_topics() {
    on_each_broker(|address| {
        let topics = [unique("left"), unique("right")];
        topics.iter().for_each(|topic| create_topic(address, topic, 4));
        let writer = transactional(address, &unique("x"), "30000");
        for (value, commit) in [("kept", true), ("dropped", false), ("kept too", true)] {
            writer.begin_transaction().expect("begins");
            for topic in &topics {
                (0..4).for_each(|partition| send_ok(&writer, topic, partition, &[value]));
            }
            if commit {
                writer.commit_transaction(PATIENCE).expect("commits");
            } else {
                writer.abort_transaction(PATIENCE).expect("aborts");
            }
        }
        for topic in &topics {
            let from: Vec<_> = (0..4).map(|partition| (partition, Offset::Beginning)).collect();
            let mut values = read(&reader(address, topic, &from, &[]), 8);
            values.sort();
            assert_eq!(values, [["kept"; 4], ["kept too"; 4]].concat());
        }
    });
}

#[test]
fn offsets_take_part_in_the_transaction() {
    on_each_broker(|address| {
        let (topic, group) = (unique("in"), unique("group"));
        create_topic(address, &topic, 2);
        let member = consumer(address, &group, &[]);
        let outside = member.group_metadata().expect("metadata");
        let writer = transactional(address, &unique("x"), "30000");
        let commit_at = |offset: i64| {
            writer.begin_transaction().expect("begins");
            send_ok(&writer, &topic, 1, &["out"]);
            writer
                .send_offsets_to_transaction(&positions(&topic, &[(0, offset)]), &outside, PATIENCE)
                .expect("the offsets are taken");
        };
        assert_eq!(committed(&member, &topic, 0), None);
        commit_at(5);
        writer.abort_transaction(PATIENCE).expect("aborts");
        assert_eq!(committed(&member, &topic, 0), None);
        commit_at(7);
        writer.commit_transaction(PATIENCE).expect("commits");
        assert_eq!(committed(&member, &topic, 0), Some(7));
    });
}

#[test]
fn a_reader_of_stable_offsets_waits_for_the_transaction() {
    on_each_broker(|address| {
        let (topic, group) = (unique("in"), unique("group"));
        create_topic(address, &topic, 1);
        let strict = consumer(address, &group, &[]);
        let lax = consumer(address, &group, &[("isolation.level", "read_uncommitted")]);
        let writer = transactional(address, &unique("x"), "30000");
        writer.begin_transaction().expect("begins");
        send_ok(&writer, &topic, 0, &["out"]);
        let outside = strict.group_metadata().expect("metadata");
        writer.send_offsets_to_transaction(&positions(&topic, &[(0, 3)]), &outside, PATIENCE).expect("taken");
        let mut asked = TopicPartitionList::new();
        asked.add_partition(&topic, 0);
        let waited = strict.committed_offsets(asked, Duration::from_secs(1));
        assert_eq!(waited.map_err(|error| code(&error)).err(), Some(RDKafkaErrorCode::OperationTimedOut));
        assert_eq!(committed(&lax, &topic, 0), None, "without require_stable the old state is told");
        writer.commit_transaction(PATIENCE).expect("commits");
        assert_eq!(committed(&strict, &topic, 0), Some(3));
    });
}

#[test]
fn an_empty_transaction_commits() {
    on_each_broker(|address| {
        let writer = transactional(address, &unique("x"), "30000");
        for _ in 0..3 {
            writer.begin_transaction().expect("begins");
            writer.commit_transaction(PATIENCE).expect("commits");
        }
    });
}

#[test]
fn transaction_timeouts_have_a_limit() {
    on_each_broker(|address| {
        let (id, timeout) = (unique("x"), "900001");
        let writer = producer(address, &[("transactional.id", &id), ("transaction.timeout.ms", timeout)]);
        let error = writer.init_transactions(PATIENCE).expect_err("above transaction.max.timeout.ms");
        assert_eq!(code(&error), RDKafkaErrorCode::InvalidTransactionTimeout);
    });
}

#[test]
fn a_restart_under_the_same_id_aborts_what_was_left_open() {
    on_each_broker(|address| {
        let (topic, id) = (unique("restart"), unique("x"));
        create_topic(address, &topic, 1);
        let committed = reader(address, &topic, &[(0, Offset::Beginning)], &[]);
        let first = transactional(address, &id, "60000");
        first.begin_transaction().expect("begins");
        send_ok(&first, &topic, 0, &["left open"]);
        let before = Instant::now();
        let second = transactional(address, &id, "60000");
        transact(&second, &topic, "after the restart", true);
        assert_eq!(read(&committed, 1), ["after the restart"]);
        assert!(before.elapsed() < Duration::from_secs(20), "did not wait for the time-out");
    });
}
