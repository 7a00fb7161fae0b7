//! Batches to Kafka: one transaction per batch holds its labels, its dead letters and its offsets.
//!
//! A batch is published under the group metadata of its own generation, or dropped. What the broker says is judged in one
//! place (`verdict`): the same call again, an abort and the same batch again from memory, the batch let go, or the end
//! of the process. A commit without a clear answer is settled, and the committed offsets are read again. With
//! `at_least_once` the labels are delivered first and the offsets are committed after them.

mod budget;
mod isolation;
mod letter;
mod outgoing;
mod producer;
pub mod reach;
mod recovery;
mod refusal;
mod rights;
mod rules;
pub mod topics;
mod verdict;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::Deref;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::Producer as _;
use schemas::{Batch, Generation, LabeledEvent, Recovery, Ticket};

pub use letter::digest;
pub use outgoing::{Outgoing, Refused};
pub use rules::{TopicRules, topic_rules};

use crate::metrics::{self, Outcome};
use crate::publisher::{PublishError, Published, Publisher};
use crate::settings::{Guarantee, Identity, SinkConfig};
use outgoing::{Address, Parcel};
use producer::{Failure, Producer};
use rules::now_ms;
use topics::Partitions;
use verdict::Step;

/// Commits a ticket's offsets outside of a transaction: for [`Guarantee::AtLeastOnce`].
pub type CommitOffsets<G> = Box<dyn Fn(&G, &Ticket) -> Result<(), KafkaError> + Send>;

/// Publishes batches under leases `G` of their generations, which `L` grants.
pub struct KafkaPublisher<L, G> {
    producer: Option<Producer>,
    lease: L,
    commit_offsets: CommitOffsets<G>,
    config: SinkConfig,
    identity: Identity,
    address: Address,
    partitions: Partitions,
    /// The broker refused this generation: everything up to it is void, whatever its lease says.
    stale_through: Option<Generation>,
}

