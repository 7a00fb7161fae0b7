//! The newest state of all partitions: which windows are to be reported, what they add up to, and what may be removed.
//!
//! It is fed with every change of the state topic and holds values as they are written; they are unpacked when a window
//! is merged. What a checkpoint wrote counts together: a partial waits for the progress that covers it.
//!
//! - **Revision 0** of a window comes when every partition is past its end or idle ([`Frontier`]). It is the sum of what
//!   was on time, and depends on the logs alone when no partition was idle. A window of late records only comes when
//!   its lateness is over.
//! - **A further revision** comes when they are past its end plus the allowed lateness, if the sum of on time and late
//!   is not what was reported; and again when a partition wakes and adds to the window.
//! - **Final** is a window when no partition can add to it, or idle ones were waited for long enough (`retention_ms`).
//!   Its partials are removed; what still comes is counted ([`Board::unreported`]) and counts in longer windows only.
//!
//! What is handed out or closed, but not yet read back from the topic, is only remembered: [`Board::forget`] drops it
//! after a rewind. Windows that closed stay as records for references and persistence as long as [`Kept`] says.

mod due;
mod expiry;
mod frontier;
mod merged;
mod reporting;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;

use crate::reference::{ClosedWindows, Past};
use crate::settings::WindowConfig;
use crate::state::{Closed, CountProgress, Key, Part, PartialHeader, PartialKey, StateError, TopicPartition, Value};
use crate::window::{Granularity, Window};

pub use due::Due;
pub use frontier::{Clock, Frontier};
pub use merged::MergedWindow;

/// How long closed windows of one length are needed after their end, in ms; by event time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// With their counts, for references; 0: never.
    pub counts_ms: i64,
    /// With their flagged findings, for persistence.
    pub flags_ms: i64,
}

/// All partitions' newest state.
#[derive(Clone, Debug)]
pub struct Board {
    config: Arc<WindowConfig>,
    kept: BTreeMap<Granularity, Kept>,
    sources: BTreeMap<TopicPartition, CountProgress>,
    windows: BTreeMap<Window, Slot>,
    /// Partials whose progress was not seen yet.
    staged: BTreeMap<PartialKey, (i64, Arc<[u8]>)>,
    horizon: BTreeMap<Granularity, i64>,
    /// The newest closed windows, as references and persistence need them.
    history: ClosedWindows,
    /// Removed, and not yet read back.
    leaving: BTreeSet<Key>,
    unreported: u64,
}

/// What is known of one window.
#[derive(Clone, Debug, Default)]
struct Slot {
    partials: BTreeMap<(TopicPartition, Part), Arc<[u8]>>,
    /// As on the topic.
    closed: Option<Closed>,
    /// As it will be there when the next checkpoint is published.
    closing: Option<Closed>,
    handed: Option<Due>,
    /// How often its partials, or those of shorter windows in it, changed; and at which of these its content was last
    /// found to be what was reported.
    changes: u64,
    checked: u64,
}

impl Slot {
    fn newest(&self) -> Option<&Closed> {
        self.closing.as_ref().or(self.closed.as_ref())
    }

    fn is_final(&self) -> bool {
        self.closed.as_ref().is_some_and(|closed| closed.is_final)
    }

    fn has_late(&self) -> bool {
        self.partials.keys().any(|(_, part)| *part == Part::Late)
    }

    fn is_empty(&self) -> bool {
        self.partials.is_empty() && self.newest().is_none() && self.handed.is_none()
    }

    /// Whether the content may differ from what was reported of it.
    fn is_doubtful(&self) -> bool {
        self.changes != self.checked
    }
}

impl Board {
    pub fn new(config: Arc<WindowConfig>, kept: BTreeMap<Granularity, Kept>) -> Self {
        Self {
            config,
            kept,
            sources: BTreeMap::new(),
            windows: BTreeMap::new(),
            staged: BTreeMap::new(),
            horizon: BTreeMap::new(),
            history: ClosedWindows::default(),
            leaving: BTreeSet::new(),
            unreported: 0,
        }
    }

