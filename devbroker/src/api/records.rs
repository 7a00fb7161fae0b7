//! DeleteRecords: a partition's log start offset moves up.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use kafka_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use super::{Call, Handle, Reply};
use crate::state::{State, Wait};

/// Stands for the end of the partition.
const TO_THE_END: i64 = -1;

impl Handle for DeleteRecordsRequest {
    async fn handle(self, call: &Call<'_>) -> Reply<DeleteRecordsResponse> {
        let topics = call.shared.with(|state, _| {
            let topic = |topic: &DeleteRecordsTopic| {
                let delete = |asked: &DeleteRecordsPartition| match delete(state, &topic.name, asked) {
                    Ok(low_watermark) => answered(asked, 0, low_watermark),
                    Err(code) => answered(asked, code.code(), -1),
                };
                let partitions = topic.partitions.iter().map(delete).collect();
                DeleteRecordsTopicResult::default().with_name(topic.name.clone()).with_partitions(partitions)
            };
            self.topics.iter().map(topic).collect()
        });
        call.shared.wake(Wait::Logs);
        Reply::Answer(DeleteRecordsResponse::default().with_topics(topics))
    }

    fn refuse(&self, code: i16) -> DeleteRecordsResponse {
        let topics = self.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| answered(asked, code, -1)).collect();
            DeleteRecordsTopicResult::default().with_name(topic.name.clone()).with_partitions(partitions)
        });
        DeleteRecordsResponse::default().with_topics(topics.collect())
    }
}

fn delete(state: &mut State, topic: &str, asked: &DeleteRecordsPartition) -> Result<i64, ResponseError> {
    let log = state.topics.partition_mut(topic, asked.partition_index)?;
    log.delete_before(if asked.offset == TO_THE_END { log.end() } else { asked.offset })?;
    Ok(log.start())
}

fn answered(asked: &DeleteRecordsPartition, code: i16, low_watermark: i64) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult::default()
        .with_partition_index(asked.partition_index)
        .with_error_code(code)
        .with_low_watermark(low_watermark)
}
