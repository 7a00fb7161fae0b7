//! A group's committed offsets, and those that wait for the end of a transaction.

use std::collections::{BTreeMap, BTreeSet};

/// Kafka's `offset.metadata.max.bytes`.
pub(crate) const METADATA_BYTES_MAX: usize = 4096;

/// An offset to read next, with the committer's note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}

type TopicPartition = (String, i32);

#[derive(Debug, Default)]
pub(crate) struct Offsets {
    committed: BTreeMap<TopicPartition, Committed>,
    /// By producer id, until its transaction ends.
    pending: BTreeMap<i64, BTreeMap<TopicPartition, Committed>>,
}

impl Offsets {
    pub(crate) fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.pending.is_empty()
    }

    pub(crate) fn commit(&mut self, topic: &str, partition: i32, committed: Committed) {
        self.committed.insert((topic.to_owned(), partition), committed);
    }

    pub(crate) fn commit_pending(&mut self, producer_id: i64, topic: &str, partition: i32, committed: Committed) {
        self.pending.entry(producer_id).or_default().insert((topic.to_owned(), partition), committed);
    }

    /// The producer's transaction ended: its offsets count from now on, or never did.
    pub(crate) fn end(&mut self, producer_id: i64, commit: bool) {
        if let Some(pending) = self.pending.remove(&producer_id)
            && commit
        {
            self.committed.extend(pending);
        }
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&Committed> {
        self.committed.get(&(topic.to_owned(), partition))
    }

    /// Whether an open transaction may still change the partition's offset.
    pub(crate) fn is_pending(&self, topic: &str, partition: i32) -> bool {
        let key = (topic.to_owned(), partition);
        self.pending.values().any(|offsets| offsets.contains_key(&key))
    }

    /// Every partition that has an offset or may soon have one.
    pub(crate) fn partitions(&self) -> BTreeSet<(&str, i32)> {
        let pending = self.pending.values().flat_map(BTreeMap::keys);
        self.committed.keys().chain(pending).map(|(topic, partition)| (topic.as_str(), *partition)).collect()
    }

    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.committed.retain(|(name, _), _| name != topic);
        for offsets in self.pending.values_mut() {
            offsets.retain(|(name, _), _| name != topic);
        }
        self.pending.retain(|_, offsets| !offsets.is_empty());
    }
}
