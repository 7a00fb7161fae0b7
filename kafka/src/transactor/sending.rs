//! An outbox on its way: what is still to be sent, where it goes, and the search for the records that a topic refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use rdkafka::error::RDKafkaErrorCode as Code;

use super::failure::Failure;
use super::isolation::Isolation;
use super::producer::Producer;
use crate::clock::now_ms;
use crate::error::TransactError;
use crate::limits::TopicLimits;
use crate::outbox::{Outbox, Refuse, Refused};
use crate::reaction::Step;
use crate::rule::{Rule, is_size};

/// The records of one transaction over all of its attempts.
pub(super) struct Sending<'a> {
    outbox: &'a mut Outbox,
    refuse: &'a mut Refuse<'a>,
    /// The partition of each record in its topic.
    pub(super) partitions: Vec<i32>,
    /// Delivered by an earlier attempt, where that cannot be taken back.
    pub(super) delivered: BTreeSet<usize>,
    isolation: Isolation,
}

impl<'a> Sending<'a> {
    /// Turns away what is surely refused, without asking the broker.
    ///
    /// # Errors
    /// As [`Self::reject`].
    pub(super) fn new(
        outbox: &'a mut Outbox,
        limits: &TopicLimits,
        refuse: &'a mut Refuse<'a>,
    ) -> Result<Self, TransactError> {
        let (partitions, delivered, isolation) = (Vec::new(), BTreeSet::new(), Isolation::default());
        let mut sending = Self { outbox, refuse, partitions, delivered, isolation };
        let now_ms = now_ms();
        for place in 0..sending.outbox.len() {
            if sending.outbox.is_unchecked(place)
                && let Some(rule) = limits.broken_by(sending.outbox.record(place), now_ms)
            {
                sending.reject(place, rule, limits, now_ms)?;
            }
        }
        Ok(sending)
    }

    pub(super) fn outbox(&self) -> &Outbox {
        self.outbox
    }

    /// The topics of all records.
    pub(super) fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.outbox.records().map(|record| &record.topic)
    }

    /// Sends the records in order, and waits for deliveries where the search for a refused one has cut them apart.
    pub(super) fn send(&self, producer: &mut Producer, deadline: Instant) -> Result<(), Failure> {
        for (place, partition) in self.partitions.iter().enumerate() {
            if self.isolation.is_cut(place) {
                producer.deliver(deadline)?;
            }
            if self.is_to_send(place) {
                producer.send(self.outbox.record(place), *partition, place, deadline)?;
            }
        }
        Ok(())
    }

    fn is_to_send(&self, place: usize) -> bool {
        !self.outbox.is_left_out(place) && !self.delivered.contains(&place)
    }

    /// The places of the records that are still to be sent.
    fn to_send(&self) -> impl Iterator<Item = usize> {
        (0..self.outbox.len()).filter(|place| self.is_to_send(*place))
    }

    /// Takes out the records that made an attempt fail, or has the suspects sent separately.
    ///
    /// # Errors
    /// As [`Self::reject`].
    pub(super) fn set_aside(&mut self, failure: &Failure, limits: &TopicLimits) -> Result<(), TransactError> {
        let now_ms = now_ms();
        // A request holds a record alone when that is larger than the topic's limit, so the answer means it.
        let is_sure = |(place, code): &(usize, Code)| {
            failure.step == Step::Produce || (is_size(*code) && limits.is_over(self.outbox.record(*place)))
        };
        let mut blamed: Vec<_> = failure.refused.iter().copied().filter(is_sure).collect();
        if let Some((_, code)) = blamed.first().copied() {
            blamed.iter().for_each(|_| self.isolation.found());
            if self.isolation.is_spent() {
                // One by one would take as many transactions as there are records.
                let is_large = |place: &usize| limits.is_over(self.outbox.record(*place));
                let large = self.to_send().filter(is_large).filter(|place| !self.outbox.is_final(*place));
                blamed.extend(large.map(|place| (place, code)));
            }
        } else {
            let lane = |place: usize| (place, (Arc::clone(&self.outbox.record(place).topic), self.partitions[place]));
            let lanes: BTreeMap<_, _> = self.to_send().map(lane).collect();
            let outbox = &*self.outbox;
            blamed = self.isolation.blame(&failure.refused, &lanes, |place| outbox.is_final(place));
        }
        // Each once: taking a record back twice would be a second refusal.
        let blamed: BTreeMap<usize, Code> = blamed.into_iter().collect();
        for (place, code) in blamed {
            let rule = limits.behind(code, self.outbox.record(place), now_ms);
            self.reject(place, rule, limits, now_ms)?;
        }
        Ok(())
    }

    /// Replaces a record with what the caller of the outbox says.
    ///
    /// # Errors
    /// What that one says instead: nothing can take the record's place.
    fn reject(&mut self, place: usize, rule: Rule, limits: &TopicLimits, now_ms: i64) -> Result<(), TransactError> {
        let refused = Refused { place, record: self.outbox.record(place), rule, limits, now_ms };
        let instead = (self.refuse)(refused)?;
        self.outbox.replace(place, instead);
        Ok(())
    }
}
