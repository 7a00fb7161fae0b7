//! Sequences, epochs and the states of a transaction.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest, ProduceRequest,
    ProducerId, TransactionalId, TxnOffsetCommitRequest,
};
use kafka_protocol::records::Compression;
use tests::names::unique;
use tests::records::create_topic;

use super::*;
use crate::on_each_broker;
use crate::wire::{Writer, batch};

fn written_by(producer: Identity, sequence: i32, transactional: bool) -> Bytes {
    let writer = Writer { producer_id: producer.id, epoch: producer.epoch, sequence, transactional };
    batch(&["a", "b"], writer, Compression::None)
}

#[test]
fn sequences_are_checked_and_duplicates_acknowledged() {
    on_each_broker(|address| {
        let topic = unique("sequence");
        create_topic(address, &topic, 1);
        let mut wire = connect(address);
        let first = init_producer(&mut wire, None);
        let mut write = |producer, sequence| produce(&mut wire, 9, &topic, None, written_by(producer, sequence, false));
        assert_eq!(write(first, 0), (NONE, 0));
        assert_eq!(write(first, 0), (NONE, 0), "the same again is acknowledged, not appended");
        assert_eq!(write(first, 2), (NONE, 2));
        assert_eq!(write(first, 9), (OUT_OF_ORDER_SEQUENCE_NUMBER, -1));
        assert_eq!(write(first, 0), (NONE, 0), "an older one of the last five too");
        let next = Identity { epoch: first.epoch + 1, ..first };
        assert_eq!(write(next, 5), (OUT_OF_ORDER_SEQUENCE_NUMBER, -1), "a new epoch begins at 0");
        assert_eq!(write(next, 0), (NONE, 4));
        assert_eq!(write(first, 4), (INVALID_PRODUCER_EPOCH, -1));
        for step in 1..=5 {
            assert_eq!(write(next, step * 2), (NONE, 4 + i64::from(step) * 2));
        }
        assert_eq!(write(next, 0).0, OUT_OF_ORDER_SEQUENCE_NUMBER, "too old to be remembered");
    });
}

#[test]
fn batches_that_are_wrong_are_refused() {
    on_each_broker(|address| {
        let topic = unique("wrong");
        create_topic(address, &topic, 1);
        let mut wire = connect(address);
        let good = batch(&["a", "b"], Writer::default(), Compression::None);
        let bent = |at: usize, value: u8| {
            let mut bent = BytesMut::from(&good[..]);
            bent[at] = value;
            bent.freeze()
        };
        let with_checksum = |at: usize, value: u8| {
            let mut bent = BytesMut::from(&bent(at, value)[..]);
            let checksum = crc32c(&bent[21..]);
            bent[17..21].copy_from_slice(&checksum.to_be_bytes());
            bent.freeze()
        };
        let mut write = |records: Bytes| produce(&mut wire, 9, &topic, None, records).0;
        assert_eq!(write(bent(good.len() - 1, 0xff)), CORRUPT_MESSAGE, "checksum");
        assert_eq!(write([&good[..], &good[..]].concat().into()), INVALID_RECORD, "two batches");
        assert_eq!(write(Bytes::new()), INVALID_RECORD, "no batch");
        assert_eq!(write(with_checksum(60, 3)), INVALID_RECORD, "a count that does not fit the offsets");
        assert_eq!(write(with_checksum(22, 0x20)), INVALID_RECORD, "a control batch");
        assert_eq!(write(good.clone()), NONE);
        let acks = ProduceRequest::default().with_acks(5);
        let data = PartitionProduceData::default().with_records(Some(good.clone()));
        let data = TopicProduceData::default().with_name(topic_name(&topic)).with_partition_data(vec![data]);
        let answer = wire.call(9, &acks.with_topic_data(vec![data]));
        assert_eq!(answer.responses[0].partition_responses[0].error_code, INVALID_REQUIRED_ACKS);
    });
}

/// CRC-32C bit by bit: slow, short and independent of the broker's.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}

/// A transactional id with the identity that holds it.
struct Owner {
    id: String,
    producer: Identity,
}

impl Owner {
    fn init(wire: &mut Wire) -> Self {
        find_coordinator(wire, 1);
        let id = unique("x");
        let producer = init_producer(wire, Some(&id));
        Self { id, producer }
    }

    fn transactional_id(&self) -> TransactionalId {
        TransactionalId(text(&self.id))
    }

