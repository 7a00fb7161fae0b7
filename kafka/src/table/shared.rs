//! What the thread of a [`super::KafkaTable`] and its owner share: the entries, what changed, and how far it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use rdkafka::message::{BorrowedMessage, Message};

use crate::source::SourceError;

/// What an entry costs beside its bytes, roughly: two shared pointers and its place in the map.
const ENTRY_OVERHEAD: usize = 128;

/// The bytes of a key or of a value, shared by all holders.
pub type Bytes = Arc<[u8]>;

/// What the thread and the owner of the table share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) moved: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) entries: BTreeMap<Bytes, Bytes>,
    pub(super) bytes: usize,
    pub(super) changed: BTreeSet<Bytes>,
    pub(super) records: u64,
    /// The offset up to which everything is applied, markers and aborted records included; per partition of the topic.
    pub(super) positions: Option<BTreeMap<i32, i64>>,
    pub(super) failure: Option<SourceError>,
}

impl Shared {
    /// The topic has these partitions, none of them read yet.
    pub(super) fn found(&self, partitions: impl IntoIterator<Item = i32>) {
        self.state.lock().positions = Some(partitions.into_iter().map(|partition| (partition, 0)).collect());
    }

    /// Applies one record; false when the table is now larger than `bytes_max`.
    pub(super) fn apply(&self, message: &BorrowedMessage<'_>, bytes_max: usize) -> bool {
        let Some(key) = message.key() else { return true };
        self.state.lock().set(key, message.payload()) <= bytes_max
    }

    /// Everything before `offset` is applied. A position never goes back.
    pub(super) fn read_to(&self, partition: i32, offset: i64) {
        let mut state = self.state.lock();
        let Some(known) = state.positions.as_mut().and_then(|positions| positions.get_mut(&partition)) else { return };
        if offset > *known {
            *known = offset;
            self.moved.notify_all();
        }
    }
}

impl State {
    /// Sets or removes a key and returns the bytes that the table takes.
    fn set(&mut self, key: &[u8], value: Option<&[u8]>) -> usize {
        self.records += 1;
        let size = |value: &[u8]| key.len() + value.len() + ENTRY_OVERHEAD;
        let own: Bytes = self.entries.get_key_value(key).map_or_else(|| key.into(), |(own, _)| Arc::clone(own));
        let before = match value {
            Some(value) => {
                self.bytes += size(value);
                self.entries.insert(Arc::clone(&own), value.into())
            }
            None => self.entries.remove(key),
        };
        self.bytes -= before.map_or(0, |before| size(&before));
        self.changed.insert(own);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_keeps_the_newest_value_and_forgets_what_is_removed() {
        let mut state = State::default();
        let one = state.set(b"a", Some(b"1234"));
        assert_eq!(one, 1 + 4 + ENTRY_OVERHEAD);
        assert_eq!(state.set(b"a", Some(b"12")), one - 2);
        state.set(b"b", Some(b"1"));
        assert_eq!(state.set(b"b", None), one - 2, "what is removed takes nothing");
        assert_eq!(state.set(b"never", None), one - 2);
        assert_eq!(state.entries.get(&b"a"[..]).map(|value| &**value), Some(&b"12"[..]));
        assert_eq!(state.changed.iter().map(|key| &**key).collect::<Vec<_>>(), [&b"a"[..], b"b", b"never"]);
        assert_eq!(state.records, 5);
    }
}
