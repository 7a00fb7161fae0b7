//! How records leave: the guarantee, the compression, and how long each step may take. Every producer option is set here.

use std::num::NonZeroU32;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use serde::Deserialize;

use crate::identity::Identity;

/// librdkafka's default of `batch.size`.
const BATCH_BYTES: usize = 1_000_000;

/// What readers of the output may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guarantee {
    /// Records and offsets become visible together, in one transaction.
    ExactlyOnce,
    /// Offsets are committed after the records: a crash between the two repeats records.
    AtLeastOnce,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// Checked settings of a [`super::Transactor`], by whoever reads them.
#[derive(Clone, Debug)]
pub struct TransactorConfig {
    pub guarantee: Guarantee,
    pub compression: Compression,
    /// How long the broker keeps a transaction of a dead process open; readers of the output wait that long.
    pub transaction_timeout: Duration,
    /// Producing records, their delivery and their offsets, per attempt.
    pub publish_wait: Duration,
    /// Committing a transaction.
    pub commit_wait: Duration,
    /// Aborting a transaction.
    pub abort_wait: Duration,
    /// Reaching the brokers at the start.
    pub connect_wait: Duration,
    /// Attempts per transaction, the first included.
    pub attempts_max: NonZeroU32,
    /// The wait before the second attempt; it doubles each time.
    pub retry_wait: Duration,
    /// The largest record, before compression.
    pub message_bytes_max: usize,
    /// How old the known number of partitions may be, and what is known of the topics' settings.
    pub partitions_age_max: Duration,
}

impl TransactorConfig {
    /// The same, in transactions.
    #[must_use]
    pub fn exactly_once(self) -> Self {
        Self { guarantee: Guarantee::ExactlyOnce, ..self }
    }

    /// The same for other topics, which take records of this size.
    #[must_use]
    pub fn with_message_bytes_max(self, bytes: usize) -> Self {
        Self { message_bytes_max: bytes, ..self }
    }

    /// Every producer option that we depend on, with its reason.
    pub(super) fn producer(&self, identity: &Identity, batch_bytes_max: Option<usize>) -> ClientConfig {
        let mut client = identity.client();
        let mut set = |name: &str, value: &dyn ToString| {
            client.set(name, value.to_string());
        };
        if self.guarantee == Guarantee::ExactlyOnce {
            // The same after a restart: the start then aborts at once what a dead process left open.
            set("transactional.id", &identity.transactional_id());
            set("transaction.timeout.ms", &self.transaction_timeout.as_millis());
        }
        // No duplicates and no reordering by the producer's own retries; implies acks=all.
        set("enable.idempotence", &true);
        set("acks", &"all");
        // The most that idempotence allows while keeping the order.
        set("max.in.flight.requests.per.connection", &5);
        // A batch is complete when it is sent; waiting for more would only delay the commit.
        set("linger.ms", &0);
        set("compression.type", &self.compression.property());
        set("message.max.bytes", &self.message_bytes_max);
        // Records that a topic takes one by one must not be refused together.
        set("batch.size", &batch_bytes_max.unwrap_or(BATCH_BYTES).clamp(1, BATCH_BYTES));
        // A delivery fails before the transaction's own time is over, so that there is time to abort.
        set("message.timeout.ms", &self.publish_wait.as_millis());
        // A batch fits at once; its size is bounded by the reading edge.
        set("queue.buffering.max.messages", &1_000_000);
        set("queue.buffering.max.kbytes", &1_048_576);
        // A misspelt topic must be an error and not a new topic.
        set("allow.auto.create.topics", &false);
        client
    }
}

impl Compression {
    fn property(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Connection;

    #[test]
    fn librdkafka_takes_the_producer_options() {
        let connection = Connection::plaintext("localhost:1");
        let identity = Identity { connection, group: "group".to_owned(), instance: "one".to_owned() };
        for guarantee in [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce] {
            let config = TransactorConfig {
                guarantee,
                compression: Compression::Lz4,
                transaction_timeout: Duration::from_secs(30),
                publish_wait: Duration::from_secs(15),
                commit_wait: Duration::from_secs(10),
                abort_wait: Duration::from_secs(10),
                connect_wait: Duration::from_secs(60),
                attempts_max: NonZeroU32::MIN,
                retry_wait: Duration::from_millis(50),
                message_bytes_max: 1_000_000,
                partitions_age_max: Duration::from_secs(60),
            };
            for batch_bytes_max in [None, Some(500), Some(5_000_000)] {
                let made: Result<rdkafka::producer::BaseProducer, _> =
                    config.producer(&identity, batch_bytes_max).create();
                assert!(made.is_ok(), "{:?}", made.err());
            }
        }
    }
}
