//! Who and where the broker is: Metadata, FindCoordinator, DescribeCluster.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse, FindCoordinatorRequest, FindCoordinatorResponse,
    MetadataRequest, MetadataResponse, TopicName,
};
use uuid::Uuid;

use super::{Call, Handle, Reply, text};
use crate::config::TopicSpec;
use crate::log::LEADER_EPOCH;
use crate::rights::{Resource, Right};
use crate::state::{Shared, State};
use crate::topics::{Topic, check_name};

/// The one broker's id.
pub(super) const NODE: BrokerId = BrokerId(1);
const CLUSTER_ID: &str = "devbroker-in-memory---";
/// Coordinator types that FindCoordinator knows: a group's and a transaction's.
const KEY_TYPES: std::ops::RangeInclusive<i8> = 0..=1;

impl Handle for MetadataRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<MetadataResponse> {
        let (host, port) = address(call.shared);
        let broker = MetadataResponseBroker::default().with_node_id(NODE).with_host(text(host)).with_port(port);
        let topics = call.shared.with(|state, _| match &self.topics {
            None => all_topics(state, call.version),
            Some(asked) if asked.is_empty() && call.version == 0 => all_topics(state, call.version),
            Some(asked) => {
                let create = self.allow_auto_topic_creation && call.shared.config.auto_create_topics;
                asked.iter().map(|topic| one_topic(state, topic, create, call.version)).collect()
            }
        });
        Reply::Answer(
            MetadataResponse::default()
                .with_brokers(vec![broker])
                .with_cluster_id((call.version >= 2).then(|| text(CLUSTER_ID)))
                .with_controller_id(if call.version >= 1 { NODE } else { MetadataResponse::default().controller_id })
                .with_topics(topics),
        )
    }

    fn refuse(&self, code: i16) -> MetadataResponse {
        let refused = |topic: &MetadataRequestTopic| {
            MetadataResponseTopic::default()
                .with_error_code(code)
                .with_name(Some(topic.name.clone().unwrap_or_default()))
                .with_topic_id(topic.topic_id)
        };
        MetadataResponse::default().with_topics(self.topics.iter().flatten().map(refused).collect())
    }
}

fn all_topics(state: &State, version: i16) -> Vec<MetadataResponseTopic> {
    state.topics.iter().map(|(name, topic)| described(name, topic, version)).collect()
}

fn one_topic(state: &mut State, asked: &MetadataRequestTopic, create: bool, version: i16) -> MetadataResponseTopic {
    let refused = |code: ResponseError| MetadataResponseTopic::default().with_error_code(code.code());
    let Some(name) = asked.name.as_ref().map(|name| name.0.to_string()) else {
        let name = state.topics.name_of(&asked.topic_id).map(str::to_owned);
        let found = name.and_then(|name| state.topics.get(&name).map(|topic| described(&name, topic, version)));
        // Only from version 12 on may the answer leave the name out.
        let nameless = (version < 12).then(TopicName::default);
        return found.unwrap_or_else(|| {
            refused(ResponseError::UnknownTopicId).with_topic_id(asked.topic_id).with_name(nameless)
        });
    };
    if let Err(code) = state.rights.check(Resource::Topic, &name, Right::Describe) {
        return refused(code).with_name(asked.name.clone());
    }
    if create && state.topics.get(&name).is_none() {
        // What goes wrong here is told below: the topic does not exist.
        if let Err(error) = state.topics.create(&TopicSpec::new(name.clone(), -1), false) {
            tracing::debug!(topic = name, reason = error.message, "did not create a topic on demand");
        }
    }
    match state.topics.get(&name) {
        Some(topic) => described(&name, topic, version),
        None if check_name(&name).is_err() => {
            refused(ResponseError::InvalidTopicException).with_name(asked.name.clone())
        }
        None => refused(ResponseError::UnknownTopicOrPartition).with_name(asked.name.clone()),
    }
}

fn described(name: &str, topic: &Topic, version: i16) -> MetadataResponseTopic {
    let partition = |index| {
        let partition = MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(NODE)
            .with_replica_nodes(vec![NODE])
            .with_isr_nodes(vec![NODE]);
        if version >= 7 { partition.with_leader_epoch(LEADER_EPOCH) } else { partition }
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(text(name))))
        .with_topic_id(if version >= 10 { topic.id } else { Uuid::nil() })
        .with_partitions((0..topic.partition_count()).map(partition).collect())
}

impl Handle for FindCoordinatorRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<FindCoordinatorResponse> {
        if !KEY_TYPES.contains(&self.key_type) {
            return Reply::Answer(self.refuse(ResponseError::InvalidRequest.code()));
        }
        let (host, port) = address(call.shared);
        let host = text(host);
        if call.version < 4 {
            let response = FindCoordinatorResponse::default().with_node_id(NODE).with_host(host).with_port(port);
            return Reply::Answer(response);
        }
        let found =
            |key| Coordinator::default().with_key(key).with_node_id(NODE).with_host(host.clone()).with_port(port);
        let coordinators = self.coordinator_keys.into_iter().map(found).collect();
        Reply::Answer(FindCoordinatorResponse::default().with_coordinators(coordinators))
    }

    fn refuse(&self, code: i16) -> FindCoordinatorResponse {
        let nowhere = BrokerId(-1);
        if self.coordinator_keys.is_empty() {
            return FindCoordinatorResponse::default().with_error_code(code).with_node_id(nowhere).with_port(-1);
        }
        let refused = |key: &kafka_protocol::protocol::StrBytes| {
            Coordinator::default().with_key(key.clone()).with_error_code(code).with_node_id(nowhere).with_port(-1)
        };
        FindCoordinatorResponse::default().with_coordinators(self.coordinator_keys.iter().map(refused).collect())
    }

    fn needs(&self) -> Vec<(Resource, &str, Right)> {
        let resource = if self.key_type == 0 { Resource::Group } else { Resource::TransactionalId };
        let keys = self.coordinator_keys.iter().chain([&self.key]);
        keys.map(|key| (resource, key.as_str(), Right::Describe)).collect()
    }
}

impl Handle for DescribeClusterRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<DescribeClusterResponse> {
        const BROKERS: i8 = 1;
        if call.version >= 1 && self.endpoint_type != BROKERS {
            return Reply::Answer(self.refuse(ResponseError::UnsupportedEndpointType.code()));
        }
        let (host, port) = address(call.shared);
        let broker = DescribeClusterBroker::default().with_broker_id(NODE).with_host(text(host)).with_port(port);
        Reply::Answer(
            DescribeClusterResponse::default()
                .with_cluster_id(text(CLUSTER_ID))
                .with_controller_id(NODE)
                .with_brokers(vec![broker]),
        )
    }

    fn refuse(&self, code: i16) -> DescribeClusterResponse {
        DescribeClusterResponse::default().with_error_code(code)
    }
}

fn address(shared: &Shared) -> (&str, i32) {
    (&shared.advertised.0, i32::from(shared.advertised.1))
}
