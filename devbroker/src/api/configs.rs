//! DescribeConfigs: settings of topics and of the broker, by their Kafka names.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use super::cluster::NODE;
use super::{Call, Handle, Reply, text};
use crate::clock::saturating_millis;
use crate::config::Config;
use crate::state::State;
use crate::topics::{TOPIC_CONFIGS, Topic};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
// Where a value comes from.
const SET_ON_TOPIC: i8 = 1;
const SET_AT_START: i8 = 4;
const DEFAULT: i8 = 5;

impl Handle for DescribeConfigsRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<DescribeConfigsResponse> {
        let results = call.shared.with(|state, _| {
            let describe = |asked: &DescribeConfigsResource| described(state, &call.shared.config, asked);
            self.resources.iter().map(describe).collect()
        });
        Reply::Answer(DescribeConfigsResponse::default().with_results(results))
    }

    fn refuse(&self, code: i16) -> DescribeConfigsResponse {
        let results = self.resources.iter().map(|asked| result(asked).with_error_code(code));
        DescribeConfigsResponse::default().with_results(results.collect())
    }
}

/// Name, value and source of each of a topic's settings.
pub(super) fn of_topic(topic: &Topic) -> Vec<(&'static str, String, i8)> {
    let row = |(name, default): (&'static str, &str)| match topic.configs.get(name) {
        Some(value) => (name, value.clone(), SET_ON_TOPIC),
        None if name == "retention.ms" => (name, topic.retention.age_max.unwrap_or(-1).to_string(), DEFAULT),
        None => (name, default.to_owned(), DEFAULT),
    };
    TOPIC_CONFIGS.into_iter().map(row).collect()
}

fn of_broker(config: &Config) -> Vec<(&'static str, String, i8)> {
    let row = |name, value: String| (name, value, SET_AT_START);
    vec![
        row("auto.create.topics.enable", config.auto_create_topics.to_string()),
        row("group.initial.rebalance.delay.ms", saturating_millis(config.group_initial_rebalance_delay).to_string()),
        row("group.min.session.timeout.ms", saturating_millis(config.group_session_timeout_min).to_string()),
        row("log.retention.bytes", config.partition_bytes_max.to_string()),
        row("log.retention.ms", config.retention.map_or(-1, saturating_millis).to_string()),
        row("num.partitions", config.default_partitions.to_string()),
        row("socket.request.max.bytes", config.limits.request_bytes.to_string()),
        row("transaction.max.timeout.ms", saturating_millis(config.transaction_timeout_max).to_string()),
    ]
}

fn described(state: &State, config: &Config, asked: &DescribeConfigsResource) -> DescribeConfigsResult {
    let rows = match asked.resource_type {
        TOPIC => match state.topics.get(&asked.resource_name) {
            Some(topic) => of_topic(topic),
            None => return result(asked).with_error_code(ResponseError::UnknownTopicOrPartition.code()),
        },
        BROKER if asked.resource_name.as_str() == NODE.0.to_string() || asked.resource_name.is_empty() => {
            of_broker(config)
        }
        _ => return result(asked).with_error_code(ResponseError::InvalidRequest.code()),
    };
    let wanted = |name: &str| {
        let keys = asked.configuration_keys.as_ref();
        keys.is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| key.as_str() == name))
    };
    let rows = rows.into_iter().filter(|(name, _, _)| wanted(name)).map(|(name, value, source)| {
        DescribeConfigsResourceResult::default()
            .with_name(text(name))
            .with_value(Some(text(value)))
            .with_read_only(source == SET_AT_START)
            .with_config_source(source)
    });
    result(asked).with_configs(rows.collect())
}

fn result(asked: &DescribeConfigsResource) -> DescribeConfigsResult {
    DescribeConfigsResult::default()
        .with_resource_type(asked.resource_type)
        .with_resource_name(asked.resource_name.clone())
        .with_error_message(None)
}