    /// Error codes in order of the partitions; brokers answer in any order.
    fn add(&self, wire: &mut Wire, as_if: Identity, topic: &str, partitions: &[i32]) -> Vec<i16> {
        let topic =
            AddPartitionsToTxnTopic::default().with_name(topic_name(topic)).with_partitions(partitions.to_vec());
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(self.transactional_id())
            .with_v3_and_below_producer_id(ProducerId(as_if.id))
            .with_v3_and_below_producer_epoch(as_if.epoch)
            .with_v3_and_below_topics(vec![topic]);
        let (_, codes) = settled(|| {
            let answer = wire.call(3, &request);
            let results = &answer.results_by_topic_v3_and_below[0].results_by_partition;
            let codes: BTreeMap<i32, i16> =
                results.iter().map(|result| (result.partition_index, result.partition_error_code)).collect();
            let codes: Vec<i16> = codes.into_values().collect();
            (codes[0], codes)
        });
        codes
    }

    fn end(&self, wire: &mut Wire, as_if: Identity, commit: bool) -> i16 {
        let request = EndTxnRequest::default()
            .with_transactional_id(self.transactional_id())
            .with_producer_id(ProducerId(as_if.id))
            .with_producer_epoch(as_if.epoch)
            .with_committed(commit);
        settled(|| (wire.call(3, &request).error_code, ())).0
    }
}

#[test]
fn a_transaction_goes_through_its_states_only() {
    on_each_broker(|address| {
        let topic = unique("states");
        create_topic(address, &topic, 2);
        let mut wire = connect(address);
        let owner = Owner::init(&mut wire);
        let producer = owner.producer;
        assert_eq!(owner.end(&mut wire, producer, true), INVALID_TXN_STATE, "nothing was begun");
        let alien = Identity { id: producer.id + 1_000_000, ..producer };
        let newer = Identity { epoch: producer.epoch + 1, ..producer };
        assert_eq!(owner.add(&mut wire, alien, &topic, &[0]), [INVALID_PRODUCER_ID_MAPPING]);
        assert_eq!(owner.add(&mut wire, newer, &topic, &[0]), [PRODUCER_FENCED]);
        let missing = owner.add(&mut wire, producer, &topic, &[0, 7]);
        assert_eq!(missing, [OPERATION_NOT_ATTEMPTED, UNKNOWN_TOPIC_OR_PARTITION]);
        for (commit, other) in [(true, false), (false, true)] {
            assert_eq!(owner.add(&mut wire, producer, &topic, &[0, 1]), [NONE, NONE]);
            assert_eq!(owner.end(&mut wire, alien, commit), INVALID_PRODUCER_ID_MAPPING);
            assert_eq!(owner.end(&mut wire, newer, commit), PRODUCER_FENCED);
            assert_eq!(owner.end(&mut wire, producer, commit), NONE);
            assert_eq!(owner.end(&mut wire, producer, commit), NONE, "asking again is harmless");
            assert_eq!(owner.end(&mut wire, producer, other), INVALID_TXN_STATE);
        }
    });
}

#[test]
fn records_belong_to_a_partition_of_the_transaction() {
    on_each_broker(|address| {
        let topic = unique("partition");
        create_topic(address, &topic, 1);
        let mut wire = connect(address);
        let owner = Owner::init(&mut wire);
        let producer = owner.producer;
        let id = Some(owner.id.as_str());
        let outside = |wire: &mut Wire, version| produce(wire, version, &topic, id, written_by(producer, 0, true)).0;
        assert_eq!(outside(&mut wire, 9), INVALID_TXN_STATE);
        assert_eq!(outside(&mut wire, 11), TRANSACTION_ABORTABLE);
        assert_eq!(owner.add(&mut wire, producer, &topic, &[0]), [NONE]);
        assert_eq!(outside(&mut wire, 9), NONE, "now it is inside");
        assert_eq!(owner.end(&mut wire, producer, true), NONE);
    });
}

