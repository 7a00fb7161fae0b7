//! What one partition counts, as a state machine over its log: nothing else moves it, neither the clock, nor other
//! partitions, nor how reads are cut into batches.
//!
//! The watermark is the greatest event time minus `out_of_order_ms`. An event walks from the finest window up: one that
//! the watermark has not passed counts it as on time, and the walk ends; one that it has passed, by less than
//! `lateness_ms`, counts it as late; one passed longer ago drops it; either way the walk goes on to the longer window.
//! When the watermark passes a window, what that counted on time is added to the longer window. So on time and late
//! together are everything accepted for a window, and a long window is the sum of short ones.
//!
//! Saved are only the halves that changed ([`PartitionState::checkpoint`]); a window that can change no more leaves
//! memory with that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::observation::{Observation, Refusal};
use crate::settings::WindowConfig;
use crate::state::value::count;
use crate::state::{CountProgress, Entry, Key, Part, Partial, PartialKey, TopicPartition, Value};
use crate::window::{Granularity, Window};

/// One partition's open windows, and how far it is counted.
#[derive(Clone, Debug)]
pub struct PartitionState {
    config: Arc<WindowConfig>,
    source: TopicPartition,
    progress: CountProgress,
    /// Halves of windows that may change, and those that changed since the last checkpoint.
    partials: BTreeMap<(Part, Window), Partial>,
    changed: BTreeSet<(Part, Window)>,
    /// Halves saved under a length that is no longer configured: their counts went to longer windows.
    gone: Vec<PartialKey>,
    /// The progress differs from what was saved.
    moved: bool,
}

impl PartitionState {
    /// A partition of which nothing is counted yet.
    pub fn new(config: Arc<WindowConfig>, source: TopicPartition) -> Self {
        Self::at(config, source, CountProgress::default())
    }

    /// A partition as it was saved: its progress and all its halves of windows, in any order.
    ///
    /// It is not idle until its new owner says so, and that is worth a checkpoint. Windows of a length that is no longer
    /// configured go to the next longer one.
    pub fn restore(
        config: Arc<WindowConfig>,
        source: TopicPartition,
        saved: impl IntoIterator<Item = (Key, Value)>,
    ) -> Self {
        let mut progress = CountProgress::default();
        let mut halves = Vec::new();
        for (key, value) in saved {
            match (key, value) {
                (Key::Progress(of), Value::Progress(newest)) if of == source => progress = newest,
                (Key::Partial(key), Value::Partial { partial, .. }) if key.source == source => {
                    halves.push((key, partial));
                }
                _ => {}
            }
        }
        progress.idle = false;
        let mut state = Self { moved: true, ..Self::at(config, source, progress) };
        halves.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (key, partial) in halves {
            state.take_back(key, partial);
        }
        state
    }

    fn at(config: Arc<WindowConfig>, source: TopicPartition, progress: CountProgress) -> Self {
        let (partials, changed, gone) = Default::default();
        Self { config, source, progress, partials, changed, gone, moved: false }
    }

    fn take_back(&mut self, key: PartialKey, partial: Partial) {
        let (window, part) = (key.window, key.part);
        if self.config.granularities().contains(&window.granularity) {
            if self.may_change(part, window) {
                // Added: a shorter window that is configured no more may have come before.
                self.partials.entry((part, window)).or_default().merge(&partial);
            }
            return;
        }
        let open = part == Part::OnTime && self.may_change(part, window);
        if let (true, Some(parent)) = (open, self.config.parent(window)) {
            self.change(Part::OnTime, parent).fold(&partial);
        }
        self.gone.push(key);
    }

    /// Counts the record at this offset. False: it was counted before, and nothing changed.
    pub fn observe(&mut self, offset: i64, outcome: &Result<Observation, Refusal>) -> bool {
        if offset < self.progress.next_offset {
            return false;
        }
        self.progress.next_offset = offset.saturating_add(1);
        self.progress.idle = false;
        self.moved = true;
        match outcome {
            Ok(observation) => self.accept(offset, observation),
            Err(Refusal::Tombstone) => {} // skipped: it is in no window, and not an error
            Err(refusal) => self.refuse(offset, refusal.name()),
        }
        true
    }

    fn accept(&mut self, offset: i64, observation: &Observation) {
        self.progress.totals.accepted += 1;
        self.progress.totals.clamped += u64::from(observation.clamped());
        self.advance(observation.event_time_ms());
        let config = Arc::clone(&self.config);
        for &granularity in config.granularities() {
            let window = granularity.window(observation.event_time_ms());
            let part = if !self.passed(window.end_ms()) {
                Part::OnTime
            } else if self.may_change(Part::Late, window) {
                *self.progress.totals.late.entry(granularity).or_default() += 1;
                Part::Late
            } else {
                self.drop_for(granularity);
                continue;
            };
            let partial = self.change(part, window);
            partial.counts.observe(observation);
            partial.tally.cover(offset);
            if part == Part::OnTime {
                return;
            }
        }
    }

    /// An event too late for its own window is counted as late in the newest one, which is still open in every partition.
    fn drop_for(&mut self, granularity: Granularity) {
        *self.progress.totals.dropped.entry(granularity).or_default() += 1;
        if let Some(greatest_ms) = self.progress.greatest_ms {
            self.change(Part::OnTime, granularity.window(greatest_ms)).tally.dropped += 1;
        }
    }

