//! Which generation is current, and under which group metadata its batches may be published.
//!
//! The poll thread ends a generation before partitions go: it refuses new leases and waits for the publish in progress.
//! The publisher takes a lease per batch; a batch whose generation is over gets none and is dropped, because its records
//! are read again. The metadata is taken when a generation begins and never at commit time: by then it would name the
//! group's next generation, and the broker could fence nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::{Generation, Ticket};

type Commit = Arc<dyn Fn(&TopicPartitionList) -> KafkaResult<()> + Send + Sync>;

/// The generations of one consumer, shared between its poll thread, its reader and the publisher.
pub struct Leases {
    state: Mutex<State>,
    returned: Condvar,
    /// The current generation's number, for the reader to compare once per record without the lock.
    number: AtomicU64,
    lost_records: AtomicU64,
    begun_again: AtomicU64,
}

/// What could not be read, since the source was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Offsets of records that were deleted before they were read: as many records, or fewer where offsets have gaps.
    pub records: u64,
    /// Times that a partition's log was found to be another one than the group had read.
    pub begun_again: u64,
}

struct State {
    generation: Generation,
    metadata: Option<Arc<ConsumerGroupMetadata>>,
    assigned: Option<Assigned>,
    held: usize,
    /// Commits through the consumer, while there is one.
    commit: Option<Commit>,
}

/// The partitions that are read under a generation, each standing at its committed offset when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    pub generation: Generation,
    pub partitions: BTreeMap<(Arc<str>, i32), PartitionProgress>,
    /// Where the logs ended when the generation began, of partitions whose start was found then.
    pub ends: BTreeMap<(Arc<str>, i32), i64>,
}

/// How far a partition is read; kept up to date only for sources that tell ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The offset after the last record that the source has read, which may be on its way to the reader.
    pub read_to: Option<i64>,
    /// A moment ago nothing was left to read.
    pub is_at_end: bool,
}

/// What a publisher asks for the right to publish a batch of a generation; `None` when that generation is over.
pub type LeaseFn = Box<dyn Fn(Generation) -> Option<Lease> + Send>;

/// The right to publish one batch. While it is held, a rebalance waits, up to `source.revoke_wait_ms`.
pub struct Lease {
    leases: Arc<Leases>,
    metadata: Arc<ConsumerGroupMetadata>,
}

impl Leases {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                generation: Generation::default(),
                metadata: None,
                assigned: None,
                held: 0,
                commit: None,
            }),
            returned: Condvar::new(),
            number: AtomicU64::new(Generation::default().number()),
            lost_records: AtomicU64::new(0),
            begun_again: AtomicU64::new(0),
        })
    }

    /// The right to publish a batch of `generation`, or `None` when that generation is over.
    pub fn lease(self: &Arc<Self>, generation: Generation) -> Option<Lease> {
        let mut state = self.state.lock();
        if state.generation != generation {
            return None;
        }
        let metadata = Arc::clone(state.metadata.as_ref()?);
        state.held += 1;
        Some(Lease { leases: Arc::clone(self), metadata })
    }

    /// The same for a publisher that asks whenever it has a batch.
    pub fn lease_fn(self: &Arc<Self>) -> LeaseFn {
        let leases = Arc::clone(self);
        Box::new(move |generation| leases.lease(generation))
    }

    /// The generation under which records are read now.
    pub fn generation(&self) -> Generation {
        self.state.lock().generation
    }

    /// What is read now; `None` while the group decides, or before every partition stands at its committed offset.
    ///
    /// No record of a generation is handed over before its partitions are known here.
    pub fn assigned(&self) -> Option<Assigned> {
        let state = self.state.lock();
        state.assigned.clone().filter(|assigned| assigned.generation == state.generation)
    }

    /// What this source could not read: a run that works up to the end has not done all of its work.
    pub fn losses(&self) -> Losses {
        Losses {
            records: self.lost_records.load(Ordering::Acquire),
            begun_again: self.begun_again.load(Ordering::Acquire),
        }
    }

    pub(crate) fn lost(&self, records: u64) {
        self.lost_records.fetch_add(records, Ordering::AcqRel);
    }

    pub(crate) fn begun_again(&self) {
        self.begun_again.fetch_add(1, Ordering::AcqRel);
    }

    /// The partitions of `generation`, which begins to be read.
    pub(crate) fn settled(&self, assigned: Assigned) {
        self.state.lock().assigned = Some(assigned);
    }

    /// How far partitions are read; those that are no longer assigned are passed over.
    pub(crate) fn progressed(&self, progress: impl IntoIterator<Item = ((Arc<str>, i32), PartitionProgress)>) {
        let mut state = self.state.lock();
        let Some(assigned) = &mut state.assigned else { return };
        for (slot, progress) in progress {
            if let Some(known) = assigned.partitions.get_mut(&slot) {
                *known = progress;
            }
        }
    }

    pub(crate) fn is_current(&self, generation: Generation) -> bool {
        self.number.load(Ordering::Acquire) == generation.number()
    }

    /// The way to commit for this consumer, for as long as it lives.
    pub(crate) fn attach<C: ConsumerContext + 'static>(&self, consumer: &Arc<BaseConsumer<C>>) {
        let consumer = Arc::downgrade(consumer);
        let commit = move |offsets: &TopicPartitionList| {
            let consumer = consumer.upgrade().ok_or(KafkaError::ConsumerCommit(RDKafkaErrorCode::State))?;
            consumer.commit(offsets, CommitMode::Sync)
        };
        self.state.lock().commit = Some(Arc::new(commit));
    }

    /// Begins a new generation and waits for the publish in progress. False: it was still going on after `wait`; the
    /// broker will refuse its offsets if they come too late.
    ///
    /// The metadata stays: after a rewind the group's own generation is the same.
    pub(crate) fn end_generation(&self, wait: Duration) -> bool {
        let mut state = self.state.lock();
        state.generation = state.generation.next();
        self.number.store(state.generation.number(), Ordering::Release);
        !self.returned.wait_while_for(&mut state, |state| state.held > 0, wait).timed_out()
    }

    /// Stores the group metadata of the generation that has just begun.
    pub(crate) fn renew(&self, metadata: Option<ConsumerGroupMetadata>) {
        self.state.lock().metadata = metadata.map(Arc::new);
    }
}

