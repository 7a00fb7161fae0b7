//! Which records a topic takes, by their keys and their times; a refusal names them, as Apache Kafka's does.

use bytes::Bytes;
use kafka_protocol::ResponseError;

use crate::batch::{self, BatchHeader};
use crate::clock::Millis;

/// Kafka's `NO_TIMESTAMP`: a record that carries none is of no wrong time.
const NO_TIMESTAMP: Millis = -1;

/// What a topic does with the times of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// `message.timestamp.type=LogAppendTime`: each batch gets the time at which it arrives.
    pub(crate) stamps: bool,
    /// `message.timestamp.before.max.ms`.
    pub(crate) before_max: Millis,
    /// `message.timestamp.after.max.ms`.
    pub(crate) after_max: Millis,
}

impl Default for Times {
    fn default() -> Self {
        Self { stamps: false, before_max: Millis::MAX, after_max: 3_600_000 }
    }
}

/// A batch that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ResponseError,
    /// The records at fault by their place in the batch; empty when it is the batch as a whole.
    pub(crate) records: Vec<i32>,
}

impl From<ResponseError> for Refusal {
    fn from(code: ResponseError) -> Self {
        Self { code, records: Vec::new() }
    }
}

impl Times {
    fn refuses(self, timestamp: Millis, now: Millis) -> bool {
        let is_old = now.saturating_sub(timestamp) > self.before_max;
        !self.stamps && timestamp != NO_TIMESTAMP && (is_old || self.is_ahead(timestamp, now))
    }

    fn is_ahead(self, timestamp: Millis, now: Millis) -> bool {
        !self.stamps && timestamp.saturating_sub(now) > self.after_max
    }
}

/// Checks the records of a batch; it is opened only where that can matter.
///
/// # Errors
/// `INVALID_TIMESTAMP` when a record's time is out of range, else `INVALID_RECORD` when a key is missing.
pub(crate) fn check(
    header: &BatchHeader,
    data: &[u8],
    needs_keys: bool,
    times: Times,
    now: Millis,
) -> Result<(), Refusal> {
    let is_ahead = times.is_ahead(header.max_timestamp, now);
    if !needs_keys && !is_ahead && (times.stamps || times.before_max == Millis::MAX) {
        return Ok(());
    }
    let Some(opened) = batch::records::open(&Bytes::copy_from_slice(data)) else {
        let code = if is_ahead { ResponseError::InvalidTimestamp } else { ResponseError::CorruptMessage };
        return Err(code.into());
    };
    let (mut records, mut code) = (Vec::new(), ResponseError::InvalidRecord);
    for (place, record) in (0..).zip(&opened.records) {
        if needs_keys && record.key.is_none() {
            records.push(place);
        } else if times.refuses(record.timestamp, now) {
            records.push(place);
            code = ResponseError::InvalidTimestamp;
        }
    }
    if records.is_empty() { Ok(()) } else { Err(Refusal { code, records }) }
}