    fn refuse(&mut self, offset: i64, reason: &str) {
        count(&mut self.progress.totals.refused, reason, 1);
        match self.progress.greatest_ms {
            Some(greatest_ms) => {
                let newest = self.config.finest().window(greatest_ms);
                self.change(Part::OnTime, newest).tally.refuse(offset, reason);
            }
            None => self.progress.unplaced.refuse(offset, reason),
        }
    }

    /// Moves the watermark to what this event time tells, and folds the windows that it passes, finest first.
    fn advance(&mut self, event_time_ms: i64) {
        let before = self.progress.watermark_ms;
        let first = self.progress.greatest_ms.is_none();
        let greatest_ms = self.progress.greatest_ms.map_or(event_time_ms, |known| known.max(event_time_ms));
        let after = greatest_ms.saturating_sub(self.config.out_of_order_ms()).max(before.unwrap_or(i64::MIN));
        self.progress.greatest_ms = Some(greatest_ms);
        self.progress.watermark_ms = Some(after);
        if first && self.progress.unplaced != Default::default() {
            let unplaced = std::mem::take(&mut self.progress.unplaced);
            let newest = self.config.finest().window(greatest_ms);
            self.change(Part::OnTime, newest).tally.merge(&unplaced);
        }
        let finest = self.config.finest();
        if before.is_some_and(|before| finest.window(before) != finest.window(after)) {
            self.fold(before.unwrap_or(i64::MIN), after);
        }
    }

    /// Adds what windows counted on time to the longer ones, where the watermark went past their end.
    fn fold(&mut self, before: i64, after: i64) {
        let config = Arc::clone(&self.config);
        for &granularity in config.granularities() {
            let first = granularity.window(before);
            let last = Window { granularity, start_ms: after.saturating_sub(granularity.length_ms()) };
            if last < first {
                continue;
            }
            let span = (Part::OnTime, first)..=(Part::OnTime, last);
            let passed: Vec<Window> = self.partials.range(span).map(|((_, window), _)| *window).collect();
            for window in passed {
                let Some(parent) = config.parent(window) else { continue };
                // It stays for the next checkpoint: taken out only for the length of the sum.
                let Some(partial) = self.partials.remove(&(Part::OnTime, window)) else { continue };
                self.change(Part::OnTime, parent).fold(&partial);
                self.partials.insert((Part::OnTime, window), partial);
            }
        }
    }

    /// The half of a window, to be changed.
    fn change(&mut self, part: Part, window: Window) -> &mut Partial {
        self.changed.insert((part, window));
        self.partials.entry((part, window)).or_default()
    }

    fn passed(&self, moment_ms: i64) -> bool {
        self.progress.watermark_ms.is_some_and(|watermark_ms| watermark_ms >= moment_ms)
    }

    fn may_change(&self, part: Part, window: Window) -> bool {
        !self.passed(match part {
            Part::OnTime => window.end_ms(),
            Part::Late => window.end_ms().saturating_add(self.config.lateness_ms()),
        })
    }

    /// The owner read to the end and nothing came for `idle_ms`: windows need not wait for this partition. The next
    /// record ends it.
    pub fn set_idle(&mut self) {
        self.moved |= !self.progress.idle;
        self.progress.idle = true;
    }

    /// The partition is there, though nothing of it was read: worth a checkpoint, so that windows wait for it.
    pub fn announce(&mut self) {
        self.moved = true;
    }

    pub fn progress(&self) -> &CountProgress {
        &self.progress
    }

    pub fn source(&self) -> &TopicPartition {
        &self.source
    }

    /// Whether a checkpoint would hold anything.
    pub fn moved(&self) -> bool {
        self.moved || !self.gone.is_empty()
    }

    /// What changed since the last checkpoint, the progress last; empty when nothing did.
    ///
    /// It counts as saved from here on. When it cannot be published, this state is to be dropped and restored from what
    /// was: there is no way back inside it.
    pub fn checkpoint(&mut self) -> Vec<Entry> {
        if !self.moved() {
            return Vec::new();
        }
        let covered = self.progress.next_offset;
        let mut entries: Vec<Entry> = self.gone.drain(..).map(|key| Entry::tombstone(Key::Partial(key))).collect();
        for (part, window) in std::mem::take(&mut self.changed) {
            // Everything in `changed` is in `partials`: only this function takes halves away.
            let Some(partial) = self.partials.remove(&(part, window)) else { continue };
            let key = Key::Partial(PartialKey { window, source: self.source.clone(), part });
            let value = Value::Partial { covered, partial };
            entries.push(Entry::new(key, &value));
            if let (true, Value::Partial { partial, .. }) = (self.may_change(part, window), value) {
                self.partials.insert((part, window), partial);
            }
        }
        let unchangeable: Vec<_> =
            self.partials.keys().filter(|(part, window)| !self.may_change(*part, *window)).copied().collect();
        for half in unchangeable {
            self.partials.remove(&half);
        }
        entries.push(Entry::new(Key::Progress(self.source.clone()), &Value::Progress(self.progress.clone())));
        self.moved = false;
        entries
    }
}

#[cfg(test)]
pub(crate) mod tests;
