//! Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, DeleteRecords.

use bytes::Bytes;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    DeleteRecordsRequest, FetchRequest, ListOffsetsRequest, MetadataRequest, OffsetForLeaderEpochRequest,
    ProduceRequest,
};
use kafka_protocol::records::{Compression, RecordBatchDecoder};

use super::topic;
use crate::bench::Bench;
use crate::wire::{Writer, batch, now_ms};

/// Produces one batch to partition 0 of `t`, waiting for all acknowledgements.
pub(super) fn produce(bench: &mut Bench, version: i16, records: Bytes) -> (i16, i64) {
    let data = PartitionProduceData::default().with_index(0).with_records(Some(records));
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(1000)
        .with_topic_data(vec![TopicProduceData::default().with_name(topic("t")).with_partition_data(vec![data])]);
    let answer = bench.call(version, &request);
    let partition = &answer.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

#[test]
fn produce_and_fetch() {
    let mut bench = Bench::start();
    for version in 3..=11 {
        let expected = i64::from(version - 3) * 2;
        let records = batch(&["a", "b"], Writer::default(), Compression::Lz4);
        assert_eq!(produce(&mut bench, version, records), (0, expected), "version {version}");
        assert_eq!(produce(&mut bench, version, Bytes::from_static(b"rubbish")), (2, -1), "CORRUPT_MESSAGE");
    }
    let zstd = batch(&["z"], Writer::default(), Compression::Zstd);
    assert_eq!(produce(&mut bench, 6, zstd), (76, -1), "UNSUPPORTED_COMPRESSION_TYPE");
    let named = MetadataRequestTopic::default().with_name(Some(topic("t")));
    let metadata = bench.call(13, &MetadataRequest::default().with_topics(Some(vec![named])));
    let id = metadata.topics[0].topic_id;
    for version in 4..=18 {
        let partition = |partition, offset| {
            let asked = FetchPartition::default().with_partition(partition).with_fetch_offset(offset);
            asked.with_partition_max_bytes(1 << 20)
        };
        let asked = FetchTopic::default().with_partitions(vec![partition(0, 3), partition(1, 5), partition(9, 0)]);
        let forgotten = ForgottenTopic::default().with_partitions(vec![1]);
        let (asked, forgotten) = if version >= 13 {
            (asked.with_topic_id(id), forgotten.with_topic_id(id))
        } else {
            (asked.with_topic(topic("t")), forgotten.with_topic(topic("t")))
        };
        let request = FetchRequest::default().with_max_wait_ms(100).with_min_bytes(1).with_max_bytes(1 << 20);
        let request = request.with_isolation_level(i8::from(version % 2 == 0)).with_topics(vec![asked]);
        let request = if version >= 7 { request.with_forgotten_topics_data(vec![forgotten]) } else { request };
        let answer = bench.call(version, &request);
        let partitions = &answer.responses[0].partitions;
        let codes: Vec<i16> = partitions.iter().map(|partition| partition.error_code).collect();
        assert_eq!(codes, [0, 1, 3], "version {version}: there, out of range, unknown");
        assert_eq!(partitions[0].high_watermark, 18);
        let mut records = partitions[0].records.clone().expect("records");
        let sets = RecordBatchDecoder::decode_all(&mut records).expect("batches are whole");
        let offsets: Vec<i64> = sets.iter().flat_map(|set| &set.records).map(|record| record.offset).collect();
        assert_eq!(offsets, (2..18).collect::<Vec<_>>(), "from the batch that holds offset 3 on");
    }
}

#[test]
fn list_offsets_and_leader_epochs() {
    let mut bench = Bench::start();
    let before = now_ms() - 10;
    produce(&mut bench, 9, batch(&["a", "b", "c"], Writer::default(), Compression::Snappy));
    for version in 1..=10 {
        let find = |timestamp| {
            let partition = ListOffsetsPartition::default().with_partition_index(0).with_timestamp(timestamp);
            ListOffsetsTopic::default().with_name(topic("t")).with_partitions(vec![partition])
        };
        let asked = [-1, -2, before, now_ms() + 60_000, -3, -4, -5].map(find).to_vec();
        let answer = bench.call(version, &ListOffsetsRequest::default().with_topics(asked));
        let found: Vec<(i16, i64)> =
            answer.topics.iter().map(|t| (t.partitions[0].error_code, t.partitions[0].offset)).collect();
        assert_eq!(found[..4], [(0, 3), (0, 0), (0, 0), (0, -1)], "version {version}");
        assert_eq!(found[4], if version >= 7 { (0, 2) } else { (35, -1) });
        assert_eq!(found[5], if version >= 8 { (0, 0) } else { (35, -1) });
        assert_eq!(found[6], if version >= 9 { (0, -1) } else { (35, -1) });
    }
    for version in 2..=4 {
        let partition = OffsetForLeaderPartition::default().with_partition(0).with_leader_epoch(0);
        let asked = OffsetForLeaderTopic::default().with_topic(topic("t")).with_partitions(vec![partition]);
        let answer = bench.call(version, &OffsetForLeaderEpochRequest::default().with_topics(vec![asked]));
        assert_eq!(answer.topics[0].partitions[0].end_offset, 3);
    }
}

#[test]
fn delete_records() {
    let mut bench = Bench::start();
    produce(&mut bench, 9, batch(&["a", "b", "c"], Writer::default(), Compression::None));
    for version in 0..=2 {
        let partition = |offset| DeleteRecordsPartition::default().with_partition_index(0).with_offset(offset);
        let asked = |offset| {
            let asked = DeleteRecordsTopic::default().with_name(topic("t")).with_partitions(vec![partition(offset)]);
            DeleteRecordsRequest::default().with_topics(vec![asked])
        };
        let wanted = i64::from(version) + 1;
        let answer = bench.call(version, &asked(wanted));
        assert_eq!(answer.topics[0].partitions[0].low_watermark, wanted);
        assert_eq!(bench.call(version, &asked(99)).topics[0].partitions[0].error_code, 1, "OFFSET_OUT_OF_RANGE");
    }
}
