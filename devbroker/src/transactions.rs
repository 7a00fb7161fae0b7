//! The transaction coordinator: who owns a transactional id, which transaction is open, and when it times out.
//!
//! A pure state machine after Apache Kafka's `TransactionCoordinator` (protocol without KIP-890's second part). One step
//! differs: ending a transaction takes effect at once, markers and offsets together, so the states between prepare and
//! complete do not exist. The caller carries out each returned [`Ending`] under the same lock.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::ResponseError;

use crate::clock::Millis;

/// The epoch after which a producer gets a new producer id instead of a higher epoch, as in Kafka.
const EPOCH_MAX: i16 = i16::MAX - 1;

/// A producer id and its epoch. Of two epochs of one id, the higher fences the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

/// What ending a transaction does: a marker to each partition, and the pending offsets of each group kept or dropped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) producer: Identity,
    pub(crate) commit: bool,
    pub(crate) partitions: BTreeSet<(String, i32)>,
    pub(crate) groups: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Empty,
    Ongoing { since: Millis },
    Completed { commit: bool },
}

#[derive(Debug)]
struct Transaction {
    producer: Identity,
    /// The identity before the last bump that a client asked for, so that the client may ask again.
    previous: Option<Identity>,
    timeout: Millis,
    phase: Phase,
    partitions: BTreeSet<(String, i32)>,
    groups: BTreeSet<String>,
    used: Millis,
}

#[derive(Debug)]
pub(crate) struct Transactions {
    by_id: BTreeMap<String, Transaction>,
    next_producer_id: i64,
    timeout_max: Millis,
    ids_max: usize,
}

impl Transactions {
    pub(crate) fn new(timeout_max: Millis, ids_max: usize) -> Self {
        Self { by_id: BTreeMap::new(), next_producer_id: 0, timeout_max, ids_max }
    }

    /// A fresh identity for a producer without transactions.
    pub(crate) fn new_producer(&mut self) -> Identity {
        let id = self.next_producer_id;
        self.next_producer_id += 1;
        Identity { id, epoch: 0 }
    }

    /// InitProducerId: takes the transactional id over, fencing and aborting whoever had it. `expected` is the caller's own
    /// present identity if it has one (KIP-360).
    ///
    /// # Errors
    /// `INVALID_TRANSACTION_TIMEOUT`; `PRODUCER_FENCED` when the caller itself was fenced; `INVALID_REQUEST`.
    pub(crate) fn init(
        &mut self,
        transactional_id: &str,
        timeout: Millis,
        expected: Option<Identity>,
        now: Millis,
    ) -> Result<(Identity, Option<Ending>), ResponseError> {
        if transactional_id.is_empty() {
            return Err(ResponseError::InvalidRequest);
        }
        if timeout <= 0 || timeout > self.timeout_max {
            return Err(ResponseError::InvalidTransactionTimeout);
        }
        let fresh = Identity { id: self.next_producer_id, epoch: 0 };
        let Some(transaction) = self.by_id.get_mut(transactional_id) else {
            self.make_room()?;
            self.next_producer_id += 1;
            self.by_id.insert(transactional_id.to_owned(), Transaction::new(fresh, timeout, now));
            return Ok((fresh, None));
        };
        transaction.used = now;
        if let Some(expected) = expected
            && expected != transaction.producer
        {
            let asks_again = transaction.previous == Some(expected);
            return if asks_again { Ok((transaction.producer, None)) } else { Err(ResponseError::ProducerFenced) };
        }
        let ending = transaction.fence();
        transaction.timeout = timeout;
        transaction.phase = Phase::Empty;
        transaction.previous = expected;
        if transaction.producer.epoch >= EPOCH_MAX {
            transaction.producer = fresh;
            self.next_producer_id += 1;
        } else {
            transaction.producer.epoch += 1;
        }
        Ok((transaction.producer, ending))
    }

    /// AddPartitionsToTxn: opens a transaction if none is open.
    ///
    /// # Errors
    /// `INVALID_PRODUCER_ID_MAPPING`, `PRODUCER_FENCED`.
    pub(crate) fn add_partitions(
        &mut self,
        transactional_id: &str,
        producer: Identity,
        partitions: impl IntoIterator<Item = (String, i32)>,
        now: Millis,
    ) -> Result<(), ResponseError> {
        let transaction = self.owned(transactional_id, producer)?;
        transaction.open(now);
        transaction.partitions.extend(partitions);
        Ok(())
    }

    /// AddOffsetsToTxn: the same for a group's offsets.
    ///
    /// # Errors
    /// `INVALID_PRODUCER_ID_MAPPING`, `PRODUCER_FENCED`.
    pub(crate) fn add_group(
        &mut self,
        transactional_id: &str,
        producer: Identity,
        group: &str,
        now: Millis,
    ) -> Result<(), ResponseError> {
        let transaction = self.owned(transactional_id, producer)?;
        transaction.open(now);
        transaction.groups.insert(group.to_owned());
        Ok(())
    }

