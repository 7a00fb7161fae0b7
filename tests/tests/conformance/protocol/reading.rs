//! Fetch and ListOffsets where a client library would not go.

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{FetchRequest, ListOffsetsRequest};
use kafka_protocol::records::Compression;
use tests::names::unique;
use tests::records::create_topic;
use uuid::Uuid;

use super::*;
use crate::on_each_broker;
use crate::wire::{Writer, batch};

fn fetch(topic: &str, partition: FetchPartition) -> FetchRequest {
    let asked = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition]);
    FetchRequest::default().with_max_bytes(1 << 20).with_topics(vec![asked])
}

#[test]
fn fetches_that_cannot_be_served_say_why() {
    on_each_broker(|address| {
        let topic = unique("fetch");
        create_topic(address, &topic, 1);
        let mut wire = connect(address);
        let records = batch(&["a", "b", "c"], Writer::default(), Compression::None);
        assert_eq!(produce(&mut wire, 9, &topic, None, records).0, NONE);
        let at = |offset| FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
        let mut ask = |request: FetchRequest| {
            let answer = wire.call(12, &request);
            let partition = &answer.responses[0].partitions[0];
            let bytes = partition.records.as_ref().map_or(0, Bytes::len);
            (partition.error_code, partition.high_watermark, bytes > 0)
        };
        assert_eq!(ask(fetch(&topic, at(1))), (NONE, 3, true));
        assert_eq!(ask(fetch(&topic, at(3))), (NONE, 3, false));
        assert_eq!(ask(fetch(&topic, at(4))), (OFFSET_OUT_OF_RANGE, -1, false));
        assert_eq!(ask(fetch(&topic, at(0).with_partition(5))), (UNKNOWN_TOPIC_OR_PARTITION, -1, false));
        assert_eq!(ask(fetch(&topic, at(0).with_current_leader_epoch(9))), (UNKNOWN_LEADER_EPOCH, -1, false));
        let small = at(0).with_partition_max_bytes(1);
        assert_eq!(ask(fetch(&topic, small)), (NONE, 3, true), "the first batch comes at any size");
        let session = fetch(&topic, at(0)).with_session_id(12_345).with_session_epoch(3);
        assert_eq!(wire.call(12, &session).error_code, FETCH_SESSION_ID_NOT_FOUND);
        let asked = FetchTopic::default().with_topic_id(Uuid::from_u128(7)).with_partitions(vec![at(0)]);
        let by_id = FetchRequest::default().with_max_bytes(1 << 20).with_topics(vec![asked]);
        assert_eq!(wire.call(13, &by_id).responses[0].partitions[0].error_code, UNKNOWN_TOPIC_ID);
    });
}

#[test]
fn the_latest_time_is_found_in_every_codec() {
    on_each_broker(|address| {
        for codec in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            let topic = unique("latest");
            create_topic(address, &topic, 1);
            let mut wire = connect(address);
            let records = batch(&["a", "b", "c"], Writer::default(), codec);
            assert_eq!(produce(&mut wire, 9, &topic, None, records).0, NONE, "{codec:?}");
            let partition = ListOffsetsPartition::default().with_timestamp(-3);
            let asked = ListOffsetsTopic::default().with_name(topic_name(&topic)).with_partitions(vec![partition]);
            let request = ListOffsetsRequest::default().with_topics(vec![asked]);
            let answer = wire.call(7, &request);
            let found = &answer.topics[0].partitions[0];
            assert_eq!((found.error_code, found.offset), (NONE, 2), "{codec:?}");
        }
    });
}
