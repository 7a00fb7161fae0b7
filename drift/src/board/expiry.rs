//! What the state topic need not hold any more, so that it stays as large as the open windows and the kept past.

use super::{Board, Frontier, Slot};
use crate::settings::WindowConfig;
use crate::state::{Closed, Entry, Horizon, Key, PartialKey, TopicPartition, Value};
use crate::window::Window;

impl Board {
    /// Records for the next checkpoint: windows that became final, the partials that go with them, and closed windows
    /// that nobody asks for any more.
    ///
    /// Each is named once, unless [`Self::forget`] takes it back. A partial goes only when its partition is past the
    /// window and its lateness: until then its owner adds to it, or folds it.
    pub fn expired(&mut self, frontier: &Frontier) -> Vec<Entry> {
        let mut entries = Vec::new();
        for window in self.windows.keys().copied().collect::<Vec<_>>() {
            self.finish(window, frontier, &mut entries);
        }
        self.drop_closed(&mut entries);
        let config = &self.config;
        self.windows.retain(|window, slot| !slot.is_empty() || !frontier.waited(waited_ms(config, *window)));
        entries
    }

    /// Makes a window final, and removes the partials of a final one.
    fn finish(&mut self, window: Window, frontier: &Frontier, entries: &mut Vec<Entry>) {
        let latest_ms = window.end_ms().saturating_add(self.config.lateness_ms());
        let is_over = frontier.passed(latest_ms) || frontier.waited(waited_ms(&self.config, window));
        let is_beyond = self.is_beyond(window);
        let Some(slot) = self.windows.get_mut(&window) else { return };
        let is_quiet = slot.handed.is_none() && slot.closing.is_none();
        if let Some(closed) = slot.closed.as_ref().filter(|closed| is_over && is_quiet && !closed.is_final)
            && !slot.is_doubtful()
        {
            let closed = Closed { is_final: true, ..closed.clone() };
            entries.push(closed.entry(window));
            slot.closing = Some(closed);
        }
        let is_final = slot.newest().is_some_and(|closed| closed.is_final);
        // Lengths that are not configured any more are folded by the owner, and closed by nobody.
        let is_foreign = !self.config.granularities().contains(&window.granularity);
        if is_final || is_beyond || is_foreign {
            self.remove_partials(window, latest_ms, entries);
        }
    }

    fn remove_partials(&mut self, window: Window, latest_ms: i64, entries: &mut Vec<Entry>) {
        let is_past = |source: &TopicPartition| {
            let watermark_ms = self.sources.get(source).and_then(|progress| progress.watermark_ms);
            watermark_ms.is_some_and(|watermark_ms| watermark_ms >= latest_ms)
        };
        let halves = self.windows.get(&window).into_iter().flat_map(|slot| slot.partials.keys());
        let past = halves.filter(|(source, _)| is_past(source));
        let keys: Vec<Key> = past
            .map(|(source, part)| Key::Partial(PartialKey { window, source: source.clone(), part: *part }))
            .collect();
        for key in keys {
            self.leave(key, entries);
        }
    }

    /// Removes closed windows that are older than they are needed, and remembers up to where that went.
    fn drop_closed(&mut self, entries: &mut Vec<Entry>) {
        for &granularity in Vec::from(self.config.granularities()).iter() {
            let of_length = || self.windows.iter().filter(|(window, _)| window.granularity == granularity);
            let Some(newest_ms) =
                of_length().filter(|(_, slot)| slot.closed.is_some()).map(|(own, _)| own.end_ms()).max()
            else {
                continue;
            };
            let kept = self.kept.get(&granularity).copied().unwrap_or_default();
            let oldest_ms = newest_ms.saturating_sub(kept.counts_ms.max(kept.flags_ms));
            let is_done = |slot: &Slot| slot.is_final() && slot.closing.is_none() && slot.partials.is_empty();
            let old: Vec<Window> = of_length()
                .filter(|(window, slot)| window.end_ms() < oldest_ms && is_done(slot))
                .map(|(window, _)| *window)
                .filter(|window| !self.leaving.contains(&Key::Closed(*window)))
                .collect();
            let Some(end_ms) = old.iter().map(|window| window.end_ms()).max() else { continue };
            if self.horizon.get(&granularity).is_none_or(|&known| known < end_ms) {
                entries.push(Entry::new(Key::Horizon(granularity), &Value::Horizon(Horizon { end_ms })));
            }
            for window in old {
                self.leave(Key::Closed(window), entries);
            }
        }
    }

    /// Removes a key, once.
    fn leave(&mut self, key: Key, entries: &mut Vec<Entry>) {
        if self.leaving.insert(key.clone()) {
            entries.push(Entry::tombstone(key));
        }
    }
}

/// Until when idle partitions are waited for, event time.
fn waited_ms(config: &WindowConfig, window: Window) -> i64 {
    window.end_ms().saturating_add(config.lateness_ms()).saturating_add(config.retention_ms())
}
