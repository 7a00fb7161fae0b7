//! A broker in memory with the promises of Kafka's transactions: outputs and offsets change together, and only under the
//! current generation. Its source and publisher are what the pipeline is run against.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use formats::labeled;
use kafka::error::TransactError;
use kafka::outgoing::Outgoing;
use kafka::source::{Source, SourceError, SourceEvent};
use kafka::transactor::Published;
use schemas::{Batch, Generation, Origin, RawEvent, Recovery};
use sink::labels::LabelRecord;
use sink::publisher::Publisher;

use crate::faults::{Faults, PlannedFault, Seam};
use crate::model::expected_label;

/// Offsets behind the last record of each partition that no reader sees, as of a transaction marker and an aborted record.
const UNSEEN: usize = 2;

/// What lies on the broker and what the group knows.
#[derive(Default)]
pub(crate) struct State {
    input: Vec<Vec<RawEvent>>,
    committed: Vec<usize>,
    positions: Vec<usize>,
    generation: Generation,
    /// Partitions were reset since the source last looked.
    lost: bool,
    pub(crate) labeled: Vec<Origin>,
    /// Those of them that left with the label of another text or in the record of another event.
    pub(crate) mislabeled: Vec<Origin>,
    pub(crate) dead_letters: Vec<Origin>,
    pub(crate) tombstones: Vec<Origin>,
}

impl State {
    /// A new owner, or the same one again: everything unpublished is void.
    pub(crate) fn new_generation(&mut self) {
        self.generation = self.generation.next();
        self.positions = self.committed.clone();
        self.lost = true;
    }

    fn done(&self) -> bool {
        self.committed.iter().zip(&self.input).all(|(committed, records)| *committed == records.len() + UNSEEN)
    }
}

#[derive(Clone)]
pub(crate) struct Broker {
    state: Arc<Mutex<State>>,
    faults: Arc<Faults>,
    checks_generation: bool,
    swaps_answers: bool,
    swaps_records: bool,
    commits_what_is_read: bool,
    drains_before_the_last: bool,
    ends: bool,
}

impl Broker {
    pub(crate) fn new(input: Vec<Vec<RawEvent>>, faults: Arc<Faults>) -> Self {
        let empty = vec![0; input.len()];
        let state = State { input, committed: empty.clone(), positions: empty, ..State::default() };
        Self {
            state: Arc::new(Mutex::new(state)),
            faults,
            checks_generation: true,
            swaps_answers: false,
            swaps_records: false,
            commits_what_is_read: false,
            drains_before_the_last: false,
            ends: true,
        }
    }

    /// The bug that generations exist for, planted: a zombie's batch is accepted.
    pub(crate) fn without_generation_check(self) -> Self {
        Self { checks_generation: false, ..self }
    }

    /// The bug that answers have places for, planted: each run begins with the answer that the run before ended with.
    pub(crate) fn with_swapped_answers(self) -> Self {
        Self { swaps_answers: true, ..self }
    }

    /// The bug that a label carries its record for, planted: each leaves in the record of the event before it.
    pub(crate) fn with_swapped_records(self) -> Self {
        Self { swaps_records: true, ..self }
    }

    /// The bug that tickets exist for, planted: a commit covers all that was read, also what is not published yet.
    pub(crate) fn with_commits_past_unpublished_records(self) -> Self {
        Self { commits_what_is_read: true, ..self }
    }

    /// Planted: a partition is told as drained while its last record was not handed over.
    pub(crate) fn with_partitions_drained_too_early(self) -> Self {
        Self { drains_before_the_last: true, ..self }
    }

    pub(crate) fn swaps_answers(&self) -> bool {
        self.swaps_answers
    }

    /// More may always come, so a source waits instead of ending.
    pub(crate) fn never_ending(self) -> Self {
        Self { ends: false, ..self }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner) // a planned panic leaves the state whole
    }

    /// Every record that is committed.
    pub(crate) fn settled(&self) -> impl Iterator<Item = Origin> + use<> {
        let state = self.state();
        let all = state.labeled.iter().chain(&state.dead_letters).chain(&state.tombstones);
        all.cloned().collect::<Vec<_>>().into_iter()
    }

    /// A process starts: it takes the partitions under a new generation.
    pub(crate) fn join(&self) -> (FakeSource, FakePublisher) {
        let mut state = self.state();
        state.new_generation();
        state.lost = false;
        (FakeSource { broker: self.clone(), turn: 0 }, FakePublisher { broker: self.clone(), last: None })
    }
}

/// Reads the partitions in turn, each to its end behind the last record; one event a call, none of it before the last await, so that cancelling loses nothing.
pub(crate) struct FakeSource {
    broker: Broker,
    turn: usize,
}

