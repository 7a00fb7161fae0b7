//! Produce: batches in.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};

use super::{Call, Handle, Reply};
use crate::batch::{BatchHeader, CODEC_ZSTD};
use crate::clock::Millis;
use crate::state::{State, Wait};
use crate::transactions::Identity;

/// From here on clients understand `TRANSACTION_ABORTABLE`.
const KNOWS_ABORTABLE: i16 = 11;
const KNOWS_ZSTD: i16 = 7;

impl Handle for ProduceRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<ProduceResponse> {
        if !(-1..=1).contains(&self.acks) {
            return Reply::Answer(self.refuse(ResponseError::InvalidRequiredAcks.code()));
        }
        let (response, failed) = call.shared.with(|state, now| {
            let mut failed = false;
            let mut append = Append {
                state,
                transactional_id: self.transactional_id.as_ref().map(|id| id.0.as_str()),
                version: call.version,
                now,
            };
            let responses = self.topic_data.iter().map(|topic| {
                let partitions = topic.partition_data.iter().map(|data| {
                    let appended = append.partition(topic, data);
                    failed |= appended.is_err();
                    answered(data.index, appended, call.version)
                });
                TopicProduceResponse::default()
                    .with_name(topic.name.clone())
                    .with_partition_responses(partitions.collect())
            });
            let responses: Vec<_> = responses.collect();
            (ProduceResponse::default().with_responses(responses), failed)
        });
        call.shared.wake(Wait::Logs);
        match self.acks {
            0 if failed => Reply::Close("a produce without acknowledgement failed"),
            0 => Reply::Silence,
            _ => Reply::Answer(response),
        }
    }

    fn refuse(&self, code: i16) -> ProduceResponse {
        let topic = |topic: &TopicProduceData| {
            let partitions = topic.partition_data.iter().map(|data| refused(data.index, code));
            TopicProduceResponse::default()
                .with_name(topic.name.clone())
                .with_topic_id(topic.topic_id)
                .with_partition_responses(partitions.collect())
        };
        ProduceResponse::default().with_responses(self.topic_data.iter().map(topic).collect())
    }
}

struct Append<'a> {
    state: &'a mut State,
    transactional_id: Option<&'a str>,
    version: i16,
    now: Millis,
}

impl Append<'_> {
    /// Base offset and log start offset.
    fn partition(
        &mut self,
        topic: &TopicProduceData,
        data: &PartitionProduceData,
    ) -> Result<(i64, i64), ResponseError> {
        let name = topic.name.as_str();
        let message_bytes_max =
            self.state.topics.get(name).ok_or(ResponseError::UnknownTopicOrPartition)?.message_bytes_max;
        self.state.topics.partition(name, data.index)?;
        let records = data.records.as_deref().unwrap_or_default();
        let header = BatchHeader::of_client(records)?;
        if records.len() > message_bytes_max {
            return Err(ResponseError::MessageTooLarge);
        }
        if header.codec() == CODEC_ZSTD && self.version < KNOWS_ZSTD {
            return Err(ResponseError::UnsupportedCompressionType);
        }
        if header.is_transactional() {
            self.verify(&header, name, data.index)?;
        }
        let log = self.state.topics.partition_mut(name, data.index)?;
        let base_offset = log.append(&header, records, self.now)?;
        Ok((base_offset, log.start()))
    }

    fn verify(&self, header: &BatchHeader, topic: &str, partition: i32) -> Result<(), ResponseError> {
        let transactional_id = self.transactional_id.ok_or(ResponseError::InvalidRequest)?;
        let producer = Identity { id: header.producer_id, epoch: header.producer_epoch };
        let verified = self.state.transactions.verify_partition(transactional_id, producer, topic, partition);
        verified.map_err(|code| match code {
            ResponseError::TransactionAbortable if self.version < KNOWS_ABORTABLE => ResponseError::InvalidTxnState,
            other => other,
        })
    }
}

fn answered(index: i32, appended: Result<(i64, i64), ResponseError>, version: i16) -> PartitionProduceResponse {
    match appended {
        Ok((base_offset, log_start)) => {
            let response = PartitionProduceResponse::default()
                .with_index(index)
                .with_base_offset(base_offset)
                .with_log_append_time_ms(-1);
            if version >= 5 { response.with_log_start_offset(log_start) } else { response }
        }
        Err(code) => refused(index, code.code()),
    }
}

fn refused(index: i32, code: i16) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(code)
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
}
