//! A plain producer without transactions, for commands that play an application of the user's: every record that Kafka did
//! not take is told.

use std::thread;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};

use crate::connection::Connection;
use crate::error::ClientError;

/// Between looks for room in the send queue.
const NAP: Duration = Duration::from_millis(20);

/// Sends records on librdkafka's own thread.
pub struct Writer {
    producer: ThreadedProducer<Reports>,
}

/// A record whose partition its key decides.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    pub topic: &'a str,
    pub key: &'a [u8],
    pub payload: Option<&'a [u8]>,
    /// Name and value of its one header.
    pub header: (&'a str, &'a [u8]),
    /// Comes back when the record was not taken.
    pub number: u64,
}

impl Writer {
    /// `not_taken` hears the number of every record that Kafka did not take.
    ///
    /// # Errors
    /// When librdkafka refuses the options.
    pub fn connect(
        connection: &Connection,
        not_taken: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<Self, ClientError> {
        let producer = connection.client().create_with_context(Reports(Box::new(not_taken)))?;
        Ok(Self { producer })
    }

    /// Puts a record into the send queue, and waits for room in it.
    ///
    /// # Errors
    /// When librdkafka refuses the record.
    pub fn send(&self, written: Written<'_>) -> Result<(), ClientError> {
        let Written { topic, key, payload, header: (name, value), number } = written;
        let headers = OwnedHeaders::new().insert(Header { key: name, value: Some(value) });
        let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, Box::new(number)).key(key).headers(headers);
        record.payload = payload;
        loop {
            record = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(Code::QueueFull), back)) => {
                    thread::sleep(NAP);
                    back
                }
                Err((error, _)) => return Err(error.into()),
            };
        }
    }

    /// Waits until every record is taken, or is told as not taken.
    ///
    /// # Errors
    /// When `wait` is over before.
    pub fn flush(&self, wait: Duration) -> Result<(), ClientError> {
        Ok(self.producer.flush(wait)?)
    }
}

struct Reports(Box<dyn Fn(u64) + Send + Sync>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Box<u64>) {
        if let Err((error, _)) = result {
            tracing::warn!(%error, "a record was not delivered");
            (self.0)(*number);
        }
    }
}
