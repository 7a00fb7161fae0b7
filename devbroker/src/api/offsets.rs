//! A group's offsets: OffsetCommit, OffsetFetch, and TxnOffsetCommit with KIP-447's checks.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse, TopicName,
    TxnOffsetCommitRequest, TxnOffsetCommitResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::membership::claim;
use super::{Call, Handle, Reply, code, text};
use crate::clock::Millis;
use crate::group::Group;
use crate::offsets::{Committed, METADATA_BYTES_MAX};
use crate::rights::{Resource, Right};
use crate::state::State;
use crate::transactions::Identity;

/// From here on a group that does not exist is named as such.
const KNOWS_GROUP_NOT_FOUND: i16 = 9;
/// From here on TxnOffsetCommit clients understand `TRANSACTION_ABORTABLE`.
const KNOWS_ABORTABLE: i16 = 4;

impl Handle for OffsetCommitRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<OffsetCommitResponse> {
        let response = call.shared.with(|state, now| {
            if let Err(code) = self.check(state, call.version, now) {
                return self.refuse(code.code());
            }
            let topic = |topic: &OffsetCommitRequestTopic| {
                let commit = |asked: &OffsetCommitRequestPartition| {
                    let result = committed(
                        asked.committed_metadata.as_ref(),
                        asked.committed_offset,
                        asked.committed_leader_epoch,
                    )
                    .and_then(|offset| {
                        let group = existing(state, &self.group_id, &topic.name, asked.partition_index)?;
                        group.offsets.commit(&topic.name, asked.partition_index, offset);
                        Ok(())
                    });
                    OffsetCommitResponsePartition::default()
                        .with_partition_index(asked.partition_index)
                        .with_error_code(code(&result))
                };
                let partitions = topic.partitions.iter().map(commit).collect();
                OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
            };
            OffsetCommitResponse::default().with_topics(self.topics.iter().map(topic).collect())
        });
        Reply::Answer(response)
    }

    fn refuse(&self, code: i16) -> OffsetCommitResponse {
        let topics = self.topics.iter().map(|topic| {
            let refused = |asked: &OffsetCommitRequestPartition| {
                OffsetCommitResponsePartition::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(code)
            };
            OffsetCommitResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(topic.partitions.iter().map(refused).collect())
        });
        OffsetCommitResponse::default().with_topics(topics.collect())
    }

    fn needs(&self) -> Vec<(Resource, &str, Right)> {
        vec![(Resource::Group, &self.group_id, Right::Read)]
    }
}

/// What both kinds of commit ask first.
trait CheckCommit {
    /// Whether the group takes offsets from this client; makes the group for one that is outside of any.
    fn check(&self, state: &mut State, version: i16, now: Millis) -> Result<(), ResponseError>;
}

impl CheckCommit for OffsetCommitRequest {
    fn check(&self, state: &mut State, version: i16, now: Millis) -> Result<(), ResponseError> {
        let generation = self.generation_id_or_member_epoch;
        if state.groups.get(&self.group_id).is_none() && generation >= 0 {
            let known = version >= KNOWS_GROUP_NOT_FOUND;
            return Err(if known { ResponseError::GroupIdNotFound } else { ResponseError::IllegalGeneration });
        }
        let claim = claim(&self.member_id, self.group_instance_id.as_ref(), generation);
        state.groups.get_or_create(&self.group_id)?.check_commit(claim, false, now)
    }
}

fn committed(metadata: Option<&StrBytes>, offset: i64, leader_epoch: i32) -> Result<Committed, ResponseError> {
    let metadata = metadata.map(ToString::to_string).unwrap_or_default();
    if metadata.len() > METADATA_BYTES_MAX {
        return Err(ResponseError::OffsetMetadataTooLarge);
    }
    Ok(Committed { offset, leader_epoch, metadata })
}

