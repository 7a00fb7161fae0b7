//! The newest true label per id, for as long as a window may still ask for it.
//!
//! Of the labels of one id on one partition of the labels topic that of the highest offset counts; should an id stand on
//! several partitions, the latest of those by time. So the order of reading does not matter, nor does reading twice.
//! Bounded: beyond `labels.labels_max` the ids of smallest hash stay, which are those that samples keep too.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::predictions::IdHash;
use super::texts::Texts;

/// One true label as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthRecord {
    pub id: IdHash,
    pub label: Arc<str>,
    /// When the label was given, milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// Where it was read.
    pub partition: i32,
    pub offset: i64,
}

/// A true label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    pub label: Arc<str>,
    /// When the label was given, milliseconds since 1970 UTC.
    pub time_ms: i64,
    offset: i64,
}

/// True labels by id.
#[derive(Clone, Debug)]
pub struct LabelBook {
    max: NonZeroUsize,
    truths: BTreeMap<(IdHash, i32), Truth>,
    labels: Texts,
    /// The smallest id that was dropped for want of room; it and larger ones are not joined.
    dropped: Option<IdHash>,
}

impl LabelBook {
    /// An empty book of at most `max` labels.
    pub fn new(max: NonZeroUsize) -> Self {
        Self { max, truths: BTreeMap::new(), labels: Texts::default(), dropped: None }
    }

    /// Takes a label up, unless a newer one of its id is known.
    pub fn apply(&mut self, record: TruthRecord) {
        if self.is_dropped(record.id) {
            return;
        }
        let key = (record.id, record.partition);
        if self.truths.get(&key).is_some_and(|held| held.offset >= record.offset) {
            return;
        }
        let label = self.labels.share(&record.label, self.truths.len());
        self.truths.insert(key, Truth { label, time_ms: record.time_ms, offset: record.offset });
        while self.truths.len() > self.max.get() {
            if let Some(((id, _), _)) = self.truths.pop_last() {
                self.dropped = Some(id);
                // The id may stand on another partition too: an id is joined whole or not at all.
                self.truths.split_off(&(id, i32::MIN));
            }
        }
    }

    /// The true label of an event, where one was given until `deadline_ms`.
    pub fn truth(&self, id: IdHash, deadline_ms: i64) -> Option<&Truth> {
        let newest = self
            .truths
            .range((id, i32::MIN)..=(id, i32::MAX))
            .max_by_key(|((_, partition), truth)| (truth.time_ms, *partition));
        newest.map(|(_, truth)| truth).filter(|truth| truth.time_ms <= deadline_ms)
    }

    /// Whether labels of this id are not kept for want of room, so that its absence says nothing.
    pub fn is_dropped(&self, id: IdHash) -> bool {
        self.dropped.is_some_and(|dropped| id >= dropped)
    }

    /// Forgets labels that were given before `time_ms`: the windows that could ask for them are final.
    pub fn expire(&mut self, time_ms: i64) {
        self.truths.retain(|_, truth| truth.time_ms >= time_ms);
    }

    pub fn len(&self) -> usize {
        self.truths.len()
    }

    pub fn is_empty(&self) -> bool {
        self.truths.is_empty()
    }
}
