//! One partition's predictions, window by window, beside its counts.
//!
//! As with counts, only the partition's log moves it. An event is sampled as long as its window still takes late ones; what
//! comes later is in no sample. A window leaves memory with the checkpoint after that.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::predictions::Predictions;
use super::settings::{LabelsConfig, predictions_granularity};
use crate::observation::{Observation, Refusal};
use crate::settings::WindowConfig;
use crate::state::{Entry, Key, Progress, TopicPartition, Value};
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

impl Sampler {
    /// A partition as it was saved, in any order; records of other partitions are passed over.
    pub fn restore(
        labels: &LabelsConfig,
        windows: Arc<WindowConfig>,
        source: TopicPartition,
        saved: impl IntoIterator<Item = (Window, Predictions)>,
        progress: &Progress,
    ) -> Self {
        let granularity = predictions_granularity(windows.granularities());
        let max = labels.predictions_max();
        let mut sampler = Self { windows, granularity, max, source, open: BTreeMap::new(), changed: BTreeSet::new() };
        let is_open = |(window, _): &(Window, Predictions)| sampler.is_open(*window, progress);
        sampler.open = saved.into_iter().filter(is_open).collect();
        sampler
    }

    /// Samples a record that the partition's state has counted; `progress` is that state's, with this record in it.
    pub fn observe(&mut self, outcome: &Result<Observation, Refusal>, progress: &Progress) {
        let Ok(observation) = outcome else { return };
        let window = self.granularity.window(observation.event_time_ms());
        if self.is_open(window, progress) {
            self.open.entry(window).or_default().observe(observation, self.max);
            self.changed.insert(window);
        }
    }

    /// What changed since the last checkpoint, for the transaction with the partition's counts. It counts as saved from here
    /// on, as there.
    pub fn checkpoint(&mut self, progress: &Progress) -> Vec<Entry> {
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

    fn is_open(&self, window: Window, progress: &Progress) -> bool {
        let end_ms = window.end_ms().saturating_add(self.windows.lateness_ms());
        progress.watermark_ms.is_none_or(|watermark_ms| watermark_ms < end_ms)
    }
}
