//! A record that deletes its key. It has no text and is not an error: it is skipped or forwarded.

use crate::dead_letter::DeadLetter;
use crate::event::RawEvent;

/// A record without a payload, or a change event that tells of a deletion.
#[derive(Clone, Debug)]
pub struct Tombstone {
    pub raw: RawEvent,
    pub fate: Fate,
}

/// What becomes of a tombstone. A third fate, a dead letter, is a [`DeadLetter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing is written; its offset is committed.
    Skip,
    /// A record of its key without a payload goes to the output topic: a compacted one forgets the label.
    Forward,
}

/// A record that leaves the way of its batch, and still belongs to it.
#[derive(Clone, Debug)]
pub enum Aside {
    DeadLetter(DeadLetter),
    Tombstone(Tombstone),
}

impl Aside {
    /// The record as it was read.
    pub fn raw(&self) -> &RawEvent {
        match self {
            Self::DeadLetter(letter) => &letter.raw,
            Self::Tombstone(tombstone) => &tombstone.raw,
        }
    }

    /// Why it cannot be labelled, where that is a fault.
    pub fn dead_letter(&self) -> Option<&DeadLetter> {
        match self {
            Self::DeadLetter(letter) => Some(letter),
            Self::Tombstone(_) => None,
        }
    }
}

impl From<DeadLetter> for Aside {
    fn from(letter: DeadLetter) -> Self {
        Self::DeadLetter(letter)
    }
}

impl From<Tombstone> for Aside {
    fn from(tombstone: Tombstone) -> Self {
        Self::Tombstone(tombstone)
    }
}
