//! A record that leaves: topic, partition, key, payload, headers, timestamp. Encoded once, sent as often as it takes.

use std::sync::Arc;

use rdkafka::message::{Header as KafkaHeader, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use schemas::Header;

/// The header of a batch (61 bytes) and librdkafka's own allowance per record (36 bytes) and per header (10 bytes): a
/// record that fits here is never refused by it, nor by a broker with the same limit.
const RECORD_OVERHEAD: usize = 61 + 36;
const HEADER_OVERHEAD: usize = 10;

/// One record that leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub topic: Arc<str>,
    /// The partition that the record was read from: it keeps its number where the topic has it.
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
    pub headers: Vec<Header>,
    /// Milliseconds since 1970 UTC; `None` and 0 become the time of sending, which is all that librdkafka can express.
    pub timestamp_ms: Option<i64>,
}

impl Outgoing {
    /// Bytes that the record takes at most, alone in its batch and before compression.
    pub fn bytes(&self) -> usize {
        RECORD_OVERHEAD + self.content_bytes() + HEADER_OVERHEAD * self.headers.len()
    }

    /// Bytes of its key, payload and headers.
    pub(crate) fn content_bytes(&self) -> usize {
        schemas::content_bytes(self.key.as_deref(), self.payload.as_deref(), &self.headers)
    }

    /// Bytes that it takes in memory.
    pub fn held_bytes(&self) -> usize {
        schemas::held_bytes(self.key.as_deref(), self.payload.as_deref(), &self.headers)
    }

    /// The record for librdkafka; `place` comes back with its delivery report.
    pub(crate) fn record(&self, partition: i32, place: usize) -> BaseRecord<'_, [u8], [u8], usize> {
        let mut record = BaseRecord::with_opaque_to(&self.topic, place).partition(partition);
        record.key = self.key.as_deref();
        record.payload = self.payload.as_deref();
        record.timestamp = self.timestamp_ms;
        if !self.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(self.headers.len());
            record.headers = Some(self.headers.iter().fold(headers, |headers, header| {
                headers.insert(KafkaHeader { key: &header.name, value: header.value.as_deref() })
            }));
        }
        record
    }
}
