//! What was read of each partition and is not known to be committed: which partitions a rewind has to move, and where to.
//!
//! Pure: the poll thread tells it of records, assignments and committed offsets.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::mem;

use crate::offsets::Slot;

/// Offsets read since the partition was assigned or rewound: from `first`, to before `next`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: i64,
    pub(super) next: i64,
}

#[derive(Debug, Default)]
pub(super) struct ReadSpans(BTreeMap<Slot, Span>);

impl ReadSpans {
    /// Takes note of a record, and returns the offset that was to come next, if that is known.
    pub(super) fn read(&mut self, topic: &str, partition: i32, offset: i64) -> Option<i64> {
        // Looked up by an owned key: the map has no borrowed pair, and this is one small allocation beside the record's.
        match self.0.entry((topic.to_owned(), partition)) {
            Entry::Occupied(mut span) => Some(mem::replace(&mut span.get_mut().next, offset + 1)),
            Entry::Vacant(none) => {
                none.insert(Span { first: offset, next: offset + 1 });
                None
            }
        }
    }

    /// A new owner begins at its own committed offset: what was read before means nothing.
    pub(super) fn forget(&mut self, slot: &Slot) {
        self.0.remove(slot);
    }

    pub(super) fn get(&self, slot: &Slot) -> Option<Span> {
        self.0.get(slot).copied()
    }

    /// Where to seek so that nothing is left out; `None` when everything read is committed.
    ///
    /// Without a committed offset, reading goes back to the first record read: `latest` would skip what came since.
    pub(super) fn target(&self, slot: &Slot, committed: Option<i64>) -> Option<i64> {
        let span = self.0.get(slot)?;
        let target = committed.unwrap_or(span.first);
        (target != span.next).then_some(target)
    }

    /// Reading stands at `offset` again.
    pub(super) fn rewound(&mut self, slot: &Slot, offset: i64) {
        self.0.insert(slot.clone(), Span { first: offset, next: offset });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewinds_to_what_is_committed_else_to_the_first_record_read() {
        let mut spans = ReadSpans::default();
        let slot = ("in".to_owned(), 3);
        assert_eq!(spans.target(&slot, Some(7)), None, "nothing was read");
        let expected = [10, 11, 14].map(|offset| spans.read("in", 3, offset));
        assert_eq!(expected, [None, Some(11), Some(12)]);
        assert_eq!(spans.get(&slot), Some(Span { first: 10, next: 15 }));
        assert_eq!(spans.target(&slot, None), Some(10));
        assert_eq!(spans.target(&slot, Some(12)), Some(12));
        assert_eq!(spans.target(&slot, Some(15)), None, "all of it is committed");
        spans.rewound(&slot, 12);
        assert_eq!(spans.target(&slot, Some(12)), None);
        spans.forget(&slot);
        assert_eq!(spans.get(&slot), None);
    }
}
