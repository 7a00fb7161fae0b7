//! After a failed step: what it goes back to, and a producer that is ready for the next attempt.
//!
//! A fenced producer is never followed by another one under its transactional id: that would fence the rightful owner.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use rdkafka::consumer::ConsumerGroupMetadata;
use schemas::{Generation, Recovery, Ticket};

use super::outgoing::Parcel;
use super::producer::{Failure, Producer};
use super::rules::now_ms;
use super::verdict::{self, Step, Verdict};
use super::{KafkaPublisher, exit, refusal, rights};
use crate::metrics::{self, Outcome};
use crate::publisher::PublishError;
use crate::settings::{Guarantee, Identity};

impl<L, G> KafkaPublisher<L, G>
where
    L: Fn(Generation) -> Option<G>,
    G: Deref<Target = ConsumerGroupMetadata>,
{
    /// Aborts, and says by returning that the batch may be tried again or is stale; else by an error.
    pub(super) fn recover(
        &mut self,
        failure: Failure,
        parcel: &mut Parcel<'_>,
        ticket: &Ticket,
        attempt: u32,
    ) -> Result<(), PublishError> {
        let failure = self.cause(failure, parcel, ticket);
        let verdict = if failure.refused.is_empty() { failure.verdict() } else { Verdict::TryAgain };
        let reason = self.producer.as_ref().map(Producer::reason).unwrap_or_default();
        if matches!(verdict, Verdict::Fenced | Verdict::Exit) {
            if failure.step != Step::Commit
                && let Some(producer) = self.producer.as_mut().filter(|producer| producer.transactional)
                && producer.abort(self.config.abort_wait).is_err()
            {
                tracing::debug!("left the transaction open; the next start aborts it");
            }
            return Err(error(&failure, &reason, &self.identity));
        }
        if failure.step == Step::Commit {
            metrics::transaction(Outcome::Unresolved);
            self.settle(&failure, &reason, ticket.generation())?;
        } else {
            metrics::transaction(Outcome::Aborted);
            self.give_up(&failure, parcel, verdict)?;
        }
        if verdict == Verdict::Stale {
            tracing::info!(
                error = %failure.error,
                "the group rebalanced during a publish; its records are discarded and read again"
            );
            self.stale_through = Some(ticket.generation());
            return Ok(());
        }
        if !failure.refused.is_empty() {
            return refusal::set_aside(parcel, &failure, &self.address, now_ms());
        }
        if attempt >= self.config.attempts_max.get() {
            return Err(error(&failure, &reason, &self.identity).with(Recovery::Rewind));
        }
        let step = failure.step.name();
        tracing::warn!(step, error = %failure.error, reason, attempt, "publish failed, retrying the same batch");
        Ok(())
    }

    /// Makes the attempt void, and the producer ready for the next one.
    fn give_up(&mut self, failure: &Failure, parcel: &mut Parcel<'_>, verdict: Verdict) -> Result<(), PublishError> {
        // Without transactions the labels are out already, and the producer is in good order.
        let transactional = self.config.guarantee == Guarantee::ExactlyOnce;
        if let Some(producer) = self.producer.as_ref().filter(|_| !transactional) {
            parcel.delivered.extend(producer.delivered(self.config.publish_wait));
        }
        if transactional && failure.is_by_broker() {
            // A broker may look at records before it looks at who sends them: one that was fenced is told by its abort,
            // and must not begin again.
            let wait = self.config.abort_wait;
            let end = self.producer.as_mut().and_then(|producer| producer.abort(wait).err());
            return match end.filter(|end| end.verdict() == Verdict::Fenced) {
                Some(end) => Err(error(&end, "", &self.identity)),
                None => self.rebuild(),
            };
        }
        if transactional || verdict != Verdict::Stale { self.abort() } else { Ok(()) }
    }

    /// What the failure goes back to, with the topics that it may be about.
    fn cause(&self, failure: Failure, parcel: &Parcel<'_>, ticket: &Ticket) -> Failure {
        let Some(producer) = self.producer.as_ref().filter(|_| failure.refused.is_empty()) else { return failure };
        let mut failure = producer.cause(failure);
        if failure.step == Step::Offsets {
            failure.topics = names(ticket.next_offsets().keys().map(|(topic, _)| topic));
        } else if failure.topics.is_empty() {
            failure.topics = names(parcel.records().iter().map(|record| &record.topic));
        }
        failure
    }

    /// Brings a transaction to an end whose commit had no clear answer. Returns when the broker has confirmed an abort.
    ///
    /// # Errors
    /// [`Recovery::Rewind`] when it may have been committed: a new producer's start has waited for its end, whichever it
    /// was, and the committed offsets tell.
    fn settle(&mut self, failure: &Failure, reason: &str, generation: Generation) -> Result<(), PublishError> {
        // A commit that was not answered at all is still under way in this producer, which can then do nothing else.
        if failure.verdict() != Verdict::CallAgain
            && let Some(producer) = self.producer.as_mut()
        {
            match producer.abort(self.config.abort_wait) {
                Ok(()) => return Ok(()),
                Err(failure) if matches!(failure.verdict(), Verdict::Fenced | Verdict::Exit) => {
                    return Err(error(&failure, reason, &self.identity));
                }
                Err(_) => {}
            }
        }
        let step = failure.step.name();
        tracing::warn!(step, error = %failure.error, reason, "unknown commit outcome; a new producer settles it");
        self.producer = None;
        // Only for the group's member: the start of a producer fences whoever took over.
        if (self.lease)(generation).is_some() {
            self.rebuild()?;
        }
        Err(error(failure, reason, &self.identity).with(Recovery::Rewind))
    }

    /// Aborts the transaction, by a new producer where the old one cannot.
    ///
    /// # Errors
    /// [`PublishError::Fenced`] when another process took over: a new producer would fence that one in turn. When no broker
    /// answers nobody knows whether one did, so the new producer waits for the next batch, which only a member of the
    /// group gets.
    fn abort(&mut self) -> Result<(), PublishError> {
        let Some(producer) = self.producer.as_mut().filter(|producer| producer.transactional) else {
            return self.rebuild();
        };
        let Err(failure) = producer.abort(self.config.abort_wait) else { return Ok(()) };
        let reason = producer.reason();
        match failure.verdict() {
            Verdict::Fenced | Verdict::Exit => Err(error(&failure, &reason, &self.identity)),
            Verdict::CallAgain => {
                self.producer = None;
                Err(error(&failure, &reason, &self.identity).with(Recovery::Rewind))
            }
            Verdict::TryAgain | Verdict::Stale => self.rebuild(),
        }
    }

    /// A new producer in the old one's place; its start ends what the old one left open.
    fn rebuild(&mut self) -> Result<(), PublishError> {
        metrics::rebuilt();
        self.producer = None; // two at once would fence each other
        self.reconnect()
    }

    /// Makes a producer where there is none: the last one was given up, and the brokers could not be reached since.
    pub(super) fn reconnect(&mut self) -> Result<(), PublishError> {
        if self.producer.is_none() {
            let batch_bytes_max = self.address.rules.bytes_min();
            self.producer = Some(Producer::connect(&self.config, &self.identity, batch_bytes_max)?);
        }
        Ok(())
    }
}

/// Each name once.
fn names<'a>(topics: impl Iterator<Item = &'a Arc<str>>) -> Vec<String> {
    topics.map(|topic| topic.to_string()).collect::<BTreeSet<_>>().into_iter().collect()
}

pub(super) fn error(failure: &Failure, reason: &str, identity: &Identity) -> PublishError {
    if failure.verdict() == Verdict::Fenced {
        return PublishError::Fenced { instance: identity.instance.clone() };
    }
    if let Some(denied) = rights::denied(failure, identity) {
        return denied;
    }
    let advice = failure.error.rdkafka_error_code().and_then(verdict::advice).unwrap_or_default();
    let parts = [&failure.error.to_string(), reason, advice];
    let text: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    exit(format!("to {}: {}", identity.brokers(), failure.step.name()), text.join("; "))
}