/// The group, provided that the partition exists.
fn existing<'s>(
    state: &'s mut State,
    group: &str,
    topic: &str,
    partition: i32,
) -> Result<&'s mut Group, ResponseError> {
    if !state.topics.has_partition(topic, partition) {
        return Err(ResponseError::UnknownTopicOrPartition);
    }
    state.groups.get_mut(group).ok_or(ResponseError::GroupIdNotFound)
}

impl Handle for TxnOffsetCommitRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<TxnOffsetCommitResponse> {
        let response = call.shared.with(|state, now| {
            if let Err(code) = self.check(state, call.version, now) {
                return self.refuse(code.code());
            }
            let topic = |topic: &TxnOffsetCommitRequestTopic| {
                let commit = |asked: &TxnOffsetCommitRequestPartition| {
                    let result = committed(
                        asked.committed_metadata.as_ref(),
                        asked.committed_offset,
                        asked.committed_leader_epoch,
                    )
                    .and_then(|offset| {
                        let group = existing(state, &self.group_id, &topic.name, asked.partition_index)?;
                        group.offsets.commit_pending(self.producer_id.0, &topic.name, asked.partition_index, offset);
                        Ok(())
                    });
                    TxnOffsetCommitResponsePartition::default()
                        .with_partition_index(asked.partition_index)
                        .with_error_code(code(&result))
                };
                let partitions = topic.partitions.iter().map(commit).collect();
                TxnOffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
            };
            TxnOffsetCommitResponse::default().with_topics(self.topics.iter().map(topic).collect())
        });
        Reply::Answer(response)
    }

    fn refuse(&self, code: i16) -> TxnOffsetCommitResponse {
        let topics = self.topics.iter().map(|topic| {
            let refused = |asked: &TxnOffsetCommitRequestPartition| {
                TxnOffsetCommitResponsePartition::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(code)
            };
            TxnOffsetCommitResponseTopic::default()
                .with_name(topic.name.clone())
                .with_partitions(topic.partitions.iter().map(refused).collect())
        });
        TxnOffsetCommitResponse::default().with_topics(topics.collect())
    }

    fn needs(&self) -> Vec<(Resource, &str, Right)> {
        vec![
            (Resource::TransactionalId, &self.transactional_id, Right::Write),
            (Resource::Group, &self.group_id, Right::Read),
        ]
    }
}

impl CheckCommit for TxnOffsetCommitRequest {
    fn check(&self, state: &mut State, version: i16, now: Millis) -> Result<(), ResponseError> {
        let producer = Identity { id: self.producer_id.0, epoch: self.producer_epoch };
        let verified = state.transactions.verify_group(&self.transactional_id, producer, &self.group_id);
        verified.map_err(|code| match code {
            ResponseError::TransactionAbortable if version < KNOWS_ABORTABLE => ResponseError::InvalidTxnState,
            other => other,
        })?;
        // Before version 3 nobody says which member it is.
        let generation = if version >= 3 { self.generation_id } else { -1 };
        if state.groups.get(&self.group_id).is_none() && generation >= 0 {
            return Err(ResponseError::IllegalGeneration);
        }
        let claim = claim(&self.member_id, self.group_instance_id.as_ref(), generation);
        state.groups.get_or_create(&self.group_id)?.check_commit(claim, true, now)
    }
}

