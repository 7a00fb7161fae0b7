//! InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit, EndTxn.

use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest, InitProducerIdResponse,
    ProducerId, TransactionalId, TxnOffsetCommitRequest,
};

use super::{group, topic};
use crate::bench::Bench;
use crate::wire::text;

fn id() -> TransactionalId {
    TransactionalId(text("x"))
}

fn init(bench: &mut Bench, version: i16) -> InitProducerIdResponse {
    let request =
        InitProducerIdRequest::default().with_transactional_id(Some(id())).with_transaction_timeout_ms(10_000);
    let answer = bench.call(version, &request);
    assert_eq!(answer.error_code, 0);
    answer
}

fn add_partitions(producer: &InitProducerIdResponse, epoch: i16) -> AddPartitionsToTxnRequest {
    let topic = AddPartitionsToTxnTopic::default().with_name(topic("t")).with_partitions(vec![0, 1]);
    AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(id())
        .with_v3_and_below_producer_id(producer.producer_id)
        .with_v3_and_below_producer_epoch(epoch)
        .with_v3_and_below_topics(vec![topic])
}

#[test]
fn a_whole_transaction() {
    let mut bench = Bench::start();
    for version in 0..=5 {
        let producer = init(&mut bench, version);
        let (producer_id, epoch) = (producer.producer_id, producer.producer_epoch);
        let added = bench.call(version.min(3), &add_partitions(&producer, epoch));
        let codes = added.results_by_topic_v3_and_below[0].results_by_partition.iter();
        assert!(codes.map(|result| result.partition_error_code).eq([0, 0]), "version {version}");
        let offsets = AddOffsetsToTxnRequest::default()
            .with_transactional_id(id())
            .with_producer_id(producer_id)
            .with_producer_epoch(epoch)
            .with_group_id(group("g"));
        assert_eq!(bench.call(version.min(4), &offsets).error_code, 0);
        let partition = TxnOffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(5);
        let commit = TxnOffsetCommitRequest::default()
            .with_transactional_id(id())
            .with_group_id(group("g"))
            .with_producer_id(producer_id)
            .with_producer_epoch(epoch)
            .with_topics(vec![
                TxnOffsetCommitRequestTopic::default().with_name(topic("t")).with_partitions(vec![partition]),
            ]);
        let committed = bench.call(version.min(4), &commit);
        assert_eq!(committed.topics[0].partitions[0].error_code, 0, "version {version}");
        let end = EndTxnRequest::default()
            .with_transactional_id(id())
            .with_producer_id(producer_id)
            .with_producer_epoch(epoch)
            .with_committed(true);
        assert_eq!(bench.call(version.min(4), &end).error_code, 0);
        assert_eq!(bench.call(version.min(4), &end).error_code, 0, "asking again is harmless");
        let abort = end.with_committed(false);
        assert_eq!(bench.call(version.min(4), &abort).error_code, 48, "INVALID_TXN_STATE");
    }
}

#[test]
fn a_fenced_producer_is_told_so_in_the_words_of_its_version() {
    let mut bench = Bench::start();
    init(&mut bench, 4);
    let producer = init(&mut bench, 4);
    for version in 0..=3 {
        let old = bench.call(version, &add_partitions(&producer, producer.producer_epoch - 1));
        let code = old.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code;
        assert_eq!(code, if version < 2 { 47 } else { 90 });
    }
    for version in 3..=5 {
        let old = InitProducerIdRequest::default()
            .with_transactional_id(Some(id()))
            .with_transaction_timeout_ms(10_000)
            .with_producer_id(ProducerId(producer.producer_id.0 + 7))
            .with_producer_epoch(0);
        assert_eq!(bench.call(version, &old).error_code, if version < 4 { 47 } else { 90 });
    }
}
