//! One generation's counting: the states of the partitions that are ours, read back when it begins, and what a
//! checkpoint of them holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka::lease::{Assigned, PartitionProgress};
use kafka::outgoing::Outgoing;
use kafka::table::Bytes;
use schemas::{Generation, Origin, Ticket};

use crate::board::Board;
use crate::labels::sampler::{self, Sampler};
use crate::labels::settings::LabelsConfig;
use crate::metrics;
use crate::observation::{Observation, Refusal};
use crate::partition::PartitionState;
use crate::settings::WindowConfig;
use crate::state::{Entry, Key, StateError, TopicPartition, Totals};

/// Closed windows belong to no partition: their records are in the first one of the state topic.
const CLOSED_PARTITION: i32 = 0;

pub(super) struct Session {
    pub(super) generation: Generation,
    sources: BTreeMap<TopicPartition, Counted>,
    /// Since the last checkpoint.
    records: usize,
    saved_at: Option<Instant>,
    pub(super) end: End,
}

/// How far a session is with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// There may be more to read.
    Ahead,
    /// All is read and counted.
    Reached,
    /// That is saved: the partitions are idle. What is left is to be reported.
    Saved,
}

struct Counted {
    state: PartitionState,
    /// What the model said, where true labels will tell how right that was.
    sampler: Option<Sampler>,
    /// What was counted when it was last saved.
    saved: Totals,
    /// When a record came, or the session began.
    seen_at: Instant,
}

/// What one transaction saves.
pub(super) struct Checkpoint {
    pub(super) records: Vec<Outgoing>,
    pub(super) ticket: Ticket,
}

impl Session {
    /// Reads the assigned partitions back from what the state topic holds.
    ///
    /// # Errors
    /// It holds what this version cannot read.
    pub(super) fn restore(
        assigned: &Assigned,
        config: &Arc<WindowConfig>,
        labels: Option<&LabelsConfig>,
        entries: Vec<(Bytes, Bytes)>,
    ) -> Result<Self, StateError> {
        let mut predictions = if labels.is_some() { sampler::saved(&entries)? } else { BTreeMap::new() };
        let board = Board::load(Arc::clone(config), BTreeMap::new(), entries)?;
        let seen_at = Instant::now();
        let mut sources = BTreeMap::new();
        for slot in assigned.partitions.keys() {
            let source = TopicPartition::from(slot.clone());
            let state = PartitionState::restore(Arc::clone(config), source.clone(), board.saved(&source)?);
            let saved = state.progress().totals.clone();
            let of_source = predictions.remove(&source).unwrap_or_default();
            let restore =
                |labels| Sampler::restore(labels, Arc::clone(config), source.clone(), of_source, state.progress());
            let sampler = labels.map(restore).transpose()?;
            sources.insert(source, Counted { state, sampler, saved, seen_at });
        }
        // Unsaved: that these partitions are awake again is worth a checkpoint.
        Ok(Self { generation: assigned.generation, sources, records: 0, saved_at: None, end: End::Ahead })
    }

    /// A partition that is counted beyond the end of its log: up to where, and that end.
    pub(super) fn beyond(&self, ends: &BTreeMap<(Arc<str>, i32), i64>) -> Option<(TopicPartition, i64, i64)> {
        ends.iter().find_map(|(slot, end)| {
            let source = TopicPartition::from(slot.clone());
            let counted = self.sources.get(&source)?.state.progress().next_offset;
            (counted > *end).then_some((source, counted, *end))
        })
    }

    pub(super) fn owns(&self, source: &TopicPartition) -> bool {
        self.sources.contains_key(source)
    }

    /// Counts one record.
    pub(super) fn observe(&mut self, origin: &Origin, outcome: &Result<Observation, Refusal>) {
        let Some(counted) = self.sources.get_mut(&TopicPartition::from(origin)) else { return };
        counted.seen_at = Instant::now();
        let is_new = counted.state.observe(origin.offset, outcome);
        if let Some(sampler) = counted.sampler.as_mut().filter(|_| is_new) {
            sampler.observe(outcome, counted.state.progress());
        }
        self.records += 1;
    }

