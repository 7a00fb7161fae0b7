//! Rubbish on one connection ends that connection and nothing else.

use bytes::{BufMut, BytesMut};
use devbroker::{Broker, Config, TopicSpec};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiVersionsRequest, FetchRequest, GroupId, InitProducerIdRequest, JoinGroupRequest, MetadataRequest,
    ProduceRequest, TopicName,
};
use kafka_protocol::records::Compression;
use proptest::prelude::*;

use crate::wire::{Wire, Writer, batch, encoded, text};

fn broker() -> Broker {
    let config = Config { topics: vec![TopicSpec::new("t", 1)], ..Config::default() };
    Broker::start_blocking(config).expect("the broker starts")
}

fn still_answers(broker: &Broker) {
    assert_eq!(Wire::connect(broker.address()).call(3, &ApiVersionsRequest::default()).error_code, 0);
}

/// Sends bytes, then end of file, and waits until the broker has closed; it may answer before that.
fn pour(broker: &Broker, bytes: &[u8]) {
    let mut wire = Wire::connect(broker.address());
    wire.send_raw(bytes);
    wire.finish();
    while wire.receive().is_some() {}
}

/// Valid requests to cut and bend.
fn samples() -> Vec<Vec<u8>> {
    let data =
        PartitionProduceData::default().with_records(Some(batch(&["a", "b"], Writer::default(), Compression::Gzip)));
    let data = TopicProduceData::default().with_name(TopicName(text("t"))).with_partition_data(vec![data]);
    let produce = ProduceRequest::default().with_acks(1).with_topic_data(vec![data]);
    let partition = FetchPartition::default().with_partition_max_bytes(1000);
    let asked = FetchTopic::default().with_topic(TopicName(text("t"))).with_partitions(vec![partition]);
    let fetch = FetchRequest::default().with_max_bytes(1000).with_topics(vec![asked]);
    let join = JoinGroupRequest::default()
        .with_group_id(GroupId(text("g")))
        .with_session_timeout_ms(1000) // below the minimum: refused at once, never waits
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![JoinGroupRequestProtocol::default().with_name(text("range"))]);
    [
        encoded(9, &produce),
        encoded(3, &produce),
        encoded(12, &fetch),
        encoded(4, &fetch),
        encoded(9, &join),
        encoded(5, &join),
        encoded(12, &MetadataRequest::default()),
        encoded(4, &InitProducerIdRequest::default()),
    ]
    .iter()
    .map(|sample| sample.to_vec())
    .collect()
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    out.put_u32(u32::try_from(body.len()).expect("small"));
    out.put_slice(body);
    out.to_vec()
}

#[test]
fn rubbish_ends_its_own_connection_only() {
    let broker = broker();
    let mut bystander = Wire::connect(broker.address());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 300, ..ProptestConfig::default() });
    runner
        .run(&prop::collection::vec(any::<u8>(), 0..200), |bytes| {
            pour(&broker, &bytes);
            pour(&broker, &framed(&bytes));
            Ok(())
        })
        .expect("random bytes");
    // A known api and version in front, rubbish behind: this gets past the first checks.
    let behind = (0..40_i16, 0..14_i16, prop::collection::vec(any::<u8>(), 0..100));
    runner
        .run(&behind, |(api, version, rest)| {
            let mut body = api.to_be_bytes().to_vec();
            body.extend(version.to_be_bytes());
            body.extend([0, 0, 0, 7, 0xff, 0xff]);
            body.extend(rest);
            pour(&broker, &framed(&body));
            Ok(())
        })
        .expect("random bodies");
    assert_eq!(bystander.call(3, &ApiVersionsRequest::default()).error_code, 0);
}

#[test]
fn cut_and_bent_requests_end_their_own_connection_only() {
    let broker = broker();
    for sample in samples() {
        for length in 0..sample.len() {
            pour(&broker, &framed(&sample[..length]));
        }
        pour(&broker, &framed(&sample)[..sample.len()]);
    }
    let samples = samples();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 500, ..ProptestConfig::default() });
    let bend = (0..samples.len(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4));
    runner
        .run(&bend, |(sample, changes)| {
            let mut body = samples[sample].clone();
            for (at, value) in changes {
                let at = at.index(body.len());
                body[at] = value;
            }
            pour(&broker, &framed(&body));
            Ok(())
        })
        .expect("bent requests");
    still_answers(&broker);
}

#[test]
fn counts_that_promise_more_than_the_bytes_hold_are_refused() {
    let broker = broker();
    let mut body = BytesMut::from(&encoded(1, &MetadataRequest::default().with_topics(None))[..]);
    let at = body.len() - 4;
    for count in [i32::MAX, 2, -2, i32::MIN, 1_000_000] {
        body[at..].copy_from_slice(&count.to_be_bytes());
        let mut wire = Wire::connect(broker.address());
        wire.send(&body);
        assert!(wire.receive().is_none(), "a count of {count} with nothing behind it was answered");
    }
    still_answers(&broker);
}

#[test]
fn a_length_beyond_the_limit_closes_at_once() {
    let broker = broker();
    for length in [u32::MAX, 0x7fff_ffff, 33 * 1024 * 1024] {
        let mut wire = Wire::connect(broker.address());
        wire.send_raw(&length.to_be_bytes());
        assert!(wire.receive().is_none(), "a frame of {length} bytes was waited for");
    }
    still_answers(&broker);
}
