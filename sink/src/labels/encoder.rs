//! A labelled event as the record that leaves, encoded before its transaction: a publisher only hands it on.

use std::sync::Arc;

use formats::{EncodeError, EncodedEvent, Layout};
use kafka::outgoing::Outgoing;
use schemas::{Header, LabeledEvent, RawEvent};

use crate::settings::SinkConfig;

/// Encodes labelled events for the output topic; cheap, and without knowledge of any broker.
#[derive(Clone, Debug)]
pub struct Encoder {
    output: Arc<str>,
    layout: Layout,
}

/// A record of the output topic, beside the record that was read: what a dead letter keeps if the topic refuses it.
#[derive(Clone, Debug)]
pub struct LabelRecord {
    pub raw: RawEvent,
    pub record: Outgoing,
}

impl Encoder {
    pub fn new(config: &SinkConfig) -> Self {
        Self::of(config.output_topic(), config.layout)
    }

    /// An encoder for one topic.
    pub fn of(output: &str, layout: Layout) -> Self {
        Self { output: Arc::from(output), layout }
    }

    /// The text and the user's value are let go: they are in the payload now.
    ///
    /// # Errors
    /// None in practice: see [`formats::encode`].
    pub fn encode(&self, labeled: LabeledEvent) -> Result<LabelRecord, EncodeError> {
        let EncodedEvent { payload, headers } = formats::encode(&labeled, self.layout)?;
        let record = outgoing(&self.output, &labeled.event.raw, Some(payload), headers);
        Ok(LabelRecord { raw: labeled.event.raw, record })
    }
}

/// A record of a topic under the key, the partition number and the time of the record that it stands for.
pub(super) fn outgoing(topic: &Arc<str>, raw: &RawEvent, payload: Option<Vec<u8>>, headers: Vec<Header>) -> Outgoing {
    Outgoing {
        topic: Arc::clone(topic),
        partition: raw.origin.partition,
        key: raw.key.clone(),
        payload,
        headers,
        timestamp_ms: raw.timestamp_ms,
    }
}