    /// Marks partitions idle that are read to their ends and brought nothing for `idle`.
    pub(super) fn rest(&mut self, partitions: &BTreeMap<(Arc<str>, i32), PartitionProgress>, idle: Duration) {
        for (slot, progress) in partitions {
            let Some(counted) = self.sources.get_mut(&TopicPartition::from(slot.clone())) else { continue };
            // What the source has read may be on its way to us.
            let next_offset = counted.state.progress().next_offset;
            let is_counted = progress.read_to.is_none_or(|read_to| read_to <= next_offset);
            if progress.is_at_end && is_counted && counted.seen_at.elapsed() >= idle {
                counted.state.set_idle();
            }
        }
    }

    /// Marks every partition idle: its end is reached, and the next checkpoint says so.
    pub(super) fn end(&mut self) {
        self.sources.values_mut().for_each(|counted| counted.state.set_idle());
        self.end = End::Saved;
    }

    /// Whether it is time to save what changed.
    pub(super) fn is_due(&self, config: &WindowConfig) -> bool {
        let is_time = self.saved_at.is_none_or(|saved_at| saved_at.elapsed() >= config.checkpoint());
        is_time || self.records >= config.checkpoint_records_max().get()
    }

    /// What changed since the last checkpoint, with the offsets that it covers. It counts as saved from here on: when it
    /// cannot be published, the session is over.
    ///
    /// The offsets are those of all partitions, also of those that did not move: the broker then refuses the checkpoint
    /// of a process that is no longer their owner, whatever else is in it.
    pub(super) fn checkpoint(&mut self, state_topic: &Arc<str>, closed: Vec<Entry>) -> Option<Checkpoint> {
        let mut ticket = Ticket::new(self.generation);
        let mut entries = Vec::new();
        for (source, Counted { state, sampler, .. }) in &mut self.sources {
            entries.extend(state.checkpoint());
            entries.extend(sampler.iter_mut().flat_map(|sampler| sampler.checkpoint(state.progress())));
            let next_offset = state.progress().next_offset;
            if next_offset > 0 {
                let TopicPartition { topic, partition } = source.clone();
                ticket.cover(&Origin { topic, partition, offset: next_offset - 1 });
            }
        }
        entries.extend(closed);
        (self.records, self.saved_at) = (0, Some(Instant::now()));
        let records = entries.into_iter().map(|entry| outgoing(state_topic, entry)).collect::<Vec<_>>();
        (!records.is_empty()).then_some(Checkpoint { records, ticket })
    }

    /// A checkpoint is committed: tells the metrics what it added.
    pub(super) fn committed(&mut self) {
        for (source, counted) in &mut self.sources {
            let progress = counted.state.progress();
            metrics::counted(&counted.saved, &progress.totals);
            metrics::watermark(source, progress.watermark_ms);
            counted.saved = progress.totals.clone();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.sources.keys().for_each(metrics::no_watermark);
    }
}

/// The record of the state topic. What one partition counted is in the partition of the same number, so that readers
/// see it in the order in which it was saved.
fn outgoing(state_topic: &Arc<str>, Entry { key, value }: Entry) -> Outgoing {
    let partition = match &key {
        Key::Partial(partial) => partial.source.partition,
        Key::Progress(source) | Key::Predictions { source, .. } => source.partition,
        Key::Closed(_) | Key::Horizon(_) | Key::Performance(_) => CLOSED_PARTITION,
    };
    Outgoing {
        topic: Arc::clone(state_topic),
        partition,
        key: Some(key.to_string().into_bytes()),
        payload: value,
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

/// All partitions of the topics, given how many each has.
pub(super) fn partitions_of(topics: impl IntoIterator<Item = (Arc<str>, i32)>) -> BTreeSet<TopicPartition> {
    let each = |(topic, count): (Arc<str>, i32)| {
        (0..count).map(move |partition| TopicPartition { topic: Arc::clone(&topic), partition })
    };
    topics.into_iter().flat_map(each).collect()
}