    /// A board of everything that the state topic holds, in any order.
    ///
    /// # Errors
    /// A key or a value is not of this version, or damaged.
    pub fn load<K: AsRef<[u8]>>(
        config: Arc<WindowConfig>,
        kept: BTreeMap<Granularity, Kept>,
        entries: impl IntoIterator<Item = (K, Arc<[u8]>)>,
    ) -> Result<Self, StateError> {
        let mut board = Self::new(config, kept);
        for (key, value) in entries {
            board.apply(key.as_ref(), Some(value))?;
        }
        board.unreported = 0;
        Ok(board)
    }

    /// Takes a change of the state topic: the newest value of a key, or that it is gone.
    ///
    /// # Errors
    /// The key or the value is not of this version, or damaged.
    pub fn apply(&mut self, key: &[u8], value: Option<Arc<[u8]>>) -> Result<(), StateError> {
        let key = Key::from_str(&String::from_utf8_lossy(key))?;
        self.leaving.remove(&key);
        if matches!(key, Key::Predictions { .. } | Key::Performance(_)) {
            return Ok(()); // The reviser's.
        }
        let Some(bytes) = value else {
            self.remove(&key);
            return Ok(());
        };
        if let Key::Partial(name) = &key {
            let header = PartialHeader::peek(&key, &bytes)?;
            self.staged.insert(name.clone(), (header.covered, bytes));
            return self.settle(&name.source.clone());
        }
        match (key.clone(), Value::decode(&key, &bytes)?) {
            (Key::Progress(source), Value::Progress(progress)) => {
                self.sources.insert(source.clone(), progress);
                self.settle(&source)?;
            }
            (Key::Closed(window), Value::Closed(closed)) => {
                let slot = self.windows.entry(window).or_default();
                slot.closing.take_if(|closing| *closing == closed || closing.revision < closed.revision);
                slot.handed.take_if(|handed| handed.revision <= closed.revision);
                slot.closed = Some(closed);
                self.remember(window);
            }
            (Key::Horizon(granularity), Value::Horizon(horizon)) => {
                self.horizon.insert(granularity, horizon.end_ms);
            }
            _ => {} // `Value::decode` gives the kind of value that the key names.
        }
        Ok(())
    }

    fn remove(&mut self, key: &Key) {
        match key {
            Key::Partial(name) => {
                self.staged.remove(name);
                if let Some(slot) = self.windows.get_mut(&name.window) {
                    slot.partials.remove(&(name.source.clone(), name.part));
                }
                self.sweep(name.window);
            }
            Key::Progress(source) => {
                self.sources.remove(source);
            }
            Key::Closed(window) => {
                if let Some(slot) = self.windows.get_mut(window) {
                    (slot.closed, slot.closing) = (None, None);
                }
                // Closed windows leave oldest first: those before it are asked for no more either.
                self.history.forget(window.granularity, window.end_ms());
                self.sweep(*window);
            }
            Key::Horizon(granularity) => {
                self.horizon.remove(granularity);
            }
            Key::Predictions { .. } | Key::Performance(_) => {}
        }
    }

    fn sweep(&mut self, window: Window) {
        if self.windows.get(&window).is_some_and(Slot::is_empty) {
            self.windows.remove(&window);
        }
    }

    /// Lets the partials count that this partition's progress covers.
    fn settle(&mut self, source: &TopicPartition) -> Result<(), StateError> {
        let Some(next_offset) = self.sources.get(source).map(|progress| progress.next_offset) else { return Ok(()) };
        let mut covered = Vec::new();
        self.staged.retain(|name, (until, bytes)| {
            let is_covered = name.source == *source && *until <= next_offset;
            if is_covered {
                covered.push((name.clone(), Arc::clone(bytes)));
            }
            !is_covered
        });
        for (name, bytes) in covered {
            self.place(name, bytes)?;
        }
        Ok(())
    }

