//! What this user may do, asked of the broker in ways that change nothing.
//!
//! No client library asks for rights as such, so each is tried with a request that Kafka refuses for another reason, and
//! it looks at the rights first: a record under acknowledgements that do not exist, the start of a producer with a
//! transaction time-out above the broker's limit, an offset of a topic that does not exist. Nothing is written, no running
//! producer is fenced, no group is joined.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::connection::Connection;
use crate::error::ClientError;
use crate::listener::Listener;
use crate::reaction::ErrorKind;

/// Between two looks for an answer.
const LOOK: Duration = Duration::from_millis(5);
/// Kafka knows 0, 1 and all.
const NO_SUCH_ACKNOWLEDGEMENTS: &str = "2";
/// In the year 5138: refused as a second guard, should a broker take the acknowledgements.
const NO_SUCH_TIME_MS: i64 = 100_000_000_000_000;
/// The longest time-out that can be said; brokers allow 15 minutes unless set otherwise.
const NO_SUCH_TIMEOUT_MS: &str = "2147483647";
const NO_SUCH_TOPIC: &str = "labelstream-check.no-such-topic";

/// Asks with the connection's properties, within a time for each question.
pub struct Rights {
    client: ClientConfig,
    wait: Duration,
}

impl Rights {
    pub fn new(connection: &Connection, wait: Duration) -> Self {
        let mut client = connection.client();
        client.set("allow.auto.create.topics", "false");
        Self { client, wait }
    }

    /// Write on a topic, by a record that no broker takes.
    ///
    /// # Errors
    /// What the broker says instead, such as `TopicAuthorizationFailed`.
    pub fn write(&self, topic: &str) -> Result<(), ClientError> {
        let mut client = self.client.clone();
        client
            .set("acks", NO_SUCH_ACKNOWLEDGEMENTS)
            .set("enable.idempotence", "false")
            .set("linger.ms", "0")
            .set("message.timeout.ms", self.wait.as_millis().to_string());
        let producer: BaseProducer<Answers> = client.create_with_context(Answers::default())?;
        let record = BaseRecord::<(), [u8]>::to(topic).partition(0).payload(&[]).timestamp(NO_SUCH_TIME_MS);
        producer.send(record).map_err(|(error, _)| error)?;
        let answer = self.poll(&producer, || producer.context().delivered())?;
        match answer.rdkafka_error_code() {
            Some(Code::InvalidRequiredAcks | Code::InvalidTimestamp) => Ok(()),
            _ => Err(answer.into()),
        }
    }

    /// Write on a transactional id, by the start of a producer that is refused for its time-out.
    ///
    /// # Errors
    /// What the broker says instead, such as `TransactionalIdAuthorizationFailed`.
    pub fn transactional_id(&self, id: &str) -> Result<(), ClientError> {
        let mut client = self.client.clone();
        client.set("transactional.id", id).set("transaction.timeout.ms", NO_SUCH_TIMEOUT_MS);
        let producer: BaseProducer<Answers> = client.create_with_context(Answers::default())?;
        match producer.init_transactions(self.wait) {
            Err(error) if error.rdkafka_error_code() == Some(Code::InvalidTransactionTimeout) => Ok(()),
            answer => Ok(answer?),
        }
    }

    /// `IdempotentWrite` on the cluster, or Write on a topic, which implies it since Kafka 3.0.
    ///
    /// # Errors
    /// What the broker says, such as `ClusterAuthorizationFailed`.
    pub fn idempotence(&self) -> Result<(), ClientError> {
        let mut client = self.client.clone();
        client.set("enable.idempotence", "true").set("statistics.interval.ms", "50");
        let producer: BaseProducer<Answers> = client.create_with_context(Answers::default())?;
        let answer = self.poll(&producer, || {
            let denied = producer.client().fatal_error().map(|(code, _)| Err(KafkaError::Global(code)));
            denied.or_else(|| producer.context().has_producer_id.load(Ordering::Relaxed).then_some(Ok(())))
        });
        Ok(answer??)
    }

    /// Read on a group, by the offset of a topic that does not exist.
    ///
    /// # Errors
    /// What the broker says about the group, such as `GroupAuthorizationFailed`.
    pub fn commit(&self, group: &str) -> Result<(), ClientError> {
        let mut client = self.client.clone();
        // Nobody joins: this only bounds how long librdkafka looks for the coordinator.
        client.set("group.id", group).set("session.timeout.ms", self.wait.as_millis().to_string());
        let consumer: BaseConsumer<Listener> = client.create_with_context(Listener::default())?;
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(NO_SUCH_TOPIC, 0, Offset::Offset(0))?;
        match consumer.commit(&offsets, CommitMode::Sync) {
            Err(error) if error.rdkafka_error_code().is_some_and(is_about_the_topic) => Ok(()),
            answer => Ok(answer?),
        }
    }

    /// Read on a topic, by fetching at its end.
    ///
    /// # Errors
    /// What the broker says, such as `TopicAuthorizationFailed`.
    pub fn read(&self, topic: &str) -> Result<(), ClientError> {
        let mut client = self.client.clone();
        client
            .set("group.id", "labelstream-check")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true");
        let consumer: BaseConsumer<Listener> = client.create_with_context(Listener::default())?;
        let mut end = TopicPartitionList::new();
        end.add_partition_offset(topic, 0, Offset::End)?;
        consumer.assign(&end)?;
        let deadline = Instant::now() + self.wait;
        while Instant::now() < deadline {
            match consumer.poll(LOOK * 20) {
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Ok(()),
                Some(Err(error)) if ErrorKind::of_error(&error) == ErrorKind::Unreachable => {}
                Some(Err(error)) => return Err(error.into()),
                None => {}
            }
        }
        Err(no_answer().into())
    }

    fn poll<T>(&self, producer: &BaseProducer<Answers>, answer: impl Fn() -> Option<T>) -> KafkaResult<T> {
        let deadline = Instant::now() + self.wait;
        loop {
            producer.poll(Duration::ZERO);
            if let Some(answer) = answer() {
                return Ok(answer);
            }
            if Instant::now() >= deadline {
                return Err(no_answer());
            }
            thread::sleep(LOOK);
        }
    }
}

fn no_answer() -> KafkaError {
    KafkaError::Global(Code::OperationTimedOut)
}

/// The group's right was looked at before.
fn is_about_the_topic(code: Code) -> bool {
    matches!(code, Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::TopicAuthorizationFailed)
}

/// What came back to a producer.
#[derive(Default)]
struct Answers {
    delivered: Mutex<Option<KafkaError>>,
    has_producer_id: AtomicBool,
}

impl Answers {
    fn delivered(&self) -> Option<KafkaError> {
        self.delivered.lock().take()
    }
}

impl ClientContext for Answers {
    fn stats(&self, statistics: Statistics) {
        let is_known = statistics.eos.is_some_and(|eos| eos.producer_id >= 0);
        self.has_producer_id.fetch_or(is_known, Ordering::Relaxed);
    }

    /// The answers say it to the caller.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka reported an error while checking permissions");
    }
}

impl ProducerContext for Answers {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        // A broker that took the record grants the right, too.
        let answer = match result {
            Ok(_) => KafkaError::MessageProduction(Code::InvalidRequiredAcks),
            Err((error, _)) => error.clone(),
        };
        *self.delivered.lock() = Some(answer);
    }
}
