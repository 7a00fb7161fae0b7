//! Records to Kafka: one transaction holds the records of an outbox and the offsets of the ticket that they stand for.
//!
//! An outbox is published under the group metadata of its ticket's generation, or dropped. What the broker says is judged
//! in one place (`reaction`): the same call again, an abort and the same records again from memory, the records discarded, or
//! the end of the process. A commit without a clear answer is settled, and the committed offsets are read again. With
//! `at_least_once` the records are delivered first and the offsets are committed after them.
//!
//! It does not know what its records mean: who filled the outbox says what replaces one that its topic
//! refuses.

mod budget;
pub mod config;
mod failure;
mod isolation;
mod producer;
mod recovery;
mod sending;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::Producer as _;
use schemas::{Generation, Recovery, Ticket};
use service::backoff::jittered;

use crate::error::{TransactError, advice};
use crate::identity::Identity;
use crate::lease::{Lease, LeaseFn};
use crate::limits::TopicLimits;
use crate::metrics::{self, TransactionEnd};
use crate::outbox::{Instead, LeftOut, Outbox, Refuse, Refused};
use crate::outgoing::Outgoing;
use crate::partitions::{self, Partitions};
use crate::reaction::Step;
use config::{Compression, TransactorConfig};
use failure::Failure;
use producer::Producer;
use sending::Sending;

/// Asking for the settings of topics: without an answer publishing goes on, so it may not take long.
const RULES_WAIT: Duration = Duration::from_secs(5);

/// What became of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// Records and offsets are visible together.
    Committed,
    /// The ticket's generation is over: nothing was published, its records will be read again.
    Stale,
}

/// Publishes records with the offsets that they stand for, all or nothing, under leases of their generations.
pub struct Transactor {
    producer: Option<Producer>,
    lease: LeaseFn,
    config: TransactorConfig,
    identity: Identity,
    limits: TopicLimits,
    partitions: Partitions,
    /// The broker refused this generation: everything up to it is void, whatever its lease says.
    stale_through: Option<Generation>,
}

impl Transactor {
    /// Connects, settles what an earlier process of this instance left open, and finds `topics`; others are found when
    /// the first record goes there.
    ///
    /// # Errors
    /// When no broker answers within `sink.connect_wait_ms`, a topic is missing, or this user may not write.
    pub fn connect(
        config: TransactorConfig,
        identity: Identity,
        lease: LeaseFn,
        topics: &[Arc<str>],
    ) -> Result<Self, TransactError> {
        let age_max = config.partitions_age_max;
        let partitions = Partitions::new(age_max, config.publish_wait);
        let is_compressed = config.compression != Compression::None;
        let rules_wait = RULES_WAIT.min(config.connect_wait);
        let limits = TopicLimits::new(config.message_bytes_max, is_compressed, age_max, rules_wait);
        let mut transactor = Self { producer: None, lease, config, identity, limits, partitions, stale_through: None };
        if !topics.is_empty() {
            transactor.limits(topics);
        }
        transactor.reconnect()?;
        for topic in topics {
            transactor.find(topic)?;
        }
        Ok(transactor)
    }

