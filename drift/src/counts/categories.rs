//! How often each category came: labels, scripts, models, reasons of dead letters.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::capped::Capped;
use super::coding::{CountsError, Reader, Writer};
use crate::slice::OTHER;

/// The category of events whose model gave no label although it has scores.
pub const ABSTAINED: &str = "__abstained__";

/// Counts by name, at most `labels_max` of them; those of the others are pooled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Categories {
    counts: Capped<u64>,
    total: u64,
}

/// One category in a reference and in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairedCategory {
    pub name: Arc<str>,
    pub reference: u64,
    pub current: u64,
}

impl Categories {
    pub(super) fn add(&mut self, hash: u64, name: &str, max: usize) {
        let count = self.counts.slot((hash, name), max, join);
        *count = count.saturating_add(1);
        self.total = self.total.saturating_add(1);
    }

    pub(super) fn merge(&mut self, other: &Self, max: usize) {
        self.counts.merge(&other.counts, max, join);
        self.total = self.total.saturating_add(other.total);
    }

    pub(super) fn crowd_out(&mut self, max: usize) {
        self.counts.crowd_out(max, join);
    }

    /// Names and their counts, without those that are pooled; in an order that stays the same.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(name, count)| (&**name, *count))
    }

    /// How often a name came; 0 for one that is pooled.
    pub fn get(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// How often the names came that did not fit under the cap.
    pub fn other(&self) -> u64 {
        self.counts.other().copied().unwrap_or(0)
    }

    /// Events that carry the feature.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Both counts of each category that either has, by name; `self` is the reference.
    ///
    /// A name that one side pooled cannot be compared: it is pooled on both, under [`OTHER`], which comes last.
    pub fn paired(&self, current: &Self) -> Vec<PairedCategory> {
        let mut paired: BTreeMap<&Arc<str>, (u64, u64)> = BTreeMap::new();
        let mut pool = (self.other(), current.other());
        let complete = self.counts.complete_to().min(current.counts.complete_to());
        for (name, hash, count) in self.counts.hashed() {
            let place = if hash <= complete { paired.entry(name).or_default() } else { &mut pool };
            place.0 = place.0.saturating_add(*count);
        }
        for (name, hash, count) in current.counts.hashed() {
            let place = if hash <= complete { paired.entry(name).or_default() } else { &mut pool };
            place.1 = place.1.saturating_add(*count);
        }
        let category =
            |name: &Arc<str>, (reference, current)| PairedCategory { name: Arc::clone(name), reference, current };
        let mut all: Vec<_> = paired.into_iter().map(|(name, counts)| category(name, counts)).collect();
        if pool != (0, 0) {
            all.push(category(&OTHER.into(), pool));
        }
        all
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        self.counts.encode(writer, |count, writer| writer.number(*count));
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, CountsError> {
        let counts = Capped::decode(reader, |reader| reader.number())?;
        let kept = counts.iter().map(|(_, count)| *count);
        let total = kept.chain(counts.other().copied()).fold(0, u64::saturating_add);
        Ok(Self { counts, total })
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.counts.heap_bytes(|_| 0)
    }
}

fn join(count: &mut u64, other: &u64) {
    *count = count.saturating_add(*other);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::hash::hash;

    fn categories(names: &[&str], max: usize) -> Categories {
        let mut categories = Categories::default();
        for name in names {
            categories.add(hash(name.as_bytes()), name, max);
        }
        categories
    }

    #[test]
    fn counts_by_name() {
        let labels = categories(&["a", "b", "a"], 10);
        assert_eq!((labels.get("a"), labels.get("b"), labels.get("c")), (2, 1, 0));
        assert_eq!((labels.other(), labels.total()), (0, 3));
    }

    #[test]
    fn what_either_side_pooled_is_pooled_on_both() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let (reference, current) = (categories(&names, 6), categories(&names, 3));
        let paired = reference.paired(&current);
        assert_eq!(paired.len(), 4);
        assert_eq!(paired[3], PairedCategory { name: OTHER.into(), reference: 3, current: 3 });
        for category in &paired[..3] {
            assert_eq!((category.reference, category.current), (1, 1), "{category:?}");
        }
        assert_eq!(categories(&[], 3).paired(&categories(&[], 3)), []);
    }

    #[test]
    fn a_cap_of_none_pools_everything() {
        let labels = categories(&["a", "b"], 0);
        assert_eq!((labels.iter().count(), labels.other()), (0, 2));
        assert_eq!(labels.paired(&categories(&["a"], 9))[0].current, 1);
    }
}
