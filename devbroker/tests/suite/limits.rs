//! What clients can make grow is bounded: partitions let go of old batches, too many members or groups are refused.

use bytes::Bytes;
use devbroker::{Broker, Config, Limits, StartError, TopicSpec};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    FetchRequest, GroupId, JoinGroupRequest, ListOffsetsRequest, ProduceRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::Compression;

use crate::wire::{Wire, Writer, batch, text};

#[test]
fn addresses_off_this_machine_need_a_word() {
    let listen = ([0, 0, 0, 0], 0).into();
    let refused = Broker::start_blocking(Config { listen, ..Config::default() });
    assert!(matches!(refused, Err(StartError::NotLoopback(_))));
}

#[test]
fn retention_moves_the_start_and_old_offsets_are_out_of_range() {
    let topics = vec![TopicSpec::new("t", 1)];
    let config = Config { topics, partition_bytes_max: 2_000, ..Config::default() };
    let broker = Broker::start_blocking(config).expect("the broker starts");
    let mut wire = Wire::connect(broker.address());
    let records = batch(&["0123456789012345678901234567890123456789"], Writer::default(), Compression::None);
    for expected in 0..100 {
        assert_eq!(produce(&mut wire, records.clone()), expected);
    }
    let start = earliest(&mut wire);
    let kept = (100 - start) * i64::try_from(records.len()).expect("small");
    assert!((1_000..=2_000).contains(&kept), "{kept} bytes kept");
    assert_eq!(fetch(&mut wire, start - 1), (1, 0), "OFFSET_OUT_OF_RANGE before the start");
    assert_eq!(fetch(&mut wire, start).0, 0);
    assert_eq!(fetch(&mut wire, 100), (0, 0), "nothing new at the end");
    assert_eq!(fetch(&mut wire, 101), (1, 0), "OFFSET_OUT_OF_RANGE past the end");
}

#[test]
fn members_and_groups_are_counted() {
    let limits = Limits { groups: 2, group_members: 1, ..Limits::default() };
    let broker = Broker::start_blocking(Config { limits, ..Config::default() }).expect("the broker starts");
    let mut wire = Wire::connect(broker.address());
    let mut join = |group: String, instance: &'static str| {
        let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
        let request = JoinGroupRequest::default()
            .with_group_id(GroupId(StrBytes::from_string(group)))
            .with_group_instance_id(Some(text(instance)))
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(10_000)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        wire.call(7, &request).error_code
    };
    assert_eq!(join("a".to_owned(), "one"), 0);
    assert_eq!(join("a".to_owned(), "two"), 81, "GROUP_MAX_SIZE_REACHED: a member too many");
    assert_eq!(join("b".to_owned(), "one"), 0);
    assert_eq!(join("c".to_owned(), "one"), 81, "a group too many");
}

#[test]
fn connections_are_counted() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let broker = Broker::start_blocking(Config { limits, ..Config::default() }).expect("the broker starts");
    let request = kafka_protocol::messages::ApiVersionsRequest::default();
    let mut kept: Vec<Wire> = (0..2).map(|_| Wire::connect(broker.address())).collect();
    assert!(kept.iter_mut().all(|wire| wire.try_call(3, &request).is_some()));
    assert!(Wire::connect(broker.address()).try_call(3, &request).is_none(), "a connection too many was served");
    drop(kept.pop());
    let freed = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        Wire::connect(broker.address()).try_call(3, &request).is_some()
    });
    assert!(freed, "the place of a closed connection is free again");
}

fn produce(wire: &mut Wire, records: Bytes) -> i64 {
    let data = PartitionProduceData::default().with_records(Some(records));
    let data = TopicProduceData::default().with_name(TopicName(text("t"))).with_partition_data(vec![data]);
    let answer = wire.call(9, &ProduceRequest::default().with_acks(1).with_topic_data(vec![data]));
    answer.responses[0].partition_responses[0].base_offset
}

fn earliest(wire: &mut Wire) -> i64 {
    let partition = ListOffsetsPartition::default().with_timestamp(-2);
    let asked = ListOffsetsTopic::default().with_name(TopicName(text("t"))).with_partitions(vec![partition]);
    wire.call(4, &ListOffsetsRequest::default().with_topics(vec![asked])).topics[0].partitions[0].offset
}

/// Error code and bytes.
fn fetch(wire: &mut Wire, offset: i64) -> (i16, usize) {
    let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
    let asked = FetchTopic::default().with_topic(TopicName(text("t"))).with_partitions(vec![partition]);
    let answer = wire.call(12, &FetchRequest::default().with_max_bytes(1 << 20).with_topics(vec![asked]));
    let partition = &answer.responses[0].partitions[0];
    (partition.error_code, partition.records.as_ref().map_or(0, Bytes::len))
}