impl FakeSource {
    fn poll(&mut self) -> Option<SourceEvent> {
        let mut state = self.broker.state();
        if std::mem::take(&mut state.lost) {
            return Some(SourceEvent::Lost);
        }
        if self.broker.ends && state.done() {
            return Some(SourceEvent::End);
        }
        for _ in 0..state.input.len() {
            self.turn = (self.turn + 1) % state.input.len();
            let (partition, position, generation) = (self.turn, state.positions[self.turn], state.generation);
            let records = &state.input[partition];
            let (last, end) = (records.len().saturating_sub(1), records.len() + UNSEEN);
            let is_read = position >= if self.broker.drains_before_the_last { last } else { records.len() };
            if is_read && position < end {
                state.positions[partition] = end;
                let partition = i32::try_from(partition).expect("few partitions");
                let end = i64::try_from(end).expect("few records");
                return Some(SourceEvent::Drained { partition: ("in".into(), partition), end, generation });
            }
            if let Some(record) = records.get(position).cloned() {
                state.positions[partition] += 1;
                return Some(SourceEvent::Record(record, generation));
            }
        }
        None
    }
}

impl Source for FakeSource {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        tokio::task::yield_now().await; // a place to be cancelled at
        let fault = self.broker.faults.call(Seam::Read);
        match fault {
            Some(PlannedFault::FailsBefore) => return Err(broken("before the read")),
            Some(PlannedFault::Rebalance) => self.broker.state().new_generation(),
            Some(PlannedFault::Panic) => panic!("planned: reader"),
            Some(PlannedFault::FailsAfter | PlannedFault::Hangs) | None => {}
        }
        let event = self.poll();
        match (event, fault) {
            (_, Some(PlannedFault::FailsAfter)) => Err(broken("after the read")),
            (Some(event), _) => Ok(event),
            (None, _) => {
                tokio::time::sleep(Duration::from_micros(200)).await;
                Ok(SourceEvent::Tick)
            }
        }
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        match self.broker.faults.call(Seam::Rewind) {
            Some(PlannedFault::Panic) => panic!("planned: rewind"),
            Some(PlannedFault::FailsBefore | PlannedFault::FailsAfter) => {
                self.broker.state().new_generation();
                return Err(SourceError::Broker {
                    what: "the committed offsets".into(),
                    reason: "planned".into(),
                    recovery: Recovery::Exit,
                });
            }
            Some(PlannedFault::Rebalance | PlannedFault::Hangs) | None => self.broker.state().new_generation(),
        }
        Ok(())
    }
}

fn broken(reason: &str) -> SourceError {
    SourceError::Broker { what: "records".into(), reason: reason.into(), recovery: Recovery::Rewind }
}

/// All or nothing, under the batch's own generation.
pub(crate) struct FakePublisher {
    broker: Broker,
    /// The record of the last event, for the planted bug that swaps them.
    last: Option<Outgoing>,
}

impl FakePublisher {
    fn maybe_swapped(&mut self, LabelRecord { raw, record }: LabelRecord) -> LabelRecord {
        let own = record.clone();
        let foreign = self.last.replace(record).filter(|_| self.broker.swaps_records);
        LabelRecord { raw, record: foreign.unwrap_or(own) }
    }
}

impl Publisher for FakePublisher {
    fn publish(&mut self, batch: Batch<LabelRecord>) -> Result<Published, TransactError> {
        let fault = self.broker.faults.call(Seam::Publish);
        let batch = batch.try_map(|item| Ok(self.maybe_swapped(item)));

        let mut state = self.broker.state();
        match fault {
            Some(PlannedFault::FailsBefore) => return Err(refused("before the commit")),
            Some(PlannedFault::Rebalance) => state.new_generation(),
            Some(PlannedFault::Panic) => panic!("planned: publisher"),
            Some(PlannedFault::FailsAfter | PlannedFault::Hangs) | None => {}
        }
        if self.broker.checks_generation && batch.ticket().generation() != state.generation {
            return Ok(Published::Stale);
        }
        state.labeled.extend(batch.items().iter().map(|item| item.raw.origin.clone()));
        state
            .mislabeled
            .extend(batch.items().iter().filter(|item| !is_right(item)).map(|item| item.raw.origin.clone()));
        state.dead_letters.extend(batch.rejects().iter().map(|letter| letter.raw.origin.clone()));
        state.tombstones.extend(batch.tombstones().iter().map(|tombstone| tombstone.raw.origin.clone()));
        for ((_, partition), next) in batch.ticket().next_offsets() {
            let partition = usize::try_from(*partition).expect("partitions count from zero");
            state.committed[partition] = usize::try_from(*next).expect("offsets count from zero");
        }
        if self.broker.commits_what_is_read {
            state.committed = state.positions.clone();
        }
        if fault == Some(PlannedFault::FailsAfter) {
            Err(refused("after the commit"))
        } else {
            Ok(Published::Committed)
        }
    }
}

/// The record that leaves has the label of its text, and is that of the record that was read.
fn is_right(LabelRecord { raw, record }: &LabelRecord) -> bool {
    let text = std::str::from_utf8(raw.payload.as_deref().expect("tombstones get no label")).expect("written as text");
    let added = labeled::decode(record.payload.as_deref().expect("a label")).expect("a labelled event");
    let source = (added.source.topic, added.source.partition, added.source.offset);
    added.label.as_deref() == Some(expected_label(text))
        && source == (raw.origin.topic.clone(), raw.origin.partition, raw.origin.offset)
}

fn refused(reason: &str) -> TransactError {
    TransactError::Broker { what: "a batch".into(), reason: reason.into(), recovery: Recovery::Rewind }
}
