//! Headers whose names are not UTF-8: no client library for Rust writes them, so they are written over the bare wire.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use schemas::Header;
use tests::broker;
use tests::records::await_committed;

use crate::tiny::Tiny;
use crate::wire::{Wire, now_ms, text};
use crate::{Job, PATIENCE, has_runtime};

const RECORDS: usize = 50;

#[test]
fn a_header_name_that_is_not_utf_8_is_left_out_without_a_panic_and_warned_of_once() {
    if !has_runtime("header names") {
        return;
    }
    let package = Tiny::new();
    for broker in broker::all() {
        let job = Job::new(&broker, 1);
        write(&job.address, &job.input);
        let mut worker = job.work(&package);
        worker.await_success(PATIENCE);
        let log = worker.stderr();
        assert!(!log.contains("panicked"), "{:?}: {log}", broker.kind);
        let warnings: Vec<_> = log.lines().filter(|line| line.contains(" WARN ")).collect();
        assert_eq!(warnings.len(), 1, "{:?}: {log}", broker.kind);
        for part in ["not UTF-8", &job.input, "headers=1"] {
            assert!(warnings[0].contains(part), "{part:?} is not in {}", warnings[0]);
        }
        let labels = await_committed(&job.address, &job.output, RECORDS, Duration::from_secs(30));
        assert_eq!(labels.len(), RECORDS, "{:?}", broker.kind);
        let own = [header("before", "1"), header("after", "2")];
        assert!(labels.iter().all(|label| label.headers[..2] == own), "{:?}: {:?}", broker.kind, labels[0].headers);
    }
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: Some(value.as_bytes().to_vec()) }
}

/// Writes records with three headers, of which the second has a broken name.
fn write(address: &str, topic: &str) {
    let headers = [("before", "1"), ("bad?", "x"), ("after", "2")];
    let record = |offset: usize| Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset: i64::try_from(offset).expect("small"),
        sequence: i32::try_from(offset).expect("small") - 1,
        timestamp: now_ms(),
        key: None,
        value: Some(Bytes::from_static(b"good and bad")),
        headers: headers
            .into_iter()
            .map(|(name, value)| (text(name), Some(Bytes::from_static(value.as_bytes()))))
            .collect(),
    };
    let records: Vec<_> = (0..RECORDS).map(record).collect();
    let mut batch = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    RecordBatchEncoder::encode(&mut batch, &records, &options).expect("the batch can be encoded");
    let places: Vec<_> = (0..batch.len() - 4).filter(|at| &batch[*at..at + 4] == b"bad?").collect();
    assert_eq!(places.len(), RECORDS);
    for at in places {
        batch[at..at + 4].copy_from_slice(b"b\xff\xfe?");
    }
    let checksum = crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&checksum.to_be_bytes());
    let data = PartitionProduceData::default().with_records(Some(batch.freeze()));
    let topic = TopicName(StrBytes::from_string(topic.to_owned()));
    let data = TopicProduceData::default().with_name(topic).with_partition_data(vec![data]);
    let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![data]);
    let mut wire = Wire::connect(address.parse().expect("tests' brokers have numeric addresses"));
    let answer = wire.call(9, &request);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0, "{answer:?}");
}

/// CRC-32C bit by bit: slow and short.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}
