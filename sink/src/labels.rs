//! Labelled batches to Kafka: what each record of the outbox stands for, and what takes its place when its topic refuses it.
//!
//! Labelled events come encoded ([`Encoder`]). One that is refused becomes a dead letter in its place; a dead letter takes
//! a form that its topic takes, so it is written here, where the topic's rules are known.

mod contents;
mod encoder;
mod letter;

use std::sync::Arc;

use kafka::error::TransactError;
use kafka::identity::Identity;
use kafka::lease::LeaseFn;
use kafka::transactor::{Published, Transactor};
use schemas::Batch;

pub use encoder::{Encoder, LabelRecord};
pub use letter::digest;

use crate::publisher::Publisher;
use crate::settings::SinkConfig;
use contents::{Address, Contents};

/// Publishes each batch in one transaction: its labels, its dead letters and its offsets.
pub struct KafkaPublisher {
    transactor: Transactor,
    address: Address,
}

impl KafkaPublisher {
    /// Connects, settles what an earlier process of this instance left open, and finds the topics.
    ///
    /// # Errors
    /// When no broker answers within `sink.connect_wait_ms`, a topic is missing, or this user may not write.
    pub fn connect(config: &SinkConfig, identity: Identity, lease: LeaseFn) -> Result<Self, TransactError> {
        let address = Address {
            output: Arc::from(config.output_topic.as_str()),
            dead_letters: Arc::from(config.dead_letter_topic.as_str()),
        };
        let topics = [Arc::clone(&address.output), Arc::clone(&address.dead_letters)];
        let transactor = Transactor::connect(config.transactor.clone(), identity, lease, &topics)?;
        Ok(Self { transactor, address })
    }
}

impl Publisher for KafkaPublisher {
    fn publish(&mut self, batch: Batch<LabelRecord>) -> Result<Published, TransactError> {
        let limits = self.transactor.limits([&self.address.output, &self.address.dead_letters]);
        let mut records = Vec::with_capacity(batch.items().len());
        let batch = batch.try_map(|LabelRecord { raw, record }| {
            records.push(record);
            Ok(raw)
        });
        let (mut contents, mut outbox) = Contents::of(&batch, records, &self.address, limits);
        let published =
            self.transactor.transact(&mut outbox, batch.ticket(), &mut |refused| contents.refuse(&refused))?;
        if published == Published::Committed {
            contents.published();
        }
        Ok(published)
    }
}
