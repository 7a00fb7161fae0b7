//! Producing and fetching outside of transactions.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tests::names::unique;
use tests::records::create_topic;

use crate::clients::{
    PATIENCE, admin, admin_options, consumer, positions, producer, read, reader, send, send_ok, wait,
};
use crate::on_each_broker;

#[test]
fn every_codec_keeps_key_value_headers_and_time() {
    on_each_broker(|address| {
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let topic = unique(codec);
            create_topic(address, &topic, 1);
            let producer = producer(address, &[("compression.type", codec), ("linger.ms", "20")]);
            let value = "compressible ".repeat(50);
            for index in 0..100 {
                let header = Header { key: "h", value: Some(&[0_u8, 159, 146, 150]) };
                let record = BaseRecord::to(&topic)
                    .key(if index % 2 == 0 { "even" } else { "odd" })
                    .payload(&value)
                    .headers(OwnedHeaders::new().insert(header).insert(Header::<&[u8]> { key: "none", value: None }))
                    .timestamp(1_700_000_000_000 + index);
                producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
            }
            producer.flush(PATIENCE).expect("all are written");
            let reader = reader(address, &topic, &[(0, Offset::Beginning)], &[]);
            for index in 0..100 {
                let message = next(&reader);
                let headers = message.headers().expect("headers");
                assert_eq!(message.offset(), index, "{codec}");
                assert_eq!(message.key(), Some(if index % 2 == 0 { &b"even"[..] } else { b"odd" }));
                assert_eq!(message.payload(), Some(value.as_bytes()));
                assert_eq!(message.timestamp().to_millis(), Some(1_700_000_000_000 + index));
                assert_eq!((headers.count(), headers.get(0).value), (2, Some(&[0_u8, 159, 146, 150][..])));
                assert_eq!(headers.get(1).value, None);
            }
        }
    });
}

fn next(reader: &rdkafka::consumer::BaseConsumer) -> rdkafka::message::OwnedMessage {
    let message = reader.poll(PATIENCE).expect("a record in time").expect("a record");
    message.detach()
}

#[test]
fn tombstones_and_large_records() {
    on_each_broker(|address| {
        let topic = unique("large");
        create_topic(address, &topic, 1);
        let producer = producer(address, &[("message.max.bytes", "5000000")]);
        let tombstone = BaseRecord::<str, [u8]>::to(&topic).key("gone").partition(0);
        producer.send(tombstone).map_err(|(error, _)| error).expect("the queue has room");
        let largest = "x".repeat(900_000);
        send_ok(&producer, &topic, 0, &[&largest]);
        let too_large = "x".repeat(2_000_000);
        assert_eq!(send(&producer, &topic, 0, &[&too_large]), [Err(RDKafkaErrorCode::MessageSizeTooLarge)]);
        let reader = reader(address, &topic, &[(0, Offset::Beginning)], &[]);
        let tombstone = next(&reader);
        assert_eq!((tombstone.key(), tombstone.payload()), (Some(&b"gone"[..]), None));
        assert_eq!(next(&reader).payload().map(<[u8]>::len), Some(900_000));
    });
}

#[test]
fn an_idempotent_producer_keeps_the_order() {
    on_each_broker(|address| {
        let topic = unique("order");
        create_topic(address, &topic, 1);
        let settings = [
            ("enable.idempotence", "true"),
            ("linger.ms", "1"),
            ("batch.num.messages", "50"),
            ("compression.type", "lz4"),
        ];
        let values: Vec<String> = (0..5_000).map(|index| index.to_string()).collect();
        send_ok(&producer(address, &settings), &topic, 0, &values);
        assert_eq!(read(&reader(address, &topic, &[(0, Offset::Beginning)], &[]), 5_000), values);
    });
}

#[test]
fn reading_may_start_inside_a_batch() {
    on_each_broker(|address| {
        let topic = unique("inside");
        create_topic(address, &topic, 1);
        let values: Vec<String> = (0..10).map(|index| index.to_string()).collect();
        send_ok(&producer(address, &[("linger.ms", "200")]), &topic, 0, &values);
        assert_eq!(read(&reader(address, &topic, &[(0, Offset::Offset(5))], &[]), 5), values[5..]);
    });
}

#[test]
fn a_waiting_fetch_wakes_up_for_a_record() {
    on_each_broker(|address| {
        let topic = unique("wake");
        create_topic(address, &topic, 1);
        let settings = [("fetch.wait.max.ms", "20000"), ("socket.timeout.ms", "60000")];
        let reader = reader(address, &topic, &[(0, Offset::Beginning)], &settings);
        assert!(reader.poll(Duration::from_millis(500)).is_none(), "nothing is there yet");
        let producer = producer(address, &[]);
        send_ok(&producer, &topic, 0, &["first"]);
        let before = Instant::now();
        send_ok(&producer, &topic, 0, &["second"]);
        assert_eq!(read(&reader, 2), ["first", "second"]);
        assert!(before.elapsed() < Duration::from_secs(5), "the fetch slept through: {:?}", before.elapsed());
    });
}

