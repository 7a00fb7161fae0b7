//! Produce: batches in.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};

use super::{Call, Handle, Reply, text};
use crate::batch::{BatchHeader, CODEC_ZSTD};
use crate::clock::Millis;
use crate::rights::{Resource, Right};
use crate::state::{State, Wait};
use crate::transactions::Identity;
use crate::validation::Refusal;

/// From here on clients understand `TRANSACTION_ABORTABLE`.
const KNOWS_ABORTABLE: i16 = 11;
const KNOWS_ZSTD: i16 = 7;
/// From here on an answer says which records of a batch are at fault.
const NAMES_RECORDS: i16 = 8;

/// Where a batch was appended.
struct Appended {
    base_offset: i64,
    log_start: i64,
    /// The time that its records got, where the topic stamps them.
    stamp: Option<Millis>,
}

impl Handle for ProduceRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<ProduceResponse> {
        let (response, failed) = call.shared.with(|state, now| {
            let mut failed = false;
            let mut append = Append {
                state,
                transactional_id: self.transactional_id.as_ref().map(|id| id.0.as_str()),
                acks: self.acks,
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
    acks: i16,
    version: i16,
    now: Millis,
}

impl Append<'_> {
    fn partition(&mut self, topic: &TopicProduceData, data: &PartitionProduceData) -> Result<Appended, Refusal> {
        let name = topic.name.as_str();
        // As in Kafka: rights first, then the acknowledgements, then the records.
        self.state.rights.check(Resource::Topic, name, Right::Write)?;
        if !(-1..=1).contains(&self.acks) {
            return Err(ResponseError::InvalidRequiredAcks.into());
        }
        let message_bytes_max =
            self.state.topics.get(name).ok_or(ResponseError::UnknownTopicOrPartition)?.message_bytes_max;
        self.state.topics.partition(name, data.index)?;
        let records = data.records.as_deref().unwrap_or_default();
        let header = BatchHeader::of_client(records)?;
        if records.len() > message_bytes_max {
            return Err(ResponseError::MessageTooLarge.into());
        }
        if header.codec() == CODEC_ZSTD && self.version < KNOWS_ZSTD {
            return Err(ResponseError::UnsupportedCompressionType.into());
        }
        if header.is_transactional() {
            self.verify(&header, name, data.index)?;
        }
        let log = self.state.topics.partition_mut(name, data.index)?;
        let base_offset = log.append(&header, records, self.now)?;
        Ok(Appended { base_offset, log_start: log.start(), stamp: log.stamps().then_some(self.now) })
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

fn answered(index: i32, appended: Result<Appended, Refusal>, version: i16) -> PartitionProduceResponse {
    match appended {
        Ok(Appended { base_offset, log_start, stamp }) => {
            let response = PartitionProduceResponse::default()
                .with_index(index)
                .with_base_offset(base_offset)
                .with_log_append_time_ms(stamp.unwrap_or(-1));
            if version >= 5 { response.with_log_start_offset(log_start) } else { response }
        }
        Err(Refusal { code, records }) if version >= NAMES_RECORDS && !records.is_empty() => {
            let named = records.iter().map(|place| {
                let message = format!("Record {place} is refused: {code:?}");
                BatchIndexAndErrorMessage::default()
                    .with_batch_index(*place)
                    .with_batch_index_error_message(Some(text(message)))
            });
            refused(index, code.code())
                .with_record_errors(named.collect())
                .with_error_message(Some(text("One or more records have been rejected")))
        }
        Err(refusal) => refused(index, refusal.code.code()),
    }
}

fn refused(index: i32, code: i16) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(code)
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
}