    fn place(&mut self, name: PartialKey, bytes: Arc<[u8]>) -> Result<(), StateError> {
        let is_over = self.is_beyond(name.window) || self.windows.get(&name.window).is_some_and(Slot::is_final);
        let mut longer = Some(name.window);
        while let Some(window) = longer {
            self.windows.entry(window).or_default().changes += 1;
            longer = self.config.parent(window);
        }
        let half = (name.source.clone(), name.part);
        let before = self.windows.entry(name.window).or_default().partials.insert(half, Arc::clone(&bytes));
        if is_over {
            let key = Key::Partial(name);
            let before = before.map(|before| PartialHeader::peek(&key, &before)).transpose()?;
            let known = before.map_or(0, |before| before.records);
            self.unreported += PartialHeader::peek(&key, &bytes)?.records.saturating_sub(known);
        }
        Ok(())
    }

    /// Whether windows of that time were closed so long ago that nothing of them is known any more.
    fn is_beyond(&self, window: Window) -> bool {
        let never_closed =
            self.windows.get(&window).is_none_or(|slot| slot.newest().is_none() && slot.handed.is_none());
        never_closed && self.horizon.get(&window.granularity).is_some_and(|&end_ms| window.end_ms() <= end_ms)
    }

    /// Drops what was handed out, closed or removed, and not read back: the checkpoint with it was not published.
    pub fn forget(&mut self) {
        self.leaving.clear();
        self.windows.values_mut().for_each(|slot| {
            (slot.handed, slot.closing) = (None, None);
            slot.checked = 0;
        });
        self.history = ClosedWindows::default();
        for window in self.windows.keys().copied().collect::<Vec<_>>() {
            self.remember(window);
        }
    }

    /// What was saved of one partition: its progress and its halves of windows.
    ///
    /// # Errors
    /// A value cannot be read.
    pub fn saved(&self, source: &TopicPartition) -> Result<Vec<(Key, Value)>, StateError> {
        let mut saved = Vec::new();
        if let Some(progress) = self.sources.get(source) {
            saved.push((Key::Progress(source.clone()), Value::Progress(progress.clone())));
        }
        for (window, slot) in &self.windows {
            for ((_, part), bytes) in slot.partials.iter().filter(|((own, _), _)| own == source) {
                let key = Key::Partial(PartialKey { window: *window, source: source.clone(), part: *part });
                let value = Value::decode(&key, bytes)?;
                saved.push((key, value));
            }
        }
        Ok(saved)
    }

    /// Closed windows as references and persistence need them, read back or not.
    pub fn history(&self) -> &ClosedWindows {
        &self.history
    }

    fn remember(&mut self, window: Window) {
        if let Some(closed) = self.reported(window) {
            let past = Past { counts: closed.counts.clone(), flags: closed.flags.clone() };
            self.history.insert(window, past);
        }
    }

    /// What was last reported of a window, read back or not.
    pub fn reported(&self, window: Window) -> Option<&Closed> {
        self.windows.get(&window).and_then(Slot::newest)
    }

    /// How far each partition is counted.
    pub fn progress(&self) -> impl Iterator<Item = (&TopicPartition, &CountProgress)> {
        self.sources.iter()
    }

    /// Windows that were handed out or closed, and not read back as closed.
    pub fn pending(&self) -> usize {
        self.windows.values().filter(|slot| slot.handed.is_some() || slot.closing.is_some()).count()
    }

    /// Events that were counted for a window when it was final, since this board was made, once per length of windows.
    /// They are in no report of that window.
    pub fn unreported(&self) -> u64 {
        self.unreported
    }

    /// Bytes of the partials and counts held.
    pub fn bytes(&self) -> usize {
        let counts =
            |slot: &Slot| slot.newest().and_then(|closed| closed.counts.as_ref()).map_or(0, |counts| counts.len());
        self.windows
            .values()
            .map(|slot| slot.partials.values().map(|bytes| bytes.len()).sum::<usize>() + counts(slot))
            .sum()
    }
}

#[cfg(test)]
mod tests;
