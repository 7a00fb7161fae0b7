//! The counting stage: observes records, and saves what changed together with the offsets that it covers.
//!
//! Its session is one generation's. When the group moves on, the session is dropped and the next one is read back from
//! the state topic, once everything is applied that was committed before.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka::clock::now_ms;
use kafka::identity::Identity;
use kafka::lease::{Assigned, Leases};
use kafka::table::KafkaTable;
use kafka::topics::describe;
use kafka::transactor::Published;
use kafka::transactor::Transactor;
use schemas::{Batch, Generation, RawEvent};
use service::stages::{Pulse, Work};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, Role};
use super::labels::LabelsFrom;
use super::read::Step;
use super::session::{Checkpoint, End, Session, partitions_of};
use super::{Limits, PipelineError, Progress};
use crate::metrics;
use crate::observation::{Observer, Odd, Refusal};
use crate::state::TopicPartition;

/// How long the broker may take to say how many partitions a topic has.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What the stage looks at and does not change.
pub(super) struct Context<'a> {
    pub(super) observer: &'a Observer,
    pub(super) table: &'a KafkaTable,
    pub(super) leases: &'a Leases,
    pub(super) identity: &'a Identity,
    pub(super) limits: &'a Limits,
    pub(super) labels: Option<&'a LabelsFrom>,
    pub(super) desk: &'a Desk,
    pub(super) progress: &'a Progress,
}

pub(super) struct Counter<'a> {
    pub(super) context: Context<'a>,
    pub(super) publisher: &'a mut Transactor,
    pub(super) pulse: Pulse,
    pub(super) ended: &'a CancellationToken,
    pub(super) session: Option<Session>,
    /// The broker refused a checkpoint of this generation: the group has moved on, and will say so.
    pub(super) stale: Option<Generation>,
}

