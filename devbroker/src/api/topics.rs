//! Administration of topics: CreateTopics, DeleteTopics, CreatePartitions.

use std::collections::HashMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, TopicName,
};
use uuid::Uuid;

use super::{Call, Handle, Reply, configs, text};
use crate::config::TopicSpec;
use crate::state::{State, Wait};
use crate::topics::TopicError;

impl Handle for CreateTopicsRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<CreateTopicsResponse> {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for topic in &self.topics {
            *seen.entry(topic.name.as_str()).or_default() += 1;
        }
        let results = call.shared.with(|state, _| {
            let create = |topic: &CreatableTopic| {
                let twice = seen.get(topic.name.as_str()).is_some_and(|count| *count > 1);
                let created = if twice {
                    Err(TopicError::new(ResponseError::InvalidRequest, "Duplicate topic name."))
                } else {
                    create(state, topic, self.validate_only)
                };
                created.map_or_else(
                    |error| not_created(topic, error.code.code(), Some(error.message)),
                    |count| described(state, topic, count, call.version),
                )
            };
            self.topics.iter().map(create).collect()
        });
        Reply::Answer(CreateTopicsResponse::default().with_topics(results))
    }

    fn refuse(&self, code: i16) -> CreateTopicsResponse {
        let topics = self.topics.iter().map(|topic| not_created(topic, code, None));
        CreateTopicsResponse::default().with_topics(topics.collect())
    }
}

fn create(state: &mut State, topic: &CreatableTopic, dry: bool) -> Result<i32, TopicError> {
    let assigned = i32::try_from(topic.assignments.len()).unwrap_or(i32::MAX);
    if assigned > 0 && (topic.num_partitions != -1 || topic.replication_factor != -1) {
        let message = "Both numPartitions or replicationFactor and replicasAssignments were set.";
        return Err(TopicError::new(ResponseError::InvalidRequest, message));
    }
    if assigned == 0 && !matches!(topic.replication_factor, -1 | 1) {
        let message = format!(
            "Unable to replicate the partition {} time(s): The target replication factor of {0} cannot be reached because only 1 broker(s) are registered.",
            topic.replication_factor
        );
        return Err(TopicError::new(ResponseError::InvalidReplicationFactor, message));
    }
    let configs = topic.configs.iter();
    let configs = configs.filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string())));
    let partitions = if assigned > 0 { assigned } else { topic.num_partitions };
    state.topics.create(&TopicSpec { name: topic.name.to_string(), partitions, configs: configs.collect() }, dry)
}

fn described(state: &State, topic: &CreatableTopic, count: i32, version: i16) -> CreatableTopicResult {
    let result = CreatableTopicResult::default().with_name(topic.name.clone());
    if version < 5 {
        return result;
    }
    let created = state.topics.get(&topic.name);
    let config = |(name, value, source): (&'static str, String, i8)| {
        CreatableTopicConfigs::default().with_name(text(name)).with_value(Some(text(value))).with_config_source(source)
    };
    let configs = created.map(|created| configs::of_topic(created).into_iter().map(config).collect());
    result
        .with_topic_id(created.filter(|_| version >= 7).map_or(Uuid::nil(), |created| created.id))
        .with_num_partitions(count)
        .with_replication_factor(1)
        .with_configs(Some(configs.unwrap_or_default()))
}

fn not_created(topic: &CreatableTopic, code: i16, message: Option<String>) -> CreatableTopicResult {
    CreatableTopicResult::default()
        .with_name(topic.name.clone())
        .with_error_code(code)
        .with_error_message(message.map(text))
}

impl Handle for DeleteTopicsRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<DeleteTopicsResponse> {
        let responses = call.shared.with(|state, _| {
            if call.version < 6 {
                let delete = |name: &TopicName| deleted(state, Some(name.clone()), Uuid::nil(), call.version);
                return self.topic_names.iter().map(delete).collect();
            }
            let delete = |topic: &DeleteTopicState| {
                let by_id = state.topics.name_of(&topic.topic_id).map(|name| TopicName(text(name)));
                deleted(state, topic.name.clone().or(by_id), topic.topic_id, call.version)
            };
            self.topics.iter().map(delete).collect()
        });
        call.shared.wake(Wait::Logs);
        Reply::Answer(DeleteTopicsResponse::default().with_responses(responses))
    }

    fn refuse(&self, code: i16) -> DeleteTopicsResponse {
        let refused = |name: Option<TopicName>| DeletableTopicResult::default().with_name(name).with_error_code(code);
        let by_state = self.topics.iter().map(|topic| refused(topic.name.clone()).with_topic_id(topic.topic_id));
        let by_name = self.topic_names.iter().map(|name| refused(Some(name.clone())));
        DeleteTopicsResponse::default().with_responses(by_name.chain(by_state).collect())
    }
}

fn deleted(state: &mut State, name: Option<TopicName>, asked_id: Uuid, version: i16) -> DeletableTopicResult {
    let Some(name) = name else {
        let code = ResponseError::UnknownTopicId.code();
        return DeletableTopicResult::default().with_name(None).with_topic_id(asked_id).with_error_code(code);
    };
    let result = DeletableTopicResult::default().with_name(Some(name.clone()));
    match state.delete_topic(&name) {
        Ok(id) => result.with_topic_id(if version >= 6 { id } else { Uuid::nil() }),
        Err(error) => {
            result.with_error_code(error.code.code()).with_error_message((version >= 5).then(|| text(error.message)))
        }
    }
}

impl Handle for CreatePartitionsRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<CreatePartitionsResponse> {
        let results = call.shared.with(|state, _| {
            let grow = |topic: &CreatePartitionsTopic| {
                let result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
                match state.topics.grow(&topic.name, topic.count, self.validate_only) {
                    Ok(()) => result,
                    Err(error) => {
                        result.with_error_code(error.code.code()).with_error_message(Some(text(error.message)))
                    }
                }
            };
            self.topics.iter().map(grow).collect()
        });
        Reply::Answer(CreatePartitionsResponse::default().with_results(results))
    }

    fn refuse(&self, code: i16) -> CreatePartitionsResponse {
        let refused = |topic: &CreatePartitionsTopic| {
            CreatePartitionsTopicResult::default().with_name(topic.name.clone()).with_error_code(code)
        };
        CreatePartitionsResponse::default().with_results(self.topics.iter().map(refused).collect())
    }
}