#[test]
fn a_successor_fences_by_its_epoch() {
    on_each_broker(|address| {
        let topic = unique("epoch");
        create_topic(address, &topic, 1);
        let mut wire = connect(address);
        let owner = Owner::init(&mut wire);
        let old = owner.producer;
        assert_eq!(owner.add(&mut wire, old, &topic, &[0]), [NONE]);
        assert_eq!(produce(&mut wire, 9, &topic, Some(&owner.id), written_by(old, 0, true)), (NONE, 0));
        let heir = init_producer(&mut wire, Some(&owner.id));
        assert!(heir.id == old.id && heir.epoch > old.epoch, "{heir:?} after {old:?}");
        assert_eq!(owner.add(&mut wire, old, &topic, &[0]), [PRODUCER_FENCED]);
        assert_eq!(owner.end(&mut wire, old, true), PRODUCER_FENCED);
        let zombie = produce(&mut wire, 9, &topic, Some(&owner.id), written_by(old, 2, true));
        assert_eq!(zombie, (INVALID_PRODUCER_EPOCH, -1));
        assert_eq!(owner.add(&mut wire, heir, &topic, &[0]), [NONE]);
        let (code, offset) = produce(&mut wire, 9, &topic, Some(&owner.id), written_by(heir, 0, true));
        assert_eq!((code, offset), (NONE, 3), "two records and the marker of the abort");
        assert_eq!(owner.end(&mut wire, heir, true), NONE);
    });
}

#[test]
fn taking_an_id_over_has_its_conditions() {
    on_each_broker(|address| {
        let mut wire = connect(address);
        let owner = Owner::init(&mut wire);
        let mut init = |id: &str, timeout_ms, known: Option<Identity>| {
            let request = InitProducerIdRequest::default()
                .with_transactional_id(Some(TransactionalId(text(id))))
                .with_transaction_timeout_ms(timeout_ms);
            let request = match known {
                Some(known) => request.with_producer_id(ProducerId(known.id)).with_producer_epoch(known.epoch),
                None => request,
            };
            let (code, answer) = settled(|| {
                let answer = wire.call(4, &request);
                (answer.error_code, answer)
            });
            (code, Identity { id: answer.producer_id.0, epoch: answer.producer_epoch })
        };
        let nobody = Identity { id: -1, epoch: -1 };
        assert_eq!(init("", 1000, None), (INVALID_REQUEST, nobody));
        assert_eq!(init(&owner.id, 900_001, None), (INVALID_TRANSACTION_TIMEOUT, nobody));
        assert_eq!(init(&owner.id, 0, None), (INVALID_TRANSACTION_TIMEOUT, nobody));
        let first = owner.producer;
        let second = Identity { epoch: first.epoch + 1, ..first };
        assert_eq!(init(&owner.id, 1000, Some(first)), (NONE, second), "the owner may raise its own epoch");
        assert_eq!(init(&owner.id, 1000, Some(first)), (NONE, second), "and ask again, had the answer been lost");
        let third = Identity { epoch: first.epoch + 2, ..first };
        assert_eq!(init(&owner.id, 1000, None), (NONE, third), "anybody may take it over");
        assert_eq!(init(&owner.id, 1000, Some(second)), (PRODUCER_FENCED, nobody), "but not one that was fenced");
    });
}

#[test]
fn offsets_belong_to_a_group_of_the_transaction() {
    on_each_broker(|address| {
        let (topic, group) = (unique("in"), unique("group"));
        create_topic(address, &topic, 1);
        let mut wire = connect(address);
        find_coordinator(&mut wire, 0);
        let owner = Owner::init(&mut wire);
        let commit = |wire: &mut Wire, version, producer: Identity, generation| {
            let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(5);
            let asked =
                TxnOffsetCommitRequestTopic::default().with_name(topic_name(&topic)).with_partitions(vec![partition]);
            let request = TxnOffsetCommitRequest::default()
                .with_transactional_id(owner.transactional_id())
                .with_group_id(group_id(&group))
                .with_producer_id(ProducerId(producer.id))
                .with_producer_epoch(producer.epoch)
                .with_generation_id(generation)
                .with_topics(vec![asked]);
            settled(|| (wire.call(version, &request).topics[0].partitions[0].error_code, ())).0
        };
        let producer = owner.producer;
        assert_eq!(commit(&mut wire, 3, producer, -1), INVALID_TXN_STATE);
        assert_eq!(commit(&mut wire, 4, producer, -1), TRANSACTION_ABORTABLE);
        let added = AddOffsetsToTxnRequest::default()
            .with_transactional_id(owner.transactional_id())
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch)
            .with_group_id(group_id(&group));
        assert_eq!(settled(|| (wire.call(3, &added).error_code, ())).0, NONE);
        assert_eq!(commit(&mut wire, 3, producer, 4), ILLEGAL_GENERATION, "there is no such generation");
        assert_eq!(commit(&mut wire, 3, producer, -1), NONE, "outside of any membership");
        let newer = Identity { epoch: producer.epoch + 1, ..producer };
        assert!(commit(&mut wire, 3, newer, -1) != NONE, "another's epoch");
        assert_eq!(owner.end(&mut wire, producer, true), NONE);
    });
}
