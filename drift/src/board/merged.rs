//! The sum of a window over all partitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::report::OffsetRange;
use sha2::{Digest, Sha256};

use super::{Board, Due};
use crate::counts::WindowCounts;
use crate::state::value::count;
use crate::state::{Key, Part, PartialKey, StateError, Tally, TopicPartition, Value};
use crate::window::Window;

/// Half of SHA-256: enough that no two contents of a window share it.
const DIGEST_BYTES: usize = 16;

/// A window as it is reported.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedWindow {
    pub window: Window,
    pub revision: i32,
    /// No further revision will come for late records.
    pub is_final: bool,
    pub counts: WindowCounts,
    /// Of the records in the counts and the refused ones, per partition, ascending.
    pub offsets: Vec<OffsetRange>,
    /// Events too late for their own window of this length, that came while this one was the newest of their partition.
    pub late_dropped: u64,
    /// Events of this window whose clock was so far ahead that their time was set back.
    pub clamped: u64,
    /// Records that are no labelled events, by [`Refusal::name`](crate::observation::Refusal::name), that came while this
    /// window was the newest of their partition.
    pub refused: BTreeMap<String, u64>,
}

impl MergedWindow {
    /// Names the content: hexadecimal digits. Equal contents have equal digests, whatever their revision.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for range in &self.offsets {
            hash.update(format!("{}/{}/{}/{}\n", range.topic, range.partition, range.start, range.end));
        }
        hash.update(format!("dropped {}\nclamped {}\n", self.late_dropped, self.clamped));
        for (reason, times) in &self.refused {
            hash.update(format!("refused {reason} {times}\n"));
        }
        hash.update(self.counts.encode());
        format!("{:x}", hash.finalize())[..2 * DIGEST_BYTES].to_owned()
    }
}

impl Board {
    /// The sum of what a window counted: on time, and late where that is due.
    pub(super) fn merge(&self, due: &Due) -> Result<MergedWindow, StateError> {
        let mut counts = WindowCounts::default();
        let mut offsets: BTreeMap<TopicPartition, Tally> = BTreeMap::new();
        let (mut late_dropped, mut refused) = (0, BTreeMap::new());
        for (name, bytes) in self.contributions(due.window) {
            if name.part == Part::Late && !due.with_late {
                continue;
            }
            let (source, window) = (name.source.clone(), name.window);
            let key = Key::Partial(name);
            let Value::Partial { partial, .. } = Value::decode(&key, bytes)? else { continue };
            counts.merge(&partial.counts);
            late_dropped += if window == due.window { partial.tally.dropped } else { 0 };
            for (reason, &times) in &partial.tally.refused {
                count(&mut refused, reason, times);
            }
            offsets.entry(source).or_default().merge(&partial.tally);
        }
        let offsets = offsets.into_iter().filter(|(_, tally)| tally.start < tally.end).map(|(source, tally)| {
            let (topic, partition) = (source.topic.to_string(), source.partition);
            OffsetRange { topic, partition, start: tally.start, end: tally.end }
        });
        let (Due { window, revision, is_final, .. }, clamped) = (*due, counts.clamped());
        let offsets = offsets.collect();
        Ok(MergedWindow { window, revision, is_final, counts, offsets, late_dropped, clamped, refused })
    }

    /// Whether any partition counted anything for this half of the window.
    pub(super) fn counts_anything(&self, window: Window, part: Part) -> bool {
        self.contributions(window).iter().any(|(name, _)| name.part == part)
    }

    /// The halves that make up a window: its own, and of shorter windows in it those that were not folded yet, because
    /// their partition's watermark has not passed them.
    fn contributions(&self, window: Window) -> Vec<(PartialKey, &Arc<[u8]>)> {
        let halves = |window: Window| {
            let halves = self.windows.get(&window).into_iter().flat_map(|slot| &slot.partials);
            halves
                .map(move |((source, part), bytes)| (PartialKey { window, source: source.clone(), part: *part }, bytes))
        };
        let mut all: Vec<_> = halves(window).collect();
        let is_folded = |source: &TopicPartition, end_ms: i64| {
            let watermark_ms = self.sources.get(source).and_then(|progress| progress.watermark_ms);
            watermark_ms.is_some_and(|watermark_ms| watermark_ms >= end_ms)
        };
        if self.sources.keys().all(|source| is_folded(source, window.end_ms())) {
            return all;
        }
        for &granularity in self.config.granularities().iter().filter(|shorter| **shorter < window.granularity) {
            let first = granularity.window(window.start_ms);
            let end = Window { granularity, start_ms: window.end_ms() };
            for shorter in self.windows.range(first..end).map(|(shorter, _)| *shorter) {
                all.extend(
                    halves(shorter)
                        .filter(|(name, _)| name.part == Part::OnTime && !is_folded(&name.source, shorter.end_ms())),
                );
            }
        }
        all
    }
}
