//! One partition's predictions, window by window, beside its counts.
//!
//! As with counts, only the partition's log moves it. An event is sampled as long as its window still takes late ones; what
//! comes later is in no sample. A window leaves memory with the checkpoint after that.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::Arc;

use super::predictions::Predictions;
use super::settings::{LabelsConfig, predictions_granularity};
use crate::observation::{Observation, Refusal};
use crate::settings::WindowConfig;
use crate::state::{CountProgress, Entry, Key, StateError, TopicPartition, Value};
use crate::window::{Granularity, Window};

/// The predictions of one partition's open windows.
#[derive(Clone, Debug)]
pub struct Sampler {
    windows: Arc<WindowConfig>,
    granularity: Granularity,
    max: NonZeroUsize,
    source: TopicPartition,
    open: BTreeMap<Window, Predictions>,
    changed: BTreeSet<Window>,
}

/// Key and value of a record of the state topic, as written.
pub type StateRecord = (Arc<[u8]>, Arc<[u8]>);

/// Predictions as they are in the state topic, of some windows.
pub type Saved = Vec<(Window, Arc<[u8]>)>;

/// The predictions that a state topic holds, by partition.
///
/// # Errors
/// A key is not of this version.
pub fn saved(entries: &[StateRecord]) -> Result<BTreeMap<TopicPartition, Saved>, StateError> {
    let mut saved: BTreeMap<_, Saved> = BTreeMap::new();
    for (key, value) in entries {
        if let Key::Predictions { window, source } = Key::from_str(&String::from_utf8_lossy(key))? {
            saved.entry(source).or_default().push((window, Arc::clone(value)));
        }
    }
    Ok(saved)
}

impl Sampler {
    /// A partition as it was saved, windows in any order.
    ///
    /// # Errors
    /// The predictions of a window that is still open cannot be read.
    pub fn restore(
        labels: &LabelsConfig,
        windows: Arc<WindowConfig>,
        source: TopicPartition,
        saved: Saved,
        progress: &CountProgress,
    ) -> Result<Self, StateError> {
        let granularity = predictions_granularity(windows.granularities());
        let max = labels.predictions_max();
        let mut sampler = Self { windows, granularity, max, source, open: BTreeMap::new(), changed: BTreeSet::new() };
        for (window, bytes) in saved {
            let key = Key::Predictions { window, source: sampler.source.clone() };
            if sampler.is_open(window, progress)
                && let Value::Predictions(predictions) = Value::decode(&key, &bytes)?
            {
                sampler.open.insert(window, predictions);
            }
        }
        Ok(sampler)
    }

    /// Samples a record that the partition's state has counted; `progress` is that state's, with this record in it.
    pub fn observe(&mut self, outcome: &Result<Observation, Refusal>, progress: &CountProgress) {
        let Ok(observation) = outcome else { return };
        let window = self.granularity.window(observation.event_time_ms());
        if self.is_open(window, progress) {
            self.open.entry(window).or_default().observe(observation, self.max);
            self.changed.insert(window);
        }
    }

    /// What changed since the last checkpoint, for the transaction with the partition's counts. It counts as saved from here
    /// on, as there.
    pub fn checkpoint(&mut self, progress: &CountProgress) -> Vec<Entry> {
        let mut entries = Vec::new();
        for window in std::mem::take(&mut self.changed) {
            let Some(predictions) = self.open.remove(&window) else { continue };
            let value = Value::Predictions(predictions);
            entries.push(Entry::new(Key::Predictions { window, source: self.source.clone() }, &value));
            if let Value::Predictions(predictions) = value {
                self.open.insert(window, predictions);
            }
        }
        let over: Vec<Window> = self.open.keys().filter(|window| !self.is_open(**window, progress)).copied().collect();
        over.iter().for_each(|window| {
            self.open.remove(window);
        });
        entries
    }

    fn is_open(&self, window: Window, progress: &CountProgress) -> bool {
        let end_ms = window.end_ms().saturating_add(self.windows.lateness_ms());
        progress.watermark_ms.is_none_or(|watermark_ms| watermark_ms < end_ms)
    }
}

#[cfg(test)]
mod tests;
