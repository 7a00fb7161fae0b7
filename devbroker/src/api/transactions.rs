//! Transactions: InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    EndTxnRequest, EndTxnResponse, InitProducerIdRequest, InitProducerIdResponse, ProducerId,
};

use super::{Call, Handle, Reply, code};
use crate::clock::Millis;
use crate::rights::{Resource, Right};
use crate::state::Wait;
use crate::transactions::Identity;

impl Handle for InitProducerIdRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<InitProducerIdResponse> {
        let known = (call.version >= 3 && self.producer_id.0 >= 0)
            .then_some(Identity { id: self.producer_id.0, epoch: self.producer_epoch });
        let identity = call.shared.with(|state, now| {
            let Some(transactional_id) = &self.transactional_id else { return Ok(state.transactions.new_producer()) };
            let timeout = Millis::from(self.transaction_timeout_ms);
            let (identity, ending) = state.transactions.init(transactional_id, timeout, known, now)?;
            if let Some(ending) = ending {
                state.finish(ending, now);
            }
            Ok(identity)
        });
        call.shared.wake(Wait::Logs);
        Reply::Answer(match identity {
            Ok(identity) => InitProducerIdResponse::default()
                .with_producer_id(ProducerId(identity.id))
                .with_producer_epoch(identity.epoch),
            Err(code) => self.refuse(fenced_before(4, call.version, code).code()),
        })
    }

    fn refuse(&self, code: i16) -> InitProducerIdResponse {
        InitProducerIdResponse::default().with_error_code(code).with_producer_id(ProducerId(-1)).with_producer_epoch(-1)
    }

    fn needs(&self) -> Vec<(Resource, &str, Right)> {
        vec![match &self.transactional_id {
            Some(id) => (Resource::TransactionalId, id, Right::Write),
            None => (Resource::Cluster, "", Right::Write),
        }]
    }
}

impl Handle for AddPartitionsToTxnRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<AddPartitionsToTxnResponse> {
        let producer = Identity { id: self.v3_and_below_producer_id.0, epoch: self.v3_and_below_producer_epoch };
        let response = call.shared.with(|state, now| {
            let topics = &self.v3_and_below_topics;
            let exists = |topic: &str, partition: i32| state.topics.has_partition(topic, partition);
            let denied = |topic: &str| state.rights.check(Resource::Topic, topic, Right::Write).err();
            if topics.iter().any(|topic| denied(&topic.name).is_some()) {
                return self
                    .per_partition(|topic, _| denied(topic).unwrap_or(ResponseError::OperationNotAttempted).code());
            }
            let all_exist = topics.iter().all(|topic| topic.partitions.iter().all(|p| exists(&topic.name, *p)));
            if !all_exist {
                // All or nothing: those that exist are not added either.
                return self.per_partition(|topic, partition| {
                    let missing = !exists(topic, partition);
                    if missing { ResponseError::UnknownTopicOrPartition } else { ResponseError::OperationNotAttempted }
                        .code()
                });
            }
            let named = topics
                .iter()
                .flat_map(|topic| topic.partitions.iter().map(|partition| (topic.name.to_string(), *partition)));
            let added = state.transactions.add_partitions(&self.v3_and_below_transactional_id, producer, named, now);
            self.refuse(code(&added.map_err(|code| fenced_before(2, call.version, code))))
        });
        Reply::Answer(response)
    }

    fn refuse(&self, code: i16) -> AddPartitionsToTxnResponse {
        self.per_partition(|_, _| code)
    }

    fn needs(&self) -> Vec<(Resource, &str, Right)> {
        vec![(Resource::TransactionalId, &self.v3_and_below_transactional_id, Right::Write)]
    }
}

trait PerPartition {
    fn per_partition(&self, code: impl Fn(&str, i32) -> i16) -> AddPartitionsToTxnResponse;
}

impl PerPartition for AddPartitionsToTxnRequest {
    fn per_partition(&self, code: impl Fn(&str, i32) -> i16) -> AddPartitionsToTxnResponse {
        let topic = |topic: &AddPartitionsToTxnTopic| {
            let partition = |index: &i32| {
                AddPartitionsToTxnPartitionResult::default()
                    .with_partition_index(*index)
                    .with_partition_error_code(code(&topic.name, *index))
            };
            AddPartitionsToTxnTopicResult::default()
                .with_name(topic.name.clone())
                .with_results_by_partition(topic.partitions.iter().map(partition).collect())
        };
        let topics = self.v3_and_below_topics.iter().map(topic).collect();
        AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(topics)
    }
}

impl Handle for AddOffsetsToTxnRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<AddOffsetsToTxnResponse> {
        let producer = Identity { id: self.producer_id.0, epoch: self.producer_epoch };
        let added = call
            .shared
            .with(|state, now| state.transactions.add_group(&self.transactional_id, producer, &self.group_id, now));
        Reply::Answer(self.refuse(code(&added.map_err(|code| fenced_before(2, call.version, code)))))
    }

    fn refuse(&self, code: i16) -> AddOffsetsToTxnResponse {
        AddOffsetsToTxnResponse::default().with_error_code(code)
    }

    fn needs(&self) -> Vec<(Resource, &str, Right)> {
        vec![
            (Resource::TransactionalId, &self.transactional_id, Right::Write),
            (Resource::Group, &self.group_id, Right::Read),
        ]
    }
}

impl Handle for EndTxnRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<EndTxnResponse> {
        let producer = Identity { id: self.producer_id.0, epoch: self.producer_epoch };
        let ended = call.shared.with(|state, now| {
            let ending = state.transactions.end(&self.transactional_id, producer, self.committed)?;
            if let Some(ending) = ending {
                state.finish(ending, now);
            }
            Ok(())
        });
        call.shared.wake(Wait::Logs);
        Reply::Answer(self.refuse(code(&ended.map_err(|code| fenced_before(2, call.version, code)))))
    }

    fn refuse(&self, code: i16) -> EndTxnResponse {
        EndTxnResponse::default().with_error_code(code)
    }

    fn needs(&self) -> Vec<(Resource, &str, Right)> {
        vec![(Resource::TransactionalId, &self.transactional_id, Right::Write)]
    }
}

/// Versions before `since` know a fenced producer only as one with an invalid epoch.
fn fenced_before(since: i16, version: i16, code: ResponseError) -> ResponseError {
    if code == ResponseError::ProducerFenced && version < since { ResponseError::InvalidProducerEpoch } else { code }
}