    /// EndTxn. `None` when the same end was asked for before.
    ///
    /// # Errors
    /// `INVALID_PRODUCER_ID_MAPPING`, `PRODUCER_FENCED`, `INVALID_TXN_STATE`.
    pub(crate) fn end(
        &mut self,
        transactional_id: &str,
        producer: Identity,
        commit: bool,
    ) -> Result<Option<Ending>, ResponseError> {
        let transaction = self.owned(transactional_id, producer)?;
        match transaction.phase {
            Phase::Ongoing { .. } => Ok(Some(transaction.complete(commit))),
            Phase::Completed { commit: done } if done == commit => Ok(None),
            Phase::Completed { .. } | Phase::Empty => Err(ResponseError::InvalidTxnState),
        }
    }

    /// Whether the producer may write to the partition as part of its open transaction.
    ///
    /// # Errors
    /// `INVALID_PRODUCER_ID_MAPPING`; `INVALID_PRODUCER_EPOCH` when fenced; `TRANSACTION_ABORTABLE` when the partition is
    /// not in the transaction (versions that do not know it say `INVALID_TXN_STATE`).
    pub(crate) fn verify_partition(
        &self,
        transactional_id: &str,
        producer: Identity,
        topic: &str,
        partition: i32,
    ) -> Result<(), ResponseError> {
        let transaction = self.verified(transactional_id, producer)?;
        // `BTreeSet<(String, i32)>` cannot be asked with a `&str`; a transaction holds few partitions.
        let holds = transaction.partitions.iter().any(|(name, index)| *index == partition && name == topic);
        if transaction.is_ongoing() && holds { Ok(()) } else { Err(ResponseError::TransactionAbortable) }
    }

    /// Whether the producer may commit the group's offsets as part of its open transaction.
    ///
    /// # Errors
    /// As [`Transactions::verify_partition`].
    pub(crate) fn verify_group(
        &self,
        transactional_id: &str,
        producer: Identity,
        group: &str,
    ) -> Result<(), ResponseError> {
        let transaction = self.verified(transactional_id, producer)?;
        let holds = transaction.is_ongoing() && transaction.groups.contains(group);
        if holds { Ok(()) } else { Err(ResponseError::TransactionAbortable) }
    }

    /// Aborts and fences every transaction that has been open for longer than its time-out.
    pub(crate) fn expire(&mut self, now: Millis) -> Vec<Ending> {
        let late = |transaction: &&mut Transaction| match transaction.phase {
            Phase::Ongoing { since } => now >= since.saturating_add(transaction.timeout),
            Phase::Empty | Phase::Completed { .. } => false,
        };
        self.by_id.values_mut().filter(late).filter_map(Transaction::fence).collect()
    }

    fn owned(&mut self, transactional_id: &str, producer: Identity) -> Result<&mut Transaction, ResponseError> {
        if transactional_id.is_empty() {
            return Err(ResponseError::InvalidRequest);
        }
        let transaction = self.by_id.get_mut(transactional_id).ok_or(ResponseError::InvalidProducerIdMapping)?;
        if transaction.producer.id != producer.id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if transaction.producer.epoch != producer.epoch {
            return Err(ResponseError::ProducerFenced);
        }
        Ok(transaction)
    }

    fn verified(&self, transactional_id: &str, producer: Identity) -> Result<&Transaction, ResponseError> {
        let transaction = self.by_id.get(transactional_id).ok_or(ResponseError::InvalidProducerIdMapping)?;
        if transaction.producer.id != producer.id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if transaction.producer.epoch != producer.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        Ok(transaction)
    }

    /// Forgets the idle transactional id unused for longest when there are too many.
    fn make_room(&mut self) -> Result<(), ResponseError> {
        if self.by_id.len() < self.ids_max {
            return Ok(());
        }
        let idle = self.by_id.iter().filter(|(_, transaction)| !transaction.is_ongoing());
        let oldest = idle.min_by_key(|(_, transaction)| transaction.used).map(|(id, _)| id.clone());
        self.by_id.remove(&oldest.ok_or(ResponseError::CoordinatorNotAvailable)?);
        Ok(())
    }
}

impl Transaction {
    fn new(producer: Identity, timeout: Millis, now: Millis) -> Self {
        Self {
            producer,
            previous: None,
            timeout,
            phase: Phase::Empty,
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
            used: now,
        }
    }

    fn is_ongoing(&self) -> bool {
        matches!(self.phase, Phase::Ongoing { .. })
    }

    fn open(&mut self, now: Millis) {
        self.used = now;
        if !self.is_ongoing() {
            self.phase = Phase::Ongoing { since: now };
        }
    }

    fn complete(&mut self, commit: bool) -> Ending {
        self.phase = Phase::Completed { commit };
        Ending {
            producer: self.producer,
            commit,
            partitions: std::mem::take(&mut self.partitions),
            groups: std::mem::take(&mut self.groups),
        }
    }

    /// Aborts an open transaction under a higher epoch, so that its owner can do no more in it.
    fn fence(&mut self) -> Option<Ending> {
        if !self.is_ongoing() {
            return None;
        }
        self.producer.epoch = self.producer.epoch.saturating_add(1);
        self.previous = None;
        Some(self.complete(false))
    }
}
