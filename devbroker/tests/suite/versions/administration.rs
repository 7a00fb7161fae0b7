//! CreateTopics, CreatePartitions, DescribeConfigs, DeleteTopics.

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::topic;
use crate::bench::Bench;
use crate::wire::text;

fn creatable(name: impl Into<String>, partitions: i32) -> CreatableTopic {
    let config = CreatableTopicConfig::default().with_name(text("retention.bytes")).with_value(Some(text("1000000")));
    CreatableTopic::default()
        .with_name(TopicName(StrBytes::from_string(name.into())))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
        .with_configs(vec![config])
}

#[test]
fn topics_come_grow_and_go() {
    let mut bench = Bench::start();
    for version in 2..=7 {
        let wanted = vec![
            creatable(format!("new-{version}"), 3),
            creatable("t", 3),
            creatable("zero", 0),
            creatable("copies", 1).with_replication_factor(3),
            creatable("no spaces", 1),
            creatable("odd", 1).with_configs(vec![
                CreatableTopicConfig::default().with_name(text("nonsense")).with_value(Some(text("1"))),
            ]),
        ];
        let answer = bench.call(version, &CreateTopicsRequest::default().with_topics(wanted).with_timeout_ms(1000));
        let codes: Vec<i16> = answer.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [0, 36, 37, 38, 17, 40], "version {version}");
        let told = (answer.topics[0].num_partitions, answer.topics[0].configs.as_ref().is_some_and(|c| !c.is_empty()));
        assert_eq!(told, if version >= 5 { (3, true) } else { (-1, false) });
    }
    for version in 0..=3 {
        let grown = |name, count| CreatePartitionsTopic::default().with_name(name).with_count(count);
        let wanted = vec![grown(topic("t"), 3 + i32::from(version)), grown(topic("t"), 1), grown(topic("none"), 9)];
        let answer = bench.call(version, &CreatePartitionsRequest::default().with_topics(wanted).with_timeout_ms(1000));
        let codes: Vec<i16> = answer.results.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [0, 37, 3], "version {version}");
    }
    for version in 1..=5 {
        let names = vec![TopicName(StrBytes::from_string(format!("new-{}", version + 1))), topic("none")];
        let answer = bench.call(version, &DeleteTopicsRequest::default().with_topic_names(names));
        let codes: Vec<i16> = answer.responses.iter().map(|response| response.error_code).collect();
        assert_eq!(codes, [0, 3], "version {version}");
    }
    let by_name = DeleteTopicState::default().with_name(Some(topic("t")));
    let by_id = DeleteTopicState::default().with_name(None).with_topic_id(uuid::Uuid::from_u128(9));
    let answer = bench.call(6, &DeleteTopicsRequest::default().with_topics(vec![by_name, by_id]));
    let codes: Vec<i16> = answer.responses.iter().map(|response| response.error_code).collect();
    assert_eq!(codes, [0, 100]);
}

#[test]
fn describe_configs() {
    let mut bench = Bench::start();
    for version in 1..=4 {
        let resource =
            |kind, name| DescribeConfigsResource::default().with_resource_type(kind).with_resource_name(name);
        let resources = vec![
            resource(2, text("t")).with_configuration_keys(Some(vec![text("retention.ms")])),
            resource(2, text("none")).with_configuration_keys(None),
            resource(4, text("1")).with_configuration_keys(None),
        ];
        let request = DescribeConfigsRequest::default().with_resources(resources).with_include_synonyms(true);
        let answer = bench.call(version, &request);
        let codes: Vec<i16> = answer.results.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [0, 3, 0], "version {version}");
        let retention = &answer.results[0].configs[0];
        assert_eq!((retention.name.as_str(), retention.value.as_deref()), ("retention.ms", Some("-1")));
        let timeout = answer.results[2].configs.iter().find(|row| row.name.as_str() == "transaction.max.timeout.ms");
        assert_eq!(timeout.and_then(|row| row.value.as_deref()), Some("900000"));
    }
}
