//! The same windows from records of the past, in memory: for replay and backtest, without Kafka state.
//!
//! Records go in with their origins, in any interleaving of partitions; closed windows come out one by one, each with
//! the past that it is compared with. The states and the board are those of the live worker, and what passes between
//! them are the same bytes. So a replay closes the windows of the live run with the same counts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use schemas::event::Origin;

use crate::board::{Board, Clock, Due, Kept, MergedWindow};
use crate::observation::{Observation, Refusal};
use crate::partition::PartitionState;
use crate::reference::{ClosedWindows, Flags};
use crate::settings::WindowConfig;
use crate::state::{Entry, StateError, TopicPartition};
use crate::window::Granularity;

/// Partitions and board in one memory.
#[derive(Clone, Debug)]
pub struct WindowReplay {
    config: Arc<WindowConfig>,
    board: Board,
    expected: BTreeSet<TopicPartition>,
    states: BTreeMap<TopicPartition, PartitionState>,
    clock: Clock,
    /// Found, and not handed out yet.
    due: VecDeque<Due>,
    /// Records since the last checkpoint.
    records: usize,
}

impl WindowReplay {
    /// `expected` are the partitions that hold windows back until they are past them; more may appear.
    pub fn new(
        config: Arc<WindowConfig>,
        kept: BTreeMap<Granularity, Kept>,
        expected: BTreeSet<TopicPartition>,
    ) -> Self {
        let new = |source: &TopicPartition| (source.clone(), PartitionState::new(Arc::clone(&config), source.clone()));
        let mut states: BTreeMap<_, _> = expected.iter().map(new).collect();
        // Until its first record a partition has no progress to save; that it is there is worth saving.
        states.values_mut().for_each(PartitionState::announce);
        let board = Board::new(Arc::clone(&config), kept);
        // No clock decides here: an exhausted partition is idle, and when all are, the input has ended.
        let clock = Clock::At(i64::MIN);
        Self { config, board, expected, states, clock, due: VecDeque::new(), records: 0 }
    }

    /// Counts one record. True: windows may have closed, see [`Self::next_window`].
    ///
    /// # Errors
    /// See [`Self::save`].
    pub fn observe(&mut self, origin: &Origin, outcome: &Result<Observation, Refusal>) -> Result<bool, StateError> {
        let source = TopicPartition::from(origin);
        let config = &self.config;
        let state =
            self.states.entry(source.clone()).or_insert_with(|| PartitionState::new(Arc::clone(config), source));
        let before = state.progress().watermark_ms;
        state.observe(origin.offset, outcome);
        let after = state.progress().watermark_ms;
        self.expected.insert(state.source().clone());
        self.records += 1;
        let finest = self.config.finest();
        let crossed = before.map(|before| finest.window(before)) != after.map(|after| finest.window(after));
        let is_full = self.records >= self.config.checkpoint_records_max().get();
        if is_full {
            self.save()?;
        } else if crossed {
            let entries = state.checkpoint();
            self.apply(entries)?;
        }
        Ok(is_full || crossed)
    }

    /// No more records of this partition will come: it holds windows back no longer.
    ///
    /// # Errors
    /// See [`Self::save`].
    pub fn exhausted(&mut self, source: &TopicPartition) -> Result<(), StateError> {
        let Some(state) = self.states.get_mut(source) else { return Ok(()) };
        state.set_idle();
        let entries = state.checkpoint();
        self.apply(entries)
    }

    /// No more records will come: every window closes.
    ///
    /// # Errors
    /// See [`Self::save`].
    pub fn end(&mut self) -> Result<(), StateError> {
        self.clock = Clock::Ended;
        self.save()
    }

    /// The next window to report, in the order in which they close; `None` until more records came.
    ///
    /// [`Self::close`] it before asking again: the next one may be compared with it.
    ///
    /// # Errors
    /// See [`Self::save`].
    pub fn next_window(&mut self) -> Result<Option<MergedWindow>, StateError> {
        if self.due.is_empty() {
            let Some(frontier) = self.board.frontier(&self.expected, self.clock) else { return Ok(None) };
            self.due = self.board.due(&frontier)?.into();
        }
        self.due.pop_front().map(|due| self.board.window(&due)).transpose()
    }

    /// Remembers a reported window, with its findings that were sure and large.
    ///
    /// # Errors
    /// See [`Self::save`].
    pub fn close(&mut self, merged: &MergedWindow, flags: Flags) -> Result<(), StateError> {
        let entry = self.board.closed(merged, flags);
        self.apply(vec![entry])?;
        let Some(frontier) = self.board.frontier(&self.expected, self.clock) else { return Ok(()) };
        let expired = self.board.expired(&frontier);
        self.apply(expired)
    }

    /// Closed windows, for the references of the next one.
    pub fn history(&self) -> &ClosedWindows {
        self.board.history()
    }

    /// How far each partition is counted, as of the last save.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Hands the board what the partitions counted since the last time. It happens by itself after
    /// `checkpoint_records_max` records, and for a partition whose watermark passes a window.
    ///
    /// # Errors
    /// A value cannot be read back.
    pub fn save(&mut self) -> Result<(), StateError> {
        self.records = 0;
        let entries: Vec<Entry> = self.states.values_mut().flat_map(PartitionState::checkpoint).collect();
        self.apply(entries)
    }

    fn apply(&mut self, entries: Vec<Entry>) -> Result<(), StateError> {
        for Entry { key, value } in entries {
            self.board.apply(key.to_string().as_bytes(), value.map(Into::into))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