#[test]
fn offsets_by_time_and_watermarks() {
    on_each_broker(|address| {
        let topic = unique("time");
        create_topic(address, &topic, 1);
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let producer = producer(address, &[("compression.type", codec), ("linger.ms", "50")]);
            let base = 1_700_000_000_000 + i64::from(codec.as_bytes()[0]) * 1000;
            for index in 0..5 {
                let payload = "time ".repeat(20);
                let record =
                    BaseRecord::<(), str>::to(&topic).payload(&payload).partition(0).timestamp(base + index * 10);
                producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
            }
            producer.flush(PATIENCE).expect("all are written");
        }
        // Time order: gzip (g), lz4 (l), none (n), snappy (s), zstd (z); log order: none, gzip, snappy, lz4, zstd.
        let reader = consumer(address, "reader", &[]);
        let find = |time: i64| {
            let mut asked = TopicPartitionList::new();
            asked.add_partition_offset(&topic, 0, Offset::Offset(time)).expect("a valid offset");
            reader.offsets_for_times(asked, PATIENCE).expect("an answer").elements()[0].offset()
        };
        let at = |codec: &str, millis: i64| 1_700_000_000_000 + i64::from(codec.as_bytes()[0]) * 1000 + millis;
        assert_eq!(find(0), Offset::Offset(0));
        assert_eq!(find(at("none", 15)), Offset::Offset(2));
        assert_eq!(find(at("none", 41)), Offset::Offset(10), "the first later one in the log is snappy's first");
        assert_eq!(find(at("snappy", 25)), Offset::Offset(13));
        assert_eq!(find(at("zstd", 40)), Offset::Offset(24));
        assert_eq!(find(at("zstd", 41)), Offset::End);
        assert_eq!(reader.fetch_watermarks(&topic, 0, PATIENCE).expect("watermarks"), (0, 25));
    });
}

#[test]
fn records_from_the_far_future_are_refused() {
    on_each_broker(|address| {
        let topic = unique("future");
        create_topic(address, &topic, 1);
        let producer = producer(address, &[]);
        let record = BaseRecord::<(), str>::to(&topic).payload("x").partition(0).timestamp(4_000_000_000_000);
        producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
        assert_eq!(send(&producer, &topic, 0, &[""; 0]), [Err(RDKafkaErrorCode::InvalidTimestamp)]);
    });
}

#[test]
fn unknown_topics_and_partitions_are_named_so() {
    on_each_broker(|address| {
        let topic = unique("two");
        create_topic(address, &topic, 2);
        let producer =
            producer(address, &[("message.timeout.ms", "3000"), ("topic.metadata.propagation.max.ms", "500")]);
        assert_eq!(send(&producer, &topic, 7, &["x"]), [Err(RDKafkaErrorCode::UnknownPartition)]);
        assert_eq!(send(&producer, &unique("none"), 0, &["x"]), [Err(RDKafkaErrorCode::UnknownTopicOrPartition)]);
    });
}

/// One question to each leader finds where all of its partitions begin and end.
#[test]
fn first_and_last_offsets_of_many_partitions_are_found_like_those_of_times() {
    on_each_broker(|address| {
        let topic = unique("ends");
        create_topic(address, &topic, 3);
        send_ok(&producer(address, &[]), &topic, 0, &["0", "1", "2", "3", "4"]);
        send_ok(&producer(address, &[]), &topic, 2, &["0"]);
        wait(admin(address).delete_records(&positions(&topic, &[(0, 3)]), &admin_options())).expect("records go");
        let client = consumer(address, "reader", &[]);
        let ask = |place: Offset| {
            let mut asked = TopicPartitionList::new();
            for partition in 0..3 {
                asked.add_partition_offset(&topic, partition, place).expect("a place");
            }
            let answer = client.offsets_for_times(asked, PATIENCE).expect("an answer");
            let offsets = answer.elements().into_iter().map(|element| element.error().map(|()| element.offset()));
            offsets.collect::<Result<Vec<_>, _>>().expect("each is found")
        };
        assert_eq!(ask(Offset::Beginning), [3, 0, 0].map(Offset::Offset));
        assert_eq!(ask(Offset::End), [5, 0, 1].map(Offset::Offset));
    });
}

#[test]
fn deleted_records_are_out_of_range() {
    on_each_broker(|address| {
        let topic = unique("deleted");
        create_topic(address, &topic, 1);
        send_ok(&producer(address, &[]), &topic, 0, &["0", "1", "2", "3", "4"]);
        wait(admin(address).delete_records(&positions(&topic, &[(0, 3)]), &admin_options())).expect("records go");
        assert_eq!(consumer(address, "reader", &[]).fetch_watermarks(&topic, 0, PATIENCE).expect("watermarks"), (3, 5));
        let old = [(0, Offset::Offset(1))];
        assert_eq!(read(&reader(address, &topic, &old, &[("auto.offset.reset", "earliest")]), 2), ["3", "4"]);
        let strict = reader(address, &topic, &old, &[("auto.offset.reset", "error")]);
        let error = strict.poll(PATIENCE).expect("an answer in time").expect_err("the offset is gone");
        assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::AutoOffsetReset), "{error}");
        let beyond = positions(&topic, &[(0, 9)]);
        let refused = wait(admin(address).delete_records(&beyond, &admin_options())).expect("an answer");
        let error = refused.elements()[0].error().expect_err("beyond the end");
        assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::OffsetOutOfRange));
    });
}
