//! The producer with its delivery reports: send, wait for every report, add offsets, commit, abort.
//!
//! Reports are awaited before anything else is asked: rdkafka's own flush and commit otherwise wait in slices of 100 ms.
//! Its `poll` spins for the time that it is given, so it is polled without a wait, and the thread sleeps in between.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer as _, ProducerContext};
use schemas::{Recovery, Ticket};

use super::budget::Budget;
use super::config::{Guarantee, TransactorConfig};
use super::failure::{self, Failure};
use crate::error::TransactError;
use crate::identity::Identity;
use crate::lease::{Lease, offsets_of};
use crate::outgoing::Outgoing;
use crate::reaction::{ErrorKind, Reaction, Step, judge};

/// Between looks at delivery reports: far below the milliseconds that a delivery takes, far above a busy loop.
const LOOK: Duration = Duration::from_micros(200);
/// One attempt to start as transactional producer, between two log lines.
const INIT_SLICE: Duration = Duration::from_secs(5);

/// One call of an abort, between two looks at delivery reports.
const ABORT_SLICE: Duration = Duration::from_millis(20);
/// One call of a commit, which goes on where the last one stopped; see [`Budget`].
const COMMIT_SLICE: Duration = Duration::from_millis(500);

pub(super) struct Producer {
    client: BaseProducer<Reports>,
    pub(super) transactional: bool,
    /// A transaction has begun and was not seen to end.
    is_open: bool,
    sent: usize,
}

/// Delivery reports since the last begin, and the last error event.
#[derive(Default)]
pub(super) struct Reports(Mutex<Reported>);

#[derive(Default)]
struct Reported {
    /// The places of records that are delivered.
    acknowledged: Vec<usize>,
    failed: Vec<(usize, Code)>,
    /// Topics that this user may not write to.
    denied: BTreeSet<String>,
    error: String,
    is_outage: bool,
}

impl Producer {
    /// Connects; as transactional producer it also aborts what an earlier process of this instance left open, and fences
    /// it.
    ///
    /// # Errors
    /// [`Recovery::Rewind`] when no broker answers in time: a running pipeline may try again.
    ///
    /// `batch_bytes_max` is the least that the topics take in one batch, where it is known.
    pub(super) fn connect(
        config: &TransactorConfig,
        identity: &Identity,
        batch_bytes_max: Option<usize>,
    ) -> Result<Self, TransactError> {
        let transactional = config.guarantee == Guarantee::ExactlyOnce;
        let client: BaseProducer<Reports> = config
            .producer(identity, batch_bytes_max)
            .create_with_context(Reports::default())
            .map_err(|error| TransactError::exit(format!("to {}", identity.brokers()), error.to_string()))?;
        let producer = Self { client, transactional, is_open: false, sent: 0 };
        if transactional {
            producer.init(config.connect_wait, identity)?;
        }
        Ok(producer)
    }

    fn init(&self, wait: Duration, identity: &Identity) -> Result<(), TransactError> {
        let deadline = Instant::now() + wait;
        loop {
            let slice = INIT_SLICE.min(deadline.saturating_duration_since(Instant::now()));
            let Err(error) = self.client.init_transactions(slice) else { return Ok(()) };
            self.client.poll(Duration::ZERO);
            let reaction = judge(Step::Init, &error);
            let may_pass = matches!(reaction, Reaction::CallAgain | Reaction::TryAgain);
            if !may_pass || Instant::now() >= deadline {
                let failure = Failure::new(Step::Init, error);
                let recovery = if may_pass { Recovery::Rewind } else { Recovery::Exit };
                return Err(failure::error(&failure, &self.reason(), identity).with(recovery));
            }
            let reason = self.reason();
            tracing::warn!(brokers = identity.brokers(), %error, reason, "waiting for the brokers");
            thread::sleep(LOOK);
        }
    }

    /// Begins a transaction, where there are any.
    pub(super) fn begin(&mut self) -> Result<(), Failure> {
        self.sent = 0;
        self.client.context().0.lock().clear();
        if !self.transactional {
            return Ok(());
        }
        self.client.begin_transaction().map_err(|error| Failure::new(Step::Begin, error))?;
        self.is_open = true;
        Ok(())
    }

