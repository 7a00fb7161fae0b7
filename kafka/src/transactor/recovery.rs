//! After a failed step: what it goes back to, and a producer that is ready for the next attempt.
//!
//! A fenced producer is never followed by another one under its transactional id: that would fence the rightful owner.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemas::{Generation, Recovery, Ticket};

use super::Transactor;
use super::config::Guarantee;
use super::failure::{Failure, error};
use super::producer::Producer;
use super::sending::Sending;
use crate::error::TransactError;
use crate::metrics::{self, TransactionEnd};
use crate::reaction::{Reaction, Step};

impl Transactor {
    /// Aborts, and says by returning that the batch may be tried again or is stale; else by an error.
    pub(super) fn recover(
        &mut self,
        failure: Failure,
        sending: &mut Sending<'_>,
        ticket: &Ticket,
        attempt: u32,
    ) -> Result<(), TransactError> {
        let failure = self.cause(failure, sending, ticket);
        let reaction = if failure.refused.is_empty() { failure.reaction() } else { Reaction::TryAgain };
        let reason = self.producer.as_ref().map(Producer::reason).unwrap_or_default();
        if matches!(reaction, Reaction::Fenced | Reaction::Exit) {
            if failure.step != Step::Commit
                && let Some(producer) = self.producer.as_mut().filter(|producer| producer.transactional)
                && producer.abort(self.config.abort_wait).is_err()
            {
                tracing::debug!("left the transaction open; the next start aborts it");
            }
            return Err(error(&failure, &reason, &self.identity));
        }
        if failure.step == Step::Commit {
            metrics::transaction(TransactionEnd::Unresolved);
            self.settle(&failure, &reason, ticket.generation())?;
        } else {
            metrics::transaction(TransactionEnd::Aborted);
            self.give_up(&failure, sending, reaction)?;
        }
        if reaction == Reaction::Stale {
            tracing::info!(
                error = %failure.error,
                "the group rebalanced during a publish; its records are discarded and read again"
            );
            self.stale_through = Some(ticket.generation());
            return Ok(());
        }
        if !failure.refused.is_empty() {
            return sending.set_aside(&failure, &self.limits);
        }
        if attempt >= self.config.attempts_max.get() {
            return Err(error(&failure, &reason, &self.identity).with(Recovery::Rewind));
        }
        let step = failure.step.name();
        tracing::warn!(step, error = %failure.error, reason, attempt, "publish failed, retrying the same batch");
        Ok(())
    }

    /// Makes the attempt void, and the producer ready for the next one.
    fn give_up(
        &mut self,
        failure: &Failure,
        sending: &mut Sending<'_>,
        reaction: Reaction,
    ) -> Result<(), TransactError> {
        // Without transactions the labels are out already, and the producer is in good order.
        let transactional = self.config.guarantee == Guarantee::ExactlyOnce;
        if let Some(producer) = self.producer.as_ref().filter(|_| !transactional) {
            sending.delivered.extend(producer.delivered(self.config.publish_wait));
        }
        if transactional && failure.is_by_broker() {
            // A broker may look at records before it looks at who sends them: one that was fenced is told by its abort,
            // and must not be replaced.
            let wait = self.config.abort_wait;
            let end = self.producer.as_mut().and_then(|producer| producer.abort(wait).err());
            return match end.filter(|end| end.reaction() == Reaction::Fenced) {
                Some(end) => Err(error(&end, "", &self.identity)),
                None => self.rebuild(),
            };
        }
        if transactional || reaction != Reaction::Stale { self.abort() } else { Ok(()) }
    }

    /// What the failure goes back to, with the topics that it may be about.
    fn cause(&self, failure: Failure, sending: &Sending<'_>, ticket: &Ticket) -> Failure {
        let Some(producer) = self.producer.as_ref().filter(|_| failure.refused.is_empty()) else { return failure };
        let mut failure = producer.cause(failure);
        if failure.step == Step::Offsets {
            failure.topics = names(ticket.next_offsets().keys().map(|(topic, _)| topic));
        } else if failure.topics.is_empty() {
            failure.topics = names(sending.topics());
        }
        failure
    }

    /// Brings a transaction to an end whose commit had no clear answer. Returns when the broker has confirmed an abort.
    ///
    /// # Errors
    /// [`Recovery::Rewind`] when it may have been committed: a new producer's start has waited for its end, whichever it
    /// was, and the committed offsets tell.
    fn settle(&mut self, failure: &Failure, reason: &str, generation: Generation) -> Result<(), TransactError> {
        // A commit that was not answered at all is still under way in this producer, which can then do nothing else.
        if failure.reaction() != Reaction::CallAgain
            && let Some(producer) = self.producer.as_mut()
        {
            match producer.abort(self.config.abort_wait) {
                Ok(()) => return Ok(()),
                Err(failure) if matches!(failure.reaction(), Reaction::Fenced | Reaction::Exit) => {
                    return Err(error(&failure, reason, &self.identity));
                }
                Err(_) => {}
            }
        }
        let step = failure.step.name();
        tracing::warn!(step, error = %failure.error, reason, "unknown commit outcome; a new producer settles it");
        self.producer = None;
        // Only for the group's member: the start of a producer would fence the one that took over.
        if (self.lease)(generation).is_some() {
            self.rebuild()?;
        }
        Err(error(failure, reason, &self.identity).with(Recovery::Rewind))
    }

    /// Aborts the transaction, by a new producer where the old one cannot.
    ///
    /// # Errors
    /// [`TransactError::Fenced`] when another process took over: a new producer would fence that one in turn. When no broker
    /// answers nobody knows whether one did, so the new producer waits for the next batch, which only a member of the
    /// group gets.
    fn abort(&mut self) -> Result<(), TransactError> {
        let Some(producer) = self.producer.as_mut().filter(|producer| producer.transactional) else {
            return self.rebuild();
        };
        let Err(failure) = producer.abort(self.config.abort_wait) else { return Ok(()) };
        let reason = producer.reason();
        match failure.reaction() {
            Reaction::Fenced | Reaction::Exit => Err(error(&failure, &reason, &self.identity)),
            Reaction::CallAgain => {
                self.producer = None;
                Err(error(&failure, &reason, &self.identity).with(Recovery::Rewind))
            }
            _ => self.rebuild(),
        }
    }

    /// A new producer in the old one's place; its start ends what the old one left open.
    fn rebuild(&mut self) -> Result<(), TransactError> {
        metrics::rebuilt();
        self.producer = None; // two at once would fence each other
        self.reconnect()
    }

    /// Creates a producer where there is none: the last one was given up, and the brokers could not be reached since.
    pub(super) fn reconnect(&mut self) -> Result<(), TransactError> {
        if self.producer.is_none() {
            let batch_bytes_max = self.limits.bytes_min();
            self.producer = Some(Producer::connect(&self.config, &self.identity, batch_bytes_max)?);
        }
        Ok(())
    }
}

/// Each name once.
fn names<'a>(topics: impl Iterator<Item = &'a Arc<str>>) -> Vec<String> {
    topics.map(|topic| topic.to_string()).collect::<BTreeSet<_>>().into_iter().collect()
}
