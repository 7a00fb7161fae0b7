//! Asking the brokers something before there is a producer: waits as long as it may, says at once why nobody answers, and
//! says it again when it gives up.
//!
//! The question goes through a producer's client that never sends a record: of rdkafka's clients the one for administration
//! hears nothing of what happens to its connections.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer as _, ProducerContext};

use crate::connection::Connection;
use crate::error::TransactError;
use crate::outage::Outage;
use crate::reaction::ErrorKind;
use crate::topic_state::{TopicState, state};

/// The first try: what is wrong is told when it is over. Later ones are twice as long each, up to the bound, for brokers
/// that are far away.
const FIRST_TRY: Duration = Duration::from_secs(1);
const TRY_MAX: Duration = Duration::from_secs(8);
/// How long the client's events are served after a try that failed.
const LISTEN: Duration = Duration::from_millis(50);

/// A client that asks.
pub(crate) struct Asker {
    client: BaseProducer<Heard>,
    brokers: String,
    wait: Duration,
    said: bool,
}

/// What was heard of the connections.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Trouble>);

#[derive(Default)]
struct Trouble {
    outage: Outage,
    /// The brokers know this user and refuse: waiting does not help.
    is_refused: bool,
}

impl Asker {
    /// `wait` is for all brokers together, per question.
    pub(crate) fn new(connection: &Connection, wait: Duration) -> Result<Self, TransactError> {
        // By asking for a topic nobody creates it: brokers would, by default.
        let client = connection.client().set("allow.auto.create.topics", "false").create_with_context(Heard::default());
        let client =
            client.map_err(|error| TransactError::exit(format!("to {}", connection.brokers()), error.to_string()))?;
        Ok(Self { client, brokers: connection.brokers().to_owned(), wait, said: false })
    }

    /// The state of a topic; `None` when `goes_on` says that nobody waits any longer.
    pub(crate) fn topic(
        &mut self,
        name: &str,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Option<TopicState>, TransactError> {
        let deadline = Instant::now() + self.wait;
        let mut length = FIRST_TRY;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match state(self.client.client(), name, length.min(left)) {
                Ok(state) => {
                    self.reached();
                    return Ok(Some(state));
                }
                Err(error) => error,
            };
            self.client.poll(LISTEN);
            let (cause, is_refused) = self.heard();
            let is_over =
                Instant::now() >= deadline || is_refused || ErrorKind::of_error(&error) != ErrorKind::Unreachable;
            if is_over {
                let cause = cause.unwrap_or_else(|| error.to_string());
                let wait_s = self.wait.as_secs();
                return Err(TransactError::Unreachable { brokers: self.brokers.clone(), wait_s, cause });
            }
            if !goes_on() {
                return Ok(None);
            }
            if let Some(cause) = cause.filter(|_| !self.said) {
                self.said = true;
                let (brokers, wait_s) = (&self.brokers, self.wait.as_secs());
                tracing::warn!(brokers, cause, "no broker can be reached; waiting for {wait_s} s");
            }
            length = (length * 2).min(TRY_MAX);
        }
    }

    fn reached(&mut self) {
        if std::mem::take(&mut self.said) {
            tracing::info!(brokers = self.brokers, "brokers can be reached now");
        }
    }

    fn heard(&self) -> (Option<String>, bool) {
        let trouble = self.client.context().0.lock();
        (trouble.outage.cause(), trouble.is_refused)
    }
}

impl ClientContext for Heard {
    /// Every failure also arrives as an event, or as the result of the question.
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let mut trouble = self.0.lock();
        match error.rdkafka_error_code() {
            Some(Code::AllBrokersDown) => {} // how many, not why
            code => {
                trouble.is_refused |= code.is_some_and(|code| ErrorKind::of(code) == ErrorKind::Credentials);
                trouble.outage.note(reason);
            }
        }
    }
}

impl ProducerContext for Heard {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// Waits until a broker answers; false when `goes_on` said that nobody waits any longer. `topic` is one to ask for: it need
/// not exist.
///
/// # Errors
/// [`TransactError::Unreachable`] with the cause.
pub fn reach(
    connection: &Connection,
    topic: &str,
    wait: Duration,
    goes_on: &dyn Fn() -> bool,
) -> Result<bool, TransactError> {
    Ok(Asker::new(connection, wait)?.topic(topic, goes_on)?.is_some())
}