    /// Puts a record into the send queue; waits for room in it until `deadline`.
    pub(super) fn send(
        &mut self,
        outgoing: &Outgoing,
        partition: i32,
        place: usize,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let mut record = outgoing.record(partition, place);
        loop {
            let Err((error, back)) = self.client.send(record) else {
                self.sent += 1;
                return Ok(());
            };
            let code = error.rdkafka_error_code();
            if code == Some(Code::State)
                && let Err(cause) = self.deliver(deadline)
            {
                return Err(cause); // an earlier record failed, and its report was not looked at yet
            }
            if code == Some(Code::TopicAuthorizationFailed) {
                // An earlier record of the topic was answered already: librdkafka takes no more for it.
                self.client.context().0.lock().denied.insert(outgoing.topic.to_string());
            }
            if code != Some(Code::QueueFull) || Instant::now() >= deadline {
                let refused = code
                    .filter(|code| ErrorKind::of(*code) == ErrorKind::Refused)
                    .map(|code| (place, code))
                    .into_iter()
                    .collect();
                return Err(Failure { refused, ..Failure::new(Step::Produce, error) });
            }
            self.client.poll(Duration::ZERO);
            thread::sleep(LOOK);
            record = back;
        }
    }

    /// Waits until every record sent since the begin is acknowledged.
    ///
    /// The failure of one record purges the others, and their reports may come before its own: the cause is waited for.
    pub(super) fn deliver(&self, deadline: Instant) -> Result<(), Failure> {
        loop {
            self.client.poll(Duration::ZERO);
            let reported = self.client.context().0.lock();
            let is_complete = reported.acknowledged.len() + reported.failed.len() >= self.sent;
            let cause = reported.failed.iter().find(|(_, code)| ErrorKind::of(*code) != ErrorKind::Consequence);
            let consequence = reported.failed.first().filter(|_| is_complete);
            if let Some((_, code)) = cause.or(consequence) {
                return Err(Failure {
                    refused: reported
                        .failed
                        .iter()
                        .filter(|(_, code)| ErrorKind::of(*code) == ErrorKind::Refused)
                        .copied()
                        .collect(),
                    ..Failure::new(Step::Deliver, KafkaError::MessageProduction(*code))
                });
            }
            if is_complete {
                return Ok(());
            }
            drop(reported);
            if Instant::now() >= deadline {
                return Err(Failure::new(Step::Deliver, KafkaError::MessageProduction(Code::MessageTimedOut)));
            }
            thread::sleep(LOOK);
        }
    }

    /// Adds a ticket's offsets to the transaction, under the group metadata of its generation.
    pub(super) fn add_offsets(&self, ticket: &Ticket, lease: &Lease, deadline: Instant) -> Result<(), Failure> {
        let offsets = offsets_of(ticket).map_err(|error| Failure::new(Step::Offsets, error))?;
        if offsets.count() == 0 {
            return Ok(());
        }
        // Not in slices: librdkafka holds the answers against the time that the first call was given.
        let wait = deadline.saturating_duration_since(Instant::now());
        let budget = Budget::new(wait, wait);
        let metadata = lease.metadata();
        self.repeat(Step::Offsets, budget, |left| self.client.send_offsets_to_transaction(&offsets, metadata, left))
    }

    /// Commits. An error leaves open whether the broker has committed, but for [`Reaction::Fenced`].
    pub(super) fn commit(&mut self, wait: Duration) -> Result<(), Failure> {
        let budget = Budget::new(wait, COMMIT_SLICE);
        self.repeat(Step::Commit, budget, |slice| self.client.commit_transaction(slice))?;
        self.is_open = false;
        Ok(())
    }

    /// Aborts the transaction: the broker has confirmed that nothing of it becomes visible.
    ///
    /// # Errors
    /// [`Reaction::Fenced`] when another process took over; [`Reaction::CallAgain`] when no broker answered; else this
    /// producer is of no more use, and the start of another one aborts what it left open.
    pub(super) fn abort(&mut self, wait: Duration) -> Result<(), Failure> {
        let half = wait / 2;
        // Aborting while the first record's partition is still being added to the transaction can break the producer
        // (librdkafka #4849), so an answer to a record is awaited first.
        let mut budget = Budget::new(half, ABORT_SLICE);
        while !self.is_answered() && !budget.spend().is_zero() {
            self.client.poll(Duration::ZERO);
            thread::sleep(LOOK);
        }
        // An abort purges what is queued and waits for its reports, which are served between the slices.
        self.repeat(Step::Abort, Budget::new(half, ABORT_SLICE), |slice| self.client.abort_transaction(slice))?;
        self.is_open = false;
        Ok(())
    }

    fn is_answered(&self) -> bool {
        let reported = self.client.context().0.lock();
        self.sent == 0
            || !reported.acknowledged.is_empty()
            || !reported.failed.is_empty()
            || self.client.client().fatal_error().is_some()
    }

