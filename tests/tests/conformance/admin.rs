//! Topics made, grown, described and deleted, and the refusals on the way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use tests::names::unique;
use tests::records::{create_topic, create_topic_with};

use crate::clients::{PATIENCE, admin, admin_options, committed, consumer, positions, wait};
use crate::on_each_broker;

const ONE: TopicReplication<'_> = TopicReplication::Fixed(1);

fn create(address: &str, topic: NewTopic<'_>) -> Result<String, RDKafkaErrorCode> {
    let made = wait(admin(address).create_topics(&[topic], &admin_options())).expect("an answer").remove(0);
    made.map_err(|(_, code)| code)
}

fn partitions(address: &str, topic: &str) -> usize {
    let metadata = consumer(address, "reader", &[]).fetch_metadata(Some(topic), PATIENCE).expect("metadata");
    metadata.topics()[0].partitions().len()
}

#[test]
fn topics_are_made_once_and_only_as_possible() {
    on_each_broker(|address| {
        let topic = unique("made");
        assert_eq!(create(address, NewTopic::new(&topic, 3, ONE)), Ok(topic.clone()));
        assert_eq!(create(address, NewTopic::new(&topic, 3, ONE)), Err(RDKafkaErrorCode::TopicAlreadyExists));
        assert_eq!(create(address, NewTopic::new("not a name", 1, ONE)), Err(RDKafkaErrorCode::InvalidTopic));
        let copies = NewTopic::new("copies", 1, TopicReplication::Fixed(3));
        assert_eq!(create(address, copies), Err(RDKafkaErrorCode::InvalidReplicationFactor));
        let odd = NewTopic::new("odd", 1, ONE).set("no.such.setting", "1");
        assert_eq!(create(address, odd), Err(RDKafkaErrorCode::InvalidConfig));
        let number = NewTopic::new("odd", 1, ONE).set("retention.ms", "soon");
        assert_eq!(create(address, number), Err(RDKafkaErrorCode::InvalidConfig));
        let counted = unique("counted");
        assert_eq!(create(address, NewTopic::new(&counted, -1, ONE)), Ok(counted.clone()));
        eventually("the broker's default of partitions", || partitions(address, &counted) == 4);
    });
}

#[test]
fn topics_grow_and_never_shrink() {
    on_each_broker(|address| {
        let topic = unique("grown");
        create_topic(address, &topic, 2);
        let grow = |topic: &str, count| {
            let grown = NewPartitions::new(topic, count);
            let answer = wait(admin(address).create_partitions(&[grown], &admin_options()));
            answer.expect("an answer").remove(0).map_err(|(_, code)| code)
        };
        assert_eq!(grow(&topic, 5), Ok(topic.clone()));
        eventually("five partitions", || partitions(address, &topic) == 5);
        assert_eq!(grow(&topic, 5), Err(RDKafkaErrorCode::InvalidPartitions));
        assert_eq!(grow(&topic, 3), Err(RDKafkaErrorCode::InvalidPartitions));
        assert_eq!(grow(&unique("none"), 3), Err(RDKafkaErrorCode::UnknownTopicOrPartition));
    });
}

#[test]
fn a_topic_keeps_its_settings() {
    on_each_broker(|address| {
        let topic = unique("set");
        create_topic_with(address, &topic, 1, &[("retention.bytes", "123456"), ("max.message.bytes", "2000")]);
        let describe = |name: &str| {
            let asked = [ResourceSpecifier::Topic(name)];
            wait(admin(address).describe_configs(&asked, &admin_options())).expect("an answer").remove(0)
        };
        let described = describe(&topic).expect("it exists");
        let values: BTreeMap<&str, Option<&str>> =
            described.entries.iter().map(|entry| (entry.name.as_str(), entry.value.as_deref())).collect();
        let expected = [("retention.bytes", "123456"), ("max.message.bytes", "2000"), ("cleanup.policy", "delete")];
        for (name, value) in expected {
            assert_eq!(values.get(name), Some(&Some(value)), "{name}");
        }
        assert!(describe(&unique("none")).is_ok_and(|described| described.entries.is_empty()));
        let producer = crate::clients::producer(address, &[]);
        let send = |bytes: usize| crate::clients::send(&producer, &topic, 0, &["x".repeat(bytes)]);
        assert_eq!(send(1000), [Ok((0, 0))]);
        assert_eq!(send(3000), [Err(RDKafkaErrorCode::MessageSizeTooLarge)]);
    });
}

#[test]
fn a_deleted_topic_takes_its_offsets_along() {
    on_each_broker(|address| {
        let (topic, group) = (unique("deleted"), unique("group"));
        create_topic(address, &topic, 1);
        let reader = consumer(address, &group, &[]);
        // The coordinator may hear of the topic after the answer that it is made.
        eventually("the group commits", || reader.commit(&positions(&topic, &[(0, 5)]), CommitMode::Sync).is_ok());
        let delete = || {
            let answer = wait(admin(address).delete_topics(&[&topic], &admin_options()));
            answer.expect("an answer").remove(0).map_err(|(_, code)| code)
        };
        assert_eq!(delete(), Ok(topic.clone()));
        assert_eq!(delete(), Err(RDKafkaErrorCode::UnknownTopicOrPartition));
        create_topic(address, &topic, 1);
        eventually("no offset for a new topic of the same name", || committed(&reader, &topic, 0).is_none());
    });
}

/// Waits for what a broker of several parts takes a moment to tell.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in {PATIENCE:?} not: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
