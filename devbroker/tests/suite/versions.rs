//! Every version that `ApiVersions` names is asked with filled requests: decoded, handled, encoded, and each refusal too.

mod administration;
mod groups;
mod records;
mod transactions;

use devbroker::ApiKey;
use kafka_protocol::messages::{ApiVersionsRequest, FindCoordinatorRequest, GroupId, MetadataRequest, TopicName};
use kafka_protocol::messages::{DescribeClusterRequest, metadata_request::MetadataRequestTopic};
use uuid::Uuid;

use crate::bench::Bench;
use crate::wire::{encoded, text};

#[test]
fn api_versions() {
    let mut bench = Bench::start();
    for version in 0..=4 {
        let answer = bench.call(version, &ApiVersionsRequest::default());
        let produce =
            answer.api_keys.iter().find(|row| row.api_key == ApiKey::Produce as i16).expect("Produce is there");
        assert_eq!((answer.error_code, produce.min_version, produce.max_version), (0, 0, 11));
        assert!(answer.api_keys.iter().all(|row| row.min_version <= row.max_version));
    }
}

#[test]
fn api_versions_from_the_future_get_the_table_in_its_oldest_form() {
    let mut bench = Bench::start();
    let mut frame = encoded(4, &ApiVersionsRequest::default()).to_vec();
    frame[3] = 99;
    bench.wire.send(&frame);
    let answer = bench.wire.receive().expect("an answer");
    assert_eq!(answer[4..6], 35_i16.to_be_bytes(), "UNSUPPORTED_VERSION");
    // The connection is still good.
    bench.call(4, &ApiVersionsRequest::default());
}

#[test]
fn versions_not_in_the_table_close_the_connection() {
    let mut bench = Bench::start();
    let table = bench.call(4, &ApiVersionsRequest::default()).api_keys;
    assert_eq!(table.len(), 27);
    for row in table.iter().filter(|row| row.api_key != ApiKey::ApiVersions as i16) {
        let mut wire = crate::wire::Wire::connect(bench.broker.address());
        let mut frame = encoded(0, &MetadataRequest::default()).to_vec();
        frame[..2].copy_from_slice(&row.api_key.to_be_bytes());
        frame[2..4].copy_from_slice(&(row.max_version + 1).to_be_bytes());
        wire.send(&frame);
        assert!(wire.receive().is_none(), "api {} answered a version too many", row.api_key);
    }
}

#[test]
fn metadata() {
    let mut bench = Bench::start();
    let named = |name| MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
    for version in 0..=13 {
        let asked = MetadataRequest::default()
            .with_topics(Some(vec![named("t"), named("not there"), named("none")]))
            .with_allow_auto_topic_creation(version < 4);
        let answer = bench.call(version, &asked);
        let codes: Vec<i16> = answer.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!((&codes[..2], answer.topics[0].partitions.len()), (&[0, 17][..], 2), "version {version}");
        assert_eq!((answer.brokers.len(), answer.brokers[0].port), (1, i32::from(bench.broker.address().port())));
        let all = if version == 0 { Some(Vec::new()) } else { None };
        assert!(!bench.call(version, &MetadataRequest::default().with_topics(all)).topics.is_empty());
    }
    let id = bench.call(13, &MetadataRequest::default().with_topics(Some(vec![named("t")]))).topics[0].topic_id;
    for version in 12..=13 {
        let by_id = |id| MetadataRequestTopic::default().with_name(None).with_topic_id(id);
        let asked = MetadataRequest::default().with_topics(Some(vec![by_id(id), by_id(Uuid::from_u128(1))]));
        let answer = bench.call(version, &asked);
        assert_eq!(answer.topics[0].name.as_ref().map(|name| name.to_string()).as_deref(), Some("t"));
        assert_eq!((answer.topics[1].error_code, &answer.topics[1].name), (100, &None));
    }
}

#[test]
fn find_coordinator_and_describe_cluster() {
    let mut bench = Bench::start();
    let port = i32::from(bench.broker.address().port());
    for version in 0..=3 {
        let asked = FindCoordinatorRequest::default().with_key(text("g")).with_key_type(i8::from(version > 0));
        let answer = bench.call(version, &asked);
        assert_eq!((answer.error_code, answer.port), (0, port));
    }
    for version in 4..=5 {
        let asked = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g"), text("h")]);
        let ports: Vec<i32> = bench.call(version, &asked).coordinators.iter().map(|found| found.port).collect();
        assert_eq!(ports, [port, port]);
    }
    for version in 0..=2 {
        let answer = bench.call(version, &DescribeClusterRequest::default());
        assert_eq!((answer.error_code, answer.brokers.len()), (0, 1));
    }
}

/// A group's id, as requests want it.
fn group(name: &'static str) -> GroupId {
    GroupId(text(name))
}

/// A topic's name, as requests want it.
fn topic(name: &'static str) -> TopicName {
    TopicName(text(name))
}