impl Counter<'_> {
    /// Counts until the reading stage ends, or until everything is counted and reported.
    pub(super) fn run(mut self, mut steps: mpsc::Receiver<Step>) -> Result<(), PipelineError> {
        let pulse = self.pulse.clone();
        while let Some(step) = steps.blocking_recv() {
            let _counts = pulse.work(work(&step));
            self.follow_the_group()?;
            match step {
                Step::Records(batch) => self.count(&batch),
                Step::Tick => {}
                Step::End(generation) => {
                    // Of an older generation it says nothing: other partitions have other ends.
                    if let Some(session) = self.session.as_mut().filter(|session| session.generation == generation) {
                        session.end = End::Reached;
                    }
                }
            }
            if self.save_if_due()? {
                return Ok(());
            }
        }
        // Asked to stop: what is counted need not be read again.
        let _saves = pulse.work(Work::of("save the counts"));
        self.save().map(|_| ())
    }

    /// Drops the session of a generation that is over, and begins the next one.
    fn follow_the_group(&mut self) -> Result<(), PipelineError> {
        let Context { leases, desk, .. } = self.context;
        if self.session.as_ref().is_some_and(|session| session.generation == leases.generation()) {
            return Ok(());
        }
        if self.session.take().is_some() {
            desk.assign(Role::None, Arc::default());
            self.context.progress.owns(0);
        }
        match leases.assigned() {
            Some(assigned) if self.stale < Some(assigned.generation) => self.begin(&assigned),
            _ => Ok(()), // the group still decides
        }
    }

    fn begin(&mut self, assigned: &Assigned) -> Result<(), PipelineError> {
        let Context { table, leases, limits, labels, desk, progress, .. } = self.context;
        let started = Instant::now();
        let generation = assigned.generation;
        let is_over = || self.ended.is_cancelled() || leases.generation() != generation;
        if !table.catch_up(limits.restore_wait, is_over)? {
            return Ok(());
        }
        let expected = Arc::new(self.expected()?);
        let session = Session::restore(assigned, &limits.windows, labels.map(|from| &from.config), table.entries())?;
        if let Some((of, counted, end)) = session.beyond(&assigned.ends) {
            return Err(PipelineError::AnotherLog { of, counted, end, state: Arc::clone(&limits.state_topic) });
        }
        let took = started.elapsed();
        metrics::restored(took);
        progress.restored();
        let first = TopicPartition { topic: Arc::clone(&limits.topics[0]), partition: 0 };
        let is_reporter = session.owns(&first);
        let (partitions, restored_in_ms) = (assigned.partitions.len(), took.as_millis());
        let bytes = table.bytes();
        tracing::info!(
            partitions,
            is_reporter,
            restored_in_ms,
            bytes,
            generation = generation.number(),
            "state restored"
        );
        if is_reporter {
            desk.assign(Role::Reporter { generation, is_ending: false }, expected);
        }
        self.session = Some(session);
        progress.owns(partitions);
        Ok(())
    }

    /// All partitions of the topics: their number may have grown, which also begins a new generation.
    fn expected(&self) -> Result<BTreeSet<TopicPartition>, PipelineError> {
        let names: Vec<&str> = self.context.limits.topics.iter().map(|topic| &**topic).collect();
        let topics = describe(&self.context.identity.connection, &names, ANSWER_WITHIN)?;
        let counted = topics.into_iter().map(|topic| match topic.partitions {
            Some(count) => Ok((Arc::from(topic.name), count)),
            None => Err(PipelineError::TopicGone { topic: topic.name }),
        });
        Ok(partitions_of(counted.collect::<Result<Vec<_>, _>>()?))
    }

    /// Counts a batch of the session's generation; another one's is void, its records are read again.
    fn count(&mut self, batch: &Batch<RawEvent>) {
        let Some(session) = &mut self.session else { return };
        if session.generation != batch.ticket().generation() {
            return;
        }
        let now_ms = now_ms();
        let mut odd = Odd::default();
        for record in batch.items() {
            let outcome = self.context.observer.observe(record, now_ms);
            if let Err(refusal) = &outcome {
                tracing::debug!(origin = %record.origin, reason = refusal.name(), "record not counted");
                if matches!(refusal, Refusal::BadTime(_) | Refusal::OtherUnit(_))
                    && self.context.progress.first_bad_time()
                {
                    tracing::warn!(
                        origin = %record.origin, %refusal,
                        "records with such times are not counted (logged once)"
                    );
                }
            }
            odd.add(&outcome);
            session.observe(&record.origin, &outcome);
        }
        metrics::odd(&odd);
        self.context.progress.observed(batch.records());
    }

    /// Saves when it is time to. True: all is counted, saved and reported.
    fn save_if_due(&mut self) -> Result<bool, PipelineError> {
        let Context { limits, desk, leases, .. } = self.context;
        let Some(session) = &mut self.session else { return Ok(false) };
        if session.end != End::Ahead {
            return self.end();
        }
        // While the end is waited for, a partition that brings nothing may just not be there yet.
        if !limits.until_end
            && let Some(assigned) = leases.assigned()
            && assigned.generation == session.generation
        {
            session.rest(&assigned.partitions, Duration::from_millis(limits.windows.idle_ms().unsigned_abs()));
        }
        if session.is_due(&limits.windows) || desk.is_full() {
            self.save()?;
        }
        Ok(false)
    }

    /// Everything up to the end is counted: saves that, and waits for the reports.
    fn end(&mut self) -> Result<bool, PipelineError> {
        let Context { limits, desk, .. } = self.context;
        let Some(session) = &mut self.session else { return Ok(false) };
        if session.end == End::Saved {
            let is_done = desk.is_done();
            let is_time = is_done || desk.is_full() || session.is_due(&limits.windows);
            return Ok((!is_time || self.save()?) && is_done);
        }
        session.end();
        if !self.save()? {
            return Ok(false); // the group moved on; the next session ends like this one
        }
        Ok(!desk.end())
    }

    /// One transaction with what changed. False: the session is over, its records are read again.
    fn save(&mut self) -> Result<bool, PipelineError> {
        let Context { limits, desk, progress, .. } = self.context;
        let Some(session) = &mut self.session else { return Ok(false) };
        let closed = desk.take(session.generation);
        let started = Instant::now();
        let Some(Checkpoint { records, ticket }) = session.checkpoint(&limits.state_topic, closed) else {
            return Ok(true);
        };
        match self.publisher.forward(records, &ticket)? {
            Published::Committed => {
                metrics::checkpointed("committed", started.elapsed());
                session.committed();
                progress.committed();
                Ok(true)
            }
            Published::Stale => {
                metrics::checkpointed("stale", started.elapsed());
                self.stale = Some(ticket.generation());
                self.session = None;
                desk.assign(Role::None, Arc::default());
                Ok(false)
            }
        }
    }
}

/// What a step asks for; every step may also read the state back or save it.
fn work(step: &Step) -> Work {
    match step {
        Step::Records(batch) => Work {
            task: "count records, restore the state, or save it",
            records: batch.records(),
            first: batch.items().first().map(|record| record.origin.clone()),
        },
        Step::Tick | Step::End(_) => Work::of("restore the state, or save it"),
    }
}
