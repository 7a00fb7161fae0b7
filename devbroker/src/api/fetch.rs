//! Fetch: batches out, waiting for them if there are too few.
//!
//! Without fetch sessions (KIP-227): every answer says session 0, and clients then send full requests.

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{AbortedTransaction, FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse, ProducerId};
use uuid::Uuid;

use super::{Call, Handle, Reply};
use crate::log::{LEADER_EPOCH, PartitionLog};
use crate::rights::{Resource, Right};
use crate::state::{State, Wait};
use crate::stored::Aborted;

/// Topics have ids instead of names from here on.
const TOPIC_IDS: i16 = 13;
const READ_COMMITTED: i8 = 1;
/// Kafka's `fetch.max.bytes` of the broker: no answer is larger, but for a single batch that is.
const RESPONSE_BYTES_MAX: usize = 55 * 1024 * 1024;
/// A client may ask to wait for days; the connection looks again after this many milliseconds at the latest.
const WAIT_MAX: i64 = 5 * 60 * 1000;

impl Handle for FetchRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<FetchResponse> {
        if self.session_id != 0 {
            return Reply::Answer(self.refuse(ResponseError::FetchSessionIdNotFound.code()));
        }
        let now = call.shared.with(|_, now| now);
        let deadline = now + i64::from(self.max_wait_ms).clamp(0, WAIT_MAX);
        let fetch = Fetch { request: &self, version: call.version };
        let enough =
            call.shared.wait_for(Wait::Logs, deadline, |state, _| fetch.ready(state).then(|| fetch.read(state)));
        let response = match enough.await {
            Some(response) => response,
            None => call.shared.with(|state, _| fetch.read(state)),
        };
        Reply::Answer(response)
    }

    fn refuse(&self, code: i16) -> FetchResponse {
        FetchResponse::default().with_error_code(code)
    }
}

struct Fetch<'a> {
    request: &'a FetchRequest,
    version: i16,
}

impl Fetch<'_> {
    /// Whether to answer now: enough bytes, or something to report that is not bytes.
    fn ready(&self, state: &State) -> bool {
        let wanted = usize::try_from(self.request.min_bytes).unwrap_or(0);
        let mut bytes = 0;
        for topic in &self.request.topics {
            let Ok(name) = self.name(state, topic) else { return true };
            for asked in &topic.partitions {
                let Ok((log, upper)) = self.log(state, &name, asked) else { return true };
                bytes += log.readable_bytes(asked.fetch_offset, upper, wanted.saturating_sub(bytes));
                if bytes >= wanted {
                    return true;
                }
            }
        }
        bytes >= wanted || self.request.topics.is_empty() && wanted == 0
    }

    fn read(&self, state: &State) -> FetchResponse {
        let bytes_max = usize::try_from(self.request.max_bytes).unwrap_or(0);
        let mut room = Room { bytes: bytes_max.min(RESPONSE_BYTES_MAX), untouched: true };
        let topics = self.request.topics.iter().map(|topic| {
            let name = self.name(state, topic);
            let partitions = topic.partitions.iter().map(|asked| {
                let log = name.as_ref().map_err(|code| *code).and_then(|name| self.log(state, name, asked));
                match log {
                    Ok((log, upper)) => self.partition(log, upper, asked, &mut room),
                    Err(code) => refused(asked.partition, code),
                }
            });
            let response = FetchableTopicResponse::default().with_partitions(partitions.collect());
            if self.version >= TOPIC_IDS {
                response.with_topic_id(topic.topic_id)
            } else {
                response.with_topic(topic.topic.clone())
            }
        });
        FetchResponse::default().with_responses(topics.collect())
    }

    fn name(&self, state: &State, topic: &FetchTopic) -> Result<String, ResponseError> {
        if self.version < TOPIC_IDS {
            return Ok(topic.topic.to_string());
        }
        let known = (topic.topic_id != Uuid::nil()).then(|| state.topics.name_of(&topic.topic_id)).flatten();
        known.map(str::to_owned).ok_or(ResponseError::UnknownTopicId)
    }

    /// The partition's log and the offset up to which this client may read.
    fn log<'s>(
        &self,
        state: &'s State,
        topic: &str,
        asked: &FetchPartition,
    ) -> Result<(&'s PartitionLog, i64), ResponseError> {
        state.rights.check(Resource::Topic, topic, Right::Read)?;
        let log = state.topics.partition(topic, asked.partition)?;
        check_epoch(asked.current_leader_epoch)?;
        if asked.fetch_offset < log.start() || asked.fetch_offset > log.end() {
            return Err(ResponseError::OffsetOutOfRange);
        }
        Ok((log, if self.request.isolation_level == READ_COMMITTED { log.last_stable() } else { log.end() }))
    }

    fn partition(&self, log: &PartitionLog, upper: i64, asked: &FetchPartition, room: &mut Room) -> PartitionData {
        let bytes_max = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(room.bytes);
        let slice = log.read(asked.fetch_offset, upper, bytes_max, room.untouched);
        room.take(slice.bytes);
        let aborted = |aborted: Aborted| {
            AbortedTransaction::default()
                .with_producer_id(ProducerId(aborted.producer_id))
                .with_first_offset(aborted.first_offset)
        };
        let aborted = (self.request.isolation_level == READ_COMMITTED)
            .then(|| log.aborted_in(asked.fetch_offset, slice.end).into_iter().map(aborted).collect());
        let data = PartitionData::default()
            .with_partition_index(asked.partition)
            .with_high_watermark(log.end())
            .with_last_stable_offset(log.last_stable())
            .with_aborted_transactions(aborted)
            .with_records(Some(joined(slice.batches, slice.bytes)));
        if self.version >= 5 { data.with_log_start_offset(log.start()) } else { data }
    }
}

/// How much the answer may still hold. The first batch goes in at any size, so that no client gets stuck at a large one.
struct Room {
    bytes: usize,
    untouched: bool,
}

impl Room {
    fn take(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.untouched &= bytes == 0;
    }
}

/// Refuses clients that know a leader epoch other than the only one there is; -1 stands for not knowing.
pub(super) fn check_epoch(known: i32) -> Result<(), ResponseError> {
    match known {
        -1 | LEADER_EPOCH => Ok(()),
        newer if newer > LEADER_EPOCH => Err(ResponseError::UnknownLeaderEpoch),
        _ => Err(ResponseError::FencedLeaderEpoch),
    }
}

fn refused(partition: i32, code: ResponseError) -> PartitionData {
    PartitionData::default()
        .with_partition_index(partition)
        .with_error_code(code.code())
        .with_high_watermark(-1)
        .with_last_stable_offset(-1)
        .with_aborted_transactions(None)
        .with_records(Some(Bytes::new()))
}

fn joined(mut batches: Vec<Bytes>, bytes: usize) -> Bytes {
    if batches.len() == 1 {
        return batches.remove(0);
    }
    let mut all = BytesMut::with_capacity(bytes);
    batches.iter().for_each(|batch| all.extend_from_slice(batch));
    all.freeze()
}
