//! Which times of records a topic takes, what it does with them, and which record of a batch an answer names.

use kafka::clock::now_ms;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{BaseRecord, Producer};
use tests::names::unique;
use tests::records::{create_topic_with, read_committed};

use crate::clients::{Delivery, PATIENCE, producer, send};
use crate::on_each_broker;

const HOUR_MS: i64 = 3_600_000;

/// Sends records of these keys and times in one batch, and tells what became of each.
fn batch(address: &str, topic: &str, records: &[(Option<&str>, i64)]) -> Vec<Delivery> {
    let producer = producer(address, &[("linger.ms", "200")]);
    for (key, timestamp) in records {
        let mut record = BaseRecord::<str, str>::to(topic).partition(0).payload("a record").timestamp(*timestamp);
        record.key = *key;
        producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
    }
    producer.flush(PATIENCE).expect("an answer for each");
    send(&producer, topic, 0, &[] as &[&str])
}

fn one(address: &str, topic: &str, timestamp: i64) -> Delivery {
    batch(address, topic, &[(None, timestamp)]).remove(0)
}

#[test]
fn times_out_of_range_are_refused() {
    on_each_broker(|address| {
        let usual = unique("usual");
        create_topic_with(address, &usual, 1, &[]);
        assert!(one(address, &usual, now_ms() + HOUR_MS / 2).is_ok());
        assert_eq!(one(address, &usual, now_ms() + 2 * HOUR_MS), Err(Code::InvalidTimestamp));
        assert_eq!(one(address, &usual, i64::MAX), Err(Code::InvalidTimestamp));
        for any_past in [1, -5, -1] {
            assert!(one(address, &usual, any_past).is_ok(), "{any_past}");
        }
        let narrow = unique("narrow");
        let settings = [("message.timestamp.before.max.ms", "3600000"), ("message.timestamp.after.max.ms", "7200000")];
        create_topic_with(address, &narrow, 1, &settings);
        assert!(one(address, &narrow, now_ms() + HOUR_MS + HOUR_MS / 2).is_ok());
        assert_eq!(one(address, &narrow, now_ms() - 2 * HOUR_MS), Err(Code::InvalidTimestamp));
        assert_eq!(one(address, &narrow, -5), Err(Code::InvalidTimestamp));
        assert!(one(address, &narrow, -1).is_ok(), "no time at all is none out of range");
    });
}

#[test]
fn an_answer_names_the_records_at_fault() {
    on_each_broker(|address| {
        let (good, bad) = (now_ms(), now_ms() + 2 * HOUR_MS);
        let topic = unique("named");
        create_topic_with(address, &topic, 1, &[]);
        // librdkafka passes the names on where there are several; else it gives all records the code of the batch.
        let (named, other) = (Err(Code::InvalidRecord), Err(Code::InvalidDifferentRecord));
        let found = batch(address, &topic, &[(None, good), (None, bad), (None, good)]);
        assert!(found.iter().all(|delivery| *delivery == Err(Code::InvalidTimestamp)), "{found:?}");
        let found = batch(address, &topic, &[(None, bad), (None, bad), (None, good)]);
        assert_eq!(found, [named, named, other]);
        let compacted = unique("compacted");
        create_topic_with(address, &compacted, 1, &[("cleanup.policy", "compact")]);
        let found = batch(address, &compacted, &[(Some("a"), good), (None, good), (None, good)]);
        assert_eq!(found, [other, named, named]);
        assert_eq!(read_committed(address, &topic).len() + read_committed(address, &compacted).len(), 0);
    });
}

#[test]
fn a_topic_that_stamps_gives_the_time_of_arrival() {
    on_each_broker(|address| {
        let topic = unique("stamps");
        create_topic_with(address, &topic, 1, &[("message.timestamp.type", "LogAppendTime")]);
        let before = now_ms() - 2000; // clocks of one machine, read by two programs
        let found = batch(address, &topic, &[(None, 1), (None, i64::MAX), (None, now_ms() - 48 * HOUR_MS)]);
        assert!(found.iter().all(Result::is_ok), "{found:?}");
        let times: Vec<_> = read_committed(address, &topic).iter().map(|record| record.timestamp_ms).collect();
        let arrived = |time: &Option<i64>| time.is_some_and(|time| (before..now_ms() + 2000).contains(&time));
        assert!(times.len() == 3 && times.iter().all(arrived), "{times:?}");
    });
}