    /// What these topics take, as far as it is known; asked for again when it is old.
    pub fn limits<'a>(&mut self, topics: impl IntoIterator<Item = &'a Arc<str>>) -> &TopicLimits {
        self.limits.refresh(topics.into_iter(), &self.identity.connection);
        &self.limits
    }

    /// Passes records on as they are, with the offsets of `ticket`, all or nothing.
    ///
    /// # Errors
    /// As [`Self::transact`]; [`TransactError::Refused`] for a record that its topic refuses.
    pub fn forward(&mut self, records: Vec<Outgoing>, ticket: &Ticket) -> Result<Published, TransactError> {
        let mut refuse = |Refused { record, rule, .. }: Refused<'_>| {
            let (what, topic) = ("a record".to_owned(), record.topic.to_string());
            Err(TransactError::Refused { what, topic, rule: rule.to_string() })
        };
        self.pass_on(records, ticket, &mut refuse)
    }

    /// As [`Self::forward`], without the records that their topics refuse: they are told, and passed by.
    ///
    /// # Errors
    /// As [`Self::transact`].
    pub fn forward_the_accepted(
        &mut self,
        records: Vec<Outgoing>,
        ticket: &Ticket,
    ) -> Result<(Published, Vec<LeftOut>), TransactError> {
        let mut left_out = Vec::new();
        let mut refuse = |Refused { place, record, rule, .. }: Refused<'_>| {
            left_out.push(LeftOut { place, topic: Arc::clone(&record.topic), rule: rule.to_string() });
            Ok(Instead::Nothing)
        };
        let published = self.pass_on(records, ticket, &mut refuse)?;
        Ok((published, left_out))
    }

    fn pass_on<'a>(
        &mut self,
        records: Vec<Outgoing>,
        ticket: &Ticket,
        refuse: &'a mut Refuse<'a>,
    ) -> Result<Published, TransactError> {
        self.limits(records.iter().map(|record| &record.topic));
        self.transact(&mut Outbox::from(records), ticket, refuse)
    }

    /// Publishes what is in the outbox, with the offsets of `ticket`, all or nothing. Blocks until it is visible or known
    /// not to be. `refuse` says what takes the place of a record that its topic refuses.
    ///
    /// # Errors
    /// [`Recovery::Rewind`]: the committed offsets say what is visible, all of it or nothing.
    /// [`Recovery::Exit`]: what is left open is settled by the next start.
    pub fn transact<'a>(
        &mut self,
        outbox: &'a mut Outbox,
        ticket: &Ticket,
        refuse: &'a mut Refuse<'a>,
    ) -> Result<Published, TransactError> {
        let mut sending = Sending::new(outbox, &self.limits, refuse)?;
        let generation = ticket.generation();
        let mut attempt = 1;
        loop {
            let lease = if self.stale_through >= Some(generation) { None } else { (self.lease)(generation) };
            let Some(lease) = lease else {
                metrics::transaction(TransactionEnd::Stale);
                return Ok(Published::Stale);
            };
            self.reconnect()?;
            sending.partitions = self.places(sending.outbox())?;
            let Err(failure) = self.attempt(&sending, ticket, &lease) else {
                metrics::transaction(TransactionEnd::Committed);
                metrics::published(sending.outbox().content_bytes());
                return Ok(Published::Committed);
            };
            let is_narrowed = !failure.refused.is_empty();
            self.recover(failure, &mut sending, ticket, attempt)?;
            drop(lease); // a rebalance need not wait for the pause
            // A search for what a topic refuses makes progress with every attempt and comes to an end by itself.
            if self.stale_through < Some(generation) && !is_narrowed {
                metrics::retried();
                thread::sleep(jittered(self.config.retry_wait, attempt));
                attempt += 1;
            }
        }
    }

    /// One attempt: everything becomes visible, or a step fails.
    fn attempt(&mut self, sending: &Sending<'_>, ticket: &Ticket, lease: &Lease) -> Result<(), Failure> {
        let producer = self.producer.as_mut().ok_or_else(gone)?;
        let started = Instant::now();
        let deadline = started + self.config.publish_wait;
        producer.begin()?;
        sending.send(producer, deadline)?;
        producer.deliver(deadline)?;
        if producer.transactional {
            producer.add_offsets(ticket, lease, deadline)?;
        } else {
            lease.commit(ticket).map_err(|error| Failure::new(Step::Offsets, error))?;
        }
        let offsets = Instant::now();
        if producer.transactional {
            producer.commit(self.config.commit_wait)?;
        }
        producer.reachable();
        metrics::timed(started.elapsed(), offsets.elapsed());
        Ok(())
    }

    /// The partition of each record; looked up before the transaction begins, because it may ask the broker.
    fn places(&mut self, outbox: &Outbox) -> Result<Vec<i32>, TransactError> {
        let place = |record: &Outgoing| Ok(partitions::place(record.partition, self.find(&record.topic)?));
        outbox.records().map(place).collect()
    }

    /// The number of a topic's partitions.
    fn find(&mut self, topic: &Arc<str>) -> Result<i32, TransactError> {
        self.reconnect()?;
        let count = match &self.producer {
            Some(producer) => self.partitions.count(topic, producer.client().client()),
            None => Err(KafkaError::Canceled),
        };
        count.map_err(|error| {
            if error.rdkafka_error_code() == Some(Code::TopicAuthorizationFailed) {
                return TransactError::hidden(topic, &self.identity);
            }
            let advice = advice(&error);
            // What no advice helps against is a broker that does not answer: it may do so later.
            let recovery = if advice.is_some() { Recovery::Exit } else { Recovery::Rewind };
            let reason = advice.map_or_else(|| error.to_string(), str::to_owned);
            TransactError::exit(format!("to topic {topic}"), reason).with(recovery)
        })
    }
}

/// Starts a producer as a transactor does, and drops it: whether the cluster and this user's rights allow it.
///
/// # Errors
/// As [`Transactor::connect`].
pub fn try_start(config: &TransactorConfig, identity: &Identity) -> Result<(), TransactError> {
    Producer::connect(config, identity, None).map(drop)
}

/// No producer: each publish makes sure of one first.
fn gone() -> Failure {
    Failure::new(Step::Begin, KafkaError::Canceled)
}