    /// What a failure goes back to. After a fatal error, or one that a transaction must be aborted for, librdkafka throws
    /// the records away: their reports then say nothing but that.
    pub(super) fn cause(&self, failure: Failure) -> Failure {
        self.client.poll(Duration::ZERO);
        let first = self.client.client().fatal_error().map(|(code, _)| code).or_else(|| self.abort_cause());
        let reported = self.client.context().0.lock();
        let is_cause = |code: &Code| ErrorKind::of(*code) != ErrorKind::Consequence;
        let own = failure.error.rdkafka_error_code();
        let delivered = || reported.failed.iter().map(|(_, code)| *code).find(is_cause);
        let code =
            first.filter(is_cause).or_else(|| if own.is_some_and(|own| !is_cause(&own)) { delivered() } else { None });
        let topics = reported.denied.iter().cloned().collect();
        // The same code comes with more words where it was first seen.
        let error = code.filter(|code| own != Some(*code)).map_or(failure.error, KafkaError::Global);
        Failure { step: failure.step, error, refused: failure.refused, topics }
    }

    /// Why the open transaction can only be aborted. Whoever asks for another transaction is told; it never begins,
    /// because one is open.
    fn abort_cause(&self) -> Option<Code> {
        if !self.is_open {
            return None;
        }
        match self.client.begin_transaction() {
            Err(KafkaError::Transaction(error)) if error.txn_requires_abort() => Some(error.code()),
            _ => None,
        }
    }

    /// librdkafka's own words about the last error.
    pub(super) fn reason(&self) -> String {
        std::mem::take(&mut self.client.context().0.lock().error)
    }

    /// The places of records that are delivered. Those under way are waited for: they may be visible already, and would be
    /// twice when they are sent again.
    pub(super) fn delivered(&self, wait: Duration) -> Vec<usize> {
        let deadline = Instant::now() + wait;
        loop {
            self.client.poll(Duration::ZERO);
            let reported = self.client.context().0.lock();
            if reported.acknowledged.len() + reported.failed.len() >= self.sent || Instant::now() >= deadline {
                return reported.acknowledged.clone();
            }
            drop(reported);
            thread::sleep(LOOK);
        }
    }

    pub(super) fn reachable(&self) {
        let mut reported = self.client.context().0.lock();
        if std::mem::take(&mut reported.is_outage) {
            tracing::info!("brokers can be reached again for publishing");
        }
    }

    pub(super) fn client(&self) -> &BaseProducer<Reports> {
        &self.client
    }

    /// Calls again while librdkafka says that the same call may succeed.
    fn repeat(
        &self,
        step: Step,
        mut budget: Budget,
        mut call: impl FnMut(Duration) -> Result<(), KafkaError>,
    ) -> Result<(), Failure> {
        loop {
            let slice = budget.left.min(budget.slice).max(Duration::from_millis(1));
            let Err(error) = call(slice) else { return Ok(()) };
            self.client.poll(Duration::ZERO);
            if judge(step, &error) != Reaction::CallAgain || budget.spend().is_zero() {
                return Err(Failure::new(step, error));
            }
            thread::sleep(LOOK);
        }
    }
}

impl Reported {
    fn clear(&mut self) {
        self.acknowledged.clear();
        self.failed.clear();
        self.denied.clear();
    }
}

impl ClientContext for Reports {
    /// Every failure also arrives as a report or a result, where it is judged.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // Nothing else names the topic that may not be added to a transaction.
        if facility == "ADDPARTS"
            && message.contains("authorization failed")
            && let Some(topic) = message.split('"').nth(1)
        {
            self.0.lock().denied.insert(topic.to_owned());
        }
        if level as u8 <= RDKafkaLogLevel::Warning as u8 && facility == "CONFWARN" {
            tracing::warn!(target: "librdkafka", facility, message);
        } else {
            tracing::debug!(target: "librdkafka", facility, message);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let mut reported = self.0.lock();
        reason.clone_into(&mut reported.error);
        // One lost connection is no outage: an idle one is closed by its broker.
        let is_outage = error.rdkafka_error_code() == Some(Code::AllBrokersDown);
        if is_outage && !reported.is_outage {
            reported.is_outage = true;
            tracing::warn!(reason, "no broker can be reached for publishing; waiting");
        }
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        let mut reported = self.0.lock();
        match result {
            Ok(_) => reported.acknowledged.push(place),
            Err((error, message)) => {
                let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
                tracing::debug!(topic = message.topic(), partition = message.partition(), %error, "not delivered");
                if code == Code::TopicAuthorizationFailed {
                    reported.denied.insert(message.topic().to_owned());
                }
                reported.failed.push((place, code));
            }
        }
    }
}