impl<L, G> KafkaPublisher<L, G>
where
    L: Fn(Generation) -> Option<G>,
    G: Deref<Target = ConsumerGroupMetadata>,
{
    /// Connects, settles what an earlier process of this instance left open, and finds the topics.
    ///
    /// `commit_offsets` is called with [`Guarantee::AtLeastOnce`] only.
    ///
    /// # Errors
    /// When no broker answers within `sink.connect_wait_ms`, a topic is missing, or this user may not write.
    pub fn connect(
        config: SinkConfig,
        identity: Identity,
        lease: L,
        commit_offsets: CommitOffsets<G>,
    ) -> Result<Self, PublishError> {
        let mut publisher = Self::open(config, identity, lease, commit_offsets);
        publisher.refresh_rules();
        publisher.reconnect()?;
        for topic in [Arc::clone(&publisher.address.output), Arc::clone(&publisher.address.dead_letters)] {
            publisher.find(&topic)?;
        }
        Ok(publisher)
    }

    /// Connects for [`Self::forward`] alone: exactly once, to topics that are found when the first record goes there.
    ///
    /// # Errors
    /// When no broker answers within `sink.connect_wait_ms`.
    pub fn forwarder(mut config: SinkConfig, identity: Identity, lease: L) -> Result<Self, PublishError> {
        config.guarantee = Guarantee::ExactlyOnce;
        let mut publisher = Self::open(config, identity, lease, Box::new(|_, _| Ok(())));
        publisher.reconnect()?;
        Ok(publisher)
    }

    /// Not connected yet.
    fn open(config: SinkConfig, identity: Identity, lease: L, commit_offsets: CommitOffsets<G>) -> Self {
        let partitions = Partitions::new(config.partitions_age_max, config.publish_wait);
        let address = Address::of(&config);
        Self { producer: None, lease, commit_offsets, config, identity, address, partitions, stale_through: None }
    }

    /// Learns what the output topics take.
    fn refresh_rules(&mut self) {
        let topics = [Arc::clone(&self.address.output), Arc::clone(&self.address.dead_letters)];
        self.address.rules.refresh(topics.iter(), &self.identity);
    }

    /// The number of a topic's partitions.
    fn find(&mut self, topic: &Arc<str>) -> Result<i32, PublishError> {
        self.reconnect()?;
        let count = match &self.producer {
            Some(producer) => self.partitions.count(topic, producer.client().client()),
            None => Err(KafkaError::Canceled),
        };
        count.map_err(|error| {
            if error.rdkafka_error_code() == Some(Code::TopicAuthorizationFailed) {
                return rights::hidden(topic, &self.identity);
            }
            let advice = error.rdkafka_error_code().and_then(verdict::advice);
            // What no advice helps against is a broker that does not answer: it may do so later.
            let recovery = if advice.is_some() { Recovery::Exit } else { Recovery::Rewind };
            exit(format!("to topic {topic}"), advice.map_or_else(|| error.to_string(), str::to_owned)).with(recovery)
        })
    }

    /// Passes records on as they are, with the offsets of `ticket`, all or nothing.
    ///
    /// # Errors
    /// As [`Publisher::publish`]; [`PublishError::Refused`] for a record that its topic refuses.
    pub fn forward(&mut self, records: Vec<Outgoing>, ticket: &Ticket) -> Result<Published, PublishError> {
        self.pass_on(records, false, ticket).map(|(published, _)| published)
    }

    /// As [`Self::forward`], without the records that their topics refuse: they are told, and passed by.
    ///
    /// # Errors
    /// As [`Publisher::publish`].
    pub fn forward_the_accepted(
        &mut self,
        records: Vec<Outgoing>,
        ticket: &Ticket,
    ) -> Result<(Published, Vec<Refused>), PublishError> {
        self.pass_on(records, true, ticket)
    }

    fn pass_on(
        &mut self,
        records: Vec<Outgoing>,
        may_leave_out: bool,
        ticket: &Ticket,
    ) -> Result<(Published, Vec<Refused>), PublishError> {
        self.address.rules.refresh(records.iter().map(|record| &record.topic), &self.identity);
        let mut parcel = Parcel::forward(records, may_leave_out, &self.address, now_ms())?;
        let published = self.publish_parcel(&mut parcel, ticket)?;
        Ok((published, parcel.into_refused()))
    }

    fn publish_parcel(&mut self, parcel: &mut Parcel<'_>, ticket: &Ticket) -> Result<Published, PublishError> {
        let generation = ticket.generation();
        let mut attempt = 1;
        loop {
            let lease = if self.stale_through >= Some(generation) { None } else { (self.lease)(generation) };
            let Some(lease) = lease else {
                metrics::transaction(Outcome::Stale);
                return Ok(Published::Stale);
            };
            self.reconnect()?;
            parcel.places = self.places(parcel)?;
            let Err(failure) = self.transact(parcel, ticket, &lease) else {
                metrics::transaction(Outcome::Committed);
                parcel.published();
                return Ok(Published::Committed);
            };
            let is_narrowed = !failure.refused.is_empty();
            self.recover(failure, parcel, ticket, attempt)?;
            drop(lease); // a rebalance need not wait for the pause
            // A search for what a topic refuses makes progress with every attempt and comes to an end by itself.
            if self.stale_through < Some(generation) && !is_narrowed {
                metrics::retried();
                thread::sleep(pause(self.config.retry_wait, attempt));
                attempt += 1;
            }
        }
    }

    /// One attempt: everything becomes visible, or a step fails.
    fn transact(&mut self, parcel: &Parcel<'_>, ticket: &Ticket, lease: &G) -> Result<(), Failure> {
        let producer = self.producer.as_mut().ok_or_else(gone)?;
        let started = Instant::now();
        let deadline = started + self.config.publish_wait;
        producer.begin()?;
        send_all(producer, parcel, deadline)?;
        producer.deliver(deadline)?;
        if producer.transactional {
            producer.add_offsets(ticket, lease, deadline)?;
        } else {
            (self.commit_offsets)(lease, ticket).map_err(|error| Failure::new(Step::Offsets, error))?;
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
    fn places(&mut self, parcel: &Parcel<'_>) -> Result<Vec<i32>, PublishError> {
        let place = |record: &Outgoing| Ok(topics::place(record.partition, self.find(&record.topic)?));
        parcel.records().iter().map(place).collect()
    }
}

impl<L, G> Publisher for KafkaPublisher<L, G>
where
    L: Fn(Generation) -> Option<G>,
    G: Deref<Target = ConsumerGroupMetadata>,
{
    fn publish(&mut self, batch: Batch<LabeledEvent>) -> Result<Published, PublishError> {
        self.refresh_rules();
        let mut parcel = Parcel::of(&batch, &self.address, now_ms())?;
        self.publish_parcel(&mut parcel, batch.ticket())
    }
}

/// Sends the records in order, and waits for deliveries where the search for a refused one has cut them apart.
fn send_all(producer: &mut Producer, parcel: &Parcel<'_>, deadline: Instant) -> Result<(), Failure> {
    for (place, (record, partition)) in parcel.records().iter().zip(&parcel.places).enumerate() {
        if parcel.isolation.is_cut(place) {
            producer.deliver(deadline)?;
        }
        if parcel.is_to_send(place) {
            producer.send(record, *partition, place, deadline)?;
        }
    }
    Ok(())
}

/// The wait before attempt `attempt + 1`: doubling, at most 32 times the first, and between half and all of it, so that
/// replicas do not come back in step.
fn pause(first: Duration, attempt: u32) -> Duration {
    let whole = first * 2u32.pow(attempt.min(6) - 1);
    let share = u32::from(RandomState::new().hash_one(attempt).to_le_bytes()[0]);
    whole / 2 + whole / 2 * share / 255
}

/// No producer: each publish makes sure of one first.
fn gone() -> Failure {
    Failure::new(Step::Begin, KafkaError::Canceled)
}

/// An error that ends the process.
fn exit(what: String, reason: String) -> PublishError {
    PublishError::Broker { what, reason, recovery: Recovery::Exit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_is_bounded_and_varies() {
        let first = Duration::from_millis(100);
        for (attempt, whole) in [(1, 100), (2, 200), (6, 3200), (60, 3200)] {
            let pause = pause(first, attempt).as_millis();
            assert!((whole / 2..=whole).contains(&pause), "{attempt}: {pause}");
        }
        let pauses: std::collections::BTreeSet<_> = (0..100).map(|_| pause(first, 1)).collect();
        assert!(pauses.len() > 1);
    }
}