impl Lease {
    /// The group metadata of the generation, which the offsets of a transaction are sent under.
    pub(crate) fn metadata(&self) -> &ConsumerGroupMetadata {
        &self.metadata
    }

    /// Commits a ticket's offsets through the consumer: for publishing at least once, where no transaction carries them.
    ///
    /// # Errors
    /// What the broker answered; `_STATE` when the consumer is closed.
    pub(crate) fn commit(&self, ticket: &Ticket) -> KafkaResult<()> {
        let commit = self.leases.state.lock().commit.clone();
        commit.ok_or(KafkaError::ConsumerCommit(RDKafkaErrorCode::State))?(&offsets_of(ticket)?)
    }
}

/// The offsets that a ticket covers, for librdkafka.
///
/// # Errors
/// When one of them is none that Kafka knows.
pub(crate) fn offsets_of(ticket: &Ticket) -> KafkaResult<TopicPartitionList> {
    let mut offsets = TopicPartitionList::with_capacity(ticket.next_offsets().len());
    for ((topic, partition), next) in ticket.next_offsets() {
        offsets.add_partition_offset(topic, *partition, Offset::Offset(*next))?;
    }
    Ok(offsets)
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.state.lock().held -= 1;
        self.leases.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use rdkafka::config::ClientConfig;

    use super::*;

    /// A consumer that never connects still has group metadata.
    fn metadata() -> Option<ConsumerGroupMetadata> {
        let consumer: BaseConsumer =
            ClientConfig::new().set("group.id", "leases").create().expect("a group id is enough");
        consumer.group_metadata()
    }

    #[test]
    fn a_lease_is_had_only_for_the_current_generation() {
        let leases = Leases::new();
        let first = leases.generation();
        assert!(leases.lease(first).is_none(), "no metadata yet");
        leases.renew(metadata());
        assert!(leases.lease(first).is_some());
        assert!(leases.lease(first.next()).is_none());
        assert!(leases.end_generation(Duration::ZERO));
        assert!(leases.lease(first).is_none());
        assert!(leases.lease(first.next()).is_some(), "the metadata outlives a rewind");
    }

    #[test]
    fn an_assignment_is_known_for_its_own_generation_only() {
        let leases = Leases::new();
        assert_eq!(leases.assigned(), None);
        let slot = (Arc::<str>::from("in"), 3);
        let partitions = BTreeMap::from([(slot.clone(), PartitionProgress::default())]);
        leases.settled(Assigned { generation: leases.generation(), partitions, ends: BTreeMap::new() });
        let progress = PartitionProgress { read_to: Some(7), is_at_end: true };
        leases.progressed([(slot.clone(), progress), ((Arc::from("in"), 4), progress)]);
        let assigned = leases.assigned().expect("it was just settled");
        assert_eq!(assigned.partitions, BTreeMap::from([(slot, progress)]));
        leases.end_generation(Duration::ZERO);
        assert_eq!(leases.assigned(), None, "the next generation's partitions are not known yet");
    }

    #[test]
    fn the_end_of_a_generation_waits_for_the_publish_in_progress_and_no_longer() {
        let leases = Leases::new();
        leases.renew(metadata());
        let lease = leases.lease(leases.generation()).expect("current");
        assert!(!leases.end_generation(Duration::from_millis(20)), "the wait is bounded");
        let started = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(50));
                drop(lease);
            });
            assert!(leases.end_generation(Duration::from_secs(20)));
        });
        assert!(started.elapsed() >= Duration::from_millis(50));
    }
}
