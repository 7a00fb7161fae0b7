//! What librdkafka tells a consumer that joins no group, while it is polled: the last error's words, and positions.

use std::mem;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;

/// Under this name librdkafka logs a warning when a broker refuses the offset to fetch from and it goes to another one.
pub(crate) const OFFSET: &str = "OFFSET";

/// What librdkafka tells while it is polled.
#[derive(Default)]
pub(crate) struct Listener(Mutex<Heard>);

#[derive(Default)]
struct Heard {
    error: String,
    /// Next offsets of partitions whose fetched records were all handed to us.
    fetched_to: Vec<(i32, i64)>,
}

impl Listener {
    /// librdkafka's own words about the last error.
    pub(crate) fn take_error(&self) -> String {
        mem::take(&mut self.0.lock().error)
    }

    /// Next offsets of partitions whose fetched records were all handed over, when they were heard since the last call.
    pub(crate) fn take_positions(&self) -> Vec<(i32, i64)> {
        mem::take(&mut self.0.lock().fetched_to)
    }
}

impl ConsumerContext for Listener {}

impl ClientContext for Listener {
    /// Every failure also arrives as an event or a result, where it is judged; only a position that librdkafka changes by
    /// itself does not: records were deleted before they were read.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if level as u8 <= RDKafkaLogLevel::Warning as u8 && facility == OFFSET {
            tracing::warn!(target: "librdkafka", facility, message);
        } else {
            tracing::debug!(target: "librdkafka", facility, message);
        }
    }

    fn error(&self, _error: KafkaError, reason: &str) {
        reason.clone_into(&mut self.0.lock().error);
    }

    fn stats(&self, statistics: Statistics) {
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let done = partitions.filter(|partition| partition.fetch_state == "active" && partition.fetchq_cnt == 0);
        self.0.lock().fetched_to = done.map(|partition| (partition.partition, partition.next_offset)).collect();
    }
}