impl Handle for OffsetFetchRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<OffsetFetchResponse> {
        let stable = call.version >= 7 && self.require_stable;
        let response = call.shared.with(|state, _| {
            if call.version >= 8 {
                let groups = self.groups.iter().map(|asked| {
                    let group = state.groups.get(&asked.group_id);
                    let wanted = asked.topics.as_ref().map(|topics| {
                        topics.iter().map(|topic| (topic.name.clone(), topic.partition_indexes.clone())).collect()
                    });
                    let topics = found(group, wanted, stable).into_iter().map(|(name, rows)| {
                        let rows = rows.into_iter().map(Row::of_group).collect();
                        OffsetFetchResponseTopics::default().with_name(name).with_partitions(rows)
                    });
                    OffsetFetchResponseGroup::default()
                        .with_group_id(asked.group_id.clone())
                        .with_topics(topics.collect())
                });
                return OffsetFetchResponse::default().with_groups(groups.collect());
            }
            let wanted = self.topics.as_ref().map(|topics| {
                topics.iter().map(|topic| (topic.name.clone(), topic.partition_indexes.clone())).collect()
            });
            let topics = found(state.groups.get(&self.group_id), wanted, stable).into_iter().map(|(name, rows)| {
                let rows = rows.into_iter().map(|row| row.alone(call.version)).collect();
                OffsetFetchResponseTopic::default().with_name(name).with_partitions(rows)
            });
            OffsetFetchResponse::default().with_topics(topics.collect())
        });
        Reply::Answer(response)
    }

    fn refuse(&self, code: i16) -> OffsetFetchResponse {
        let groups = self.groups.iter().map(|asked| {
            OffsetFetchResponseGroup::default().with_group_id(asked.group_id.clone()).with_error_code(code)
        });
        OffsetFetchResponse::default().with_error_code(code).with_groups(groups.collect())
    }

    fn needs(&self) -> Vec<(Resource, &str, Right)> {
        let groups = self.groups.iter().map(|asked| &asked.group_id).chain([&self.group_id]);
        groups.map(|group| (Resource::Group, group.as_str(), Right::Describe)).collect()
    }
}

/// One partition's answer, before it takes the form of a version.
struct Row {
    partition: i32,
    found: Result<Option<Committed>, ResponseError>,
}

/// The offsets asked for, or all there are.
fn found(
    group: Option<&Group>,
    wanted: Option<Vec<(TopicName, Vec<i32>)>>,
    stable: bool,
) -> Vec<(TopicName, Vec<Row>)> {
    let row = |topic: &str, partition: i32| {
        let offsets = group.map(|group| &group.offsets);
        let unsettled = stable && offsets.is_some_and(|offsets| offsets.is_pending(topic, partition));
        let found = if unsettled {
            Err(ResponseError::UnstableOffsetCommit)
        } else {
            Ok(offsets.and_then(|offsets| offsets.get(topic, partition)).cloned())
        };
        Row { partition, found }
    };
    if let Some(wanted) = wanted {
        let rows = wanted.into_iter().map(|(name, partitions)| {
            let rows = partitions.into_iter().map(|partition| row(&name, partition)).collect();
            (name, rows)
        });
        return rows.collect();
    }
    let mut all: Vec<(TopicName, Vec<Row>)> = Vec::new();
    for (topic, partition) in group.map(|group| group.offsets.partitions()).unwrap_or_default() {
        let row = row(topic, partition);
        match all.last_mut() {
            Some((name, rows)) if name.as_str() == topic => rows.push(row),
            _ => all.push((TopicName(text(topic)), vec![row])),
        }
    }
    all
}

impl Row {
    fn parts(self) -> (i32, i64, i32, StrBytes, i16) {
        match self.found {
            Ok(Some(found)) => (self.partition, found.offset, found.leader_epoch, text(found.metadata), 0),
            Ok(None) => (self.partition, -1, -1, StrBytes::default(), 0),
            Err(code) => (self.partition, -1, -1, StrBytes::default(), code.code()),
        }
    }

    fn of_group(self) -> OffsetFetchResponsePartitions {
        let (partition, offset, leader_epoch, metadata, code) = self.parts();
        OffsetFetchResponsePartitions::default()
            .with_partition_index(partition)
            .with_committed_offset(offset)
            .with_committed_leader_epoch(leader_epoch)
            .with_metadata(Some(metadata))
            .with_error_code(code)
    }

    fn alone(self, version: i16) -> OffsetFetchResponsePartition {
        let (partition, offset, leader_epoch, metadata, code) = self.parts();
        let row = OffsetFetchResponsePartition::default()
            .with_partition_index(partition)
            .with_committed_offset(offset)
            .with_metadata(Some(metadata))
            .with_error_code(code);
        if version >= 5 { row.with_committed_leader_epoch(leader_epoch) } else { row }
    }
}
