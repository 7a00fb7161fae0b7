//! Where things are in a partition: ListOffsets (by time, first, last) and OffsetForLeaderEpoch.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use kafka_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};

use super::fetch::check_epoch;
use super::{Call, Handle, Reply};
use crate::log::{LEADER_EPOCH, PartitionLog};
use crate::rights::{Resource, Right};
use crate::state::State;

const READ_COMMITTED: i8 = 1;
// Timestamps that stand for something else.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

impl Handle for ListOffsetsRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<ListOffsetsResponse> {
        let committed = self.isolation_level == READ_COMMITTED;
        let topics = call.shared.with(|state, _| {
            let topic = |topic: &ListOffsetsTopic| {
                let partitions = topic.partitions.iter().map(|asked| {
                    let found = find(state, &topic.name, asked, committed, call.version);
                    answered(asked.partition_index, found, call.version)
                });
                ListOffsetsTopicResponse::default().with_name(topic.name.clone()).with_partitions(partitions.collect())
            };
            self.topics.iter().map(topic).collect()
        });
        Reply::Answer(ListOffsetsResponse::default().with_topics(topics))
    }

    fn refuse(&self, code: i16) -> ListOffsetsResponse {
        let refused = |asked: &ListOffsetsPartition| {
            ListOffsetsPartitionResponse::default().with_partition_index(asked.partition_index).with_error_code(code)
        };
        let topics = self.topics.iter().map(|topic| {
            ListOffsetsTopicResponse::default()
                .with_name(topic.name.clone())
                .with_partitions(topic.partitions.iter().map(refused).collect())
        });
        ListOffsetsResponse::default().with_topics(topics.collect())
    }
}

/// Offset and timestamp; `None` where no record is so late.
fn find(
    state: &State,
    topic: &str,
    asked: &ListOffsetsPartition,
    committed: bool,
    version: i16,
) -> Result<Option<(i64, i64)>, ResponseError> {
    state.rights.check(Resource::Topic, topic, Right::Describe)?;
    let log = state.topics.partition(topic, asked.partition_index)?;
    check_epoch(if version >= 4 { asked.current_leader_epoch } else { -1 })?;
    let upper = if committed { log.last_stable() } else { log.end() };
    let needs = |since: i16| if version >= since { Ok(()) } else { Err(ResponseError::UnsupportedVersion) };
    Ok(match asked.timestamp {
        LATEST => Some((upper, -1)),
        EARLIEST => Some((log.start(), -1)),
        MAX_TIMESTAMP => {
            needs(7)?;
            readable(log.find_latest_time(), upper)
        }
        EARLIEST_LOCAL => {
            needs(8)?;
            Some((log.start(), -1))
        }
        LATEST_TIERED => {
            needs(9)?;
            None
        }
        target => readable(log.find_time(target), upper),
    })
}

fn readable(found: Option<(i64, i64)>, upper: i64) -> Option<(i64, i64)> {
    found.filter(|(offset, _)| *offset < upper)
}

fn answered(
    index: i32,
    found: Result<Option<(i64, i64)>, ResponseError>,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let response = ListOffsetsPartitionResponse::default().with_partition_index(index);
    match found {
        Ok(Some((offset, timestamp))) => {
            let response = response.with_offset(offset).with_timestamp(timestamp);
            if version >= 4 { response.with_leader_epoch(LEADER_EPOCH) } else { response }
        }
        Ok(None) => response.with_offset(-1).with_timestamp(-1),
        Err(code) => response.with_error_code(code.code()).with_offset(-1).with_timestamp(-1),
    }
}

impl Handle for OffsetForLeaderEpochRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<OffsetForLeaderEpochResponse> {
        let topics = call.shared.with(|state, _| {
            let topics = self.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|asked| {
                    let log = state.topics.partition(&topic.topic, asked.partition);
                    epoch_end(asked, log.and_then(|log| check_epoch(asked.current_leader_epoch).map(|()| log)))
                });
                OffsetForLeaderTopicResult::default()
                    .with_topic(topic.topic.clone())
                    .with_partitions(partitions.collect())
            });
            topics.collect()
        });
        Reply::Answer(OffsetForLeaderEpochResponse::default().with_topics(topics))
    }

    fn refuse(&self, code: i16) -> OffsetForLeaderEpochResponse {
        let topics = self.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter();
            let refused =
                partitions.map(|asked| EpochEndOffset::default().with_partition(asked.partition).with_error_code(code));
            OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone()).with_partitions(refused.collect())
        });
        OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
    }
}

fn epoch_end(asked: &OffsetForLeaderPartition, log: Result<&PartitionLog, ResponseError>) -> EpochEndOffset {
    let end = EpochEndOffset::default().with_partition(asked.partition);
    match log {
        Ok(log) if asked.leader_epoch == LEADER_EPOCH => end.with_leader_epoch(LEADER_EPOCH).with_end_offset(log.end()),
        Ok(_) => end,
        Err(code) => end.with_error_code(code.code()),
    }
}
