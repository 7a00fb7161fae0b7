//! Counts of a window: whole numbers that merge by adding, to the same bits for any split and order of the events.
//!
//! [`WindowCounts`] holds the [`Counts`] of all events and of each slice. What cannot be bounded by itself (labels,
//! slices, words) is capped by hash, which is exact in any order: see `capped`. The bytes of [`WindowCounts::encode`] are
//! canonical: equal counts give equal bytes, so partials may be compared and replays repeat files.

mod capped;
mod categories;
pub(crate) mod coding;
mod distinct;
mod edges;
mod embedding;
mod hash;
mod histogram;
mod limits;
mod scale;
mod share;
mod tally;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::observation::Observation;
use crate::slice::{OTHER, Slice};
use capped::Capped;
use coding::{Reader, Writer};

pub use categories::{ABSTAINED, Categories, PairedCategory};
pub use coding::CountsError;
pub use distinct::Distinct;
pub use edges::Edges;
pub use embedding::Embedding;
pub use histogram::{FilledBin, Histogram, Paired};
pub use scale::Scale;
pub use share::Share;
pub use tally::{Counts, View};
pub use words::{BUCKETS, Word, Words};

pub(crate) use embedding::{Features, UNIT as FEATURE_UNIT};
pub(crate) use hash::{chain, finish, hash};
pub(crate) use limits::Limits;

/// The counts of one window, or of one partition's part of it.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowCounts {
    limits: Limits,
    clamped: u64,
    all: Counts,
    /// By the key of the slicing, then by value.
    slices: BTreeMap<Arc<str>, Capped<Counts>>,
}

impl Default for WindowCounts {
    /// No records: what merging leaves unchanged.
    fn default() -> Self {
        Self { limits: Limits::NONE, clamped: 0, all: Counts::default(), slices: BTreeMap::new() }
    }
}

impl WindowCounts {
    /// Counts one record.
    pub fn observe(&mut self, observation: &Observation) {
        self.limit(observation.limits);
        let (names, slices) = (self.limits.names(), self.limits.slices());
        self.clamped = self.clamped.saturating_add(u64::from(observation.clamped()));
        self.all.observe(observation, names, true);
        for (key, value) in observation.hashed_slices() {
            if !self.slices.contains_key(key) {
                self.slices.insert(Arc::clone(key), Capped::default());
            }
            let Some(values) = self.slices.get_mut(key) else { continue };
            let join = |own: &mut Counts, theirs: &Counts| own.merge(theirs, names);
            values.slot(value, slices, join).observe(observation, names, false);
        }
    }

    /// Adds the counts of another part of the same window, or of a finer window inside it.
    pub fn merge(&mut self, other: &Self) {
        self.limit(other.limits);
        let (names, slices) = (self.limits.names(), self.limits.slices());
        self.clamped = self.clamped.saturating_add(other.clamped);
        self.all.merge(&other.all, names);
        for (key, theirs) in &other.slices {
            let values = self.slices.entry(Arc::clone(key)).or_default();
            values.merge(theirs, slices, |own: &mut Counts, theirs| own.merge(theirs, names));
        }
    }

    /// Lowers the limits to those of what is added.
    fn limit(&mut self, limits: Limits) {
        let least = self.limits.least(limits);
        if least != self.limits {
            self.limits = least;
            self.crowd_out();
        }
    }

    /// Pools what the limits have no room for.
    fn crowd_out(&mut self) {
        let (names, slices) = (self.limits.names(), self.limits.slices());
        self.all.crowd_out(names);
        for values in self.slices.values_mut() {
            values.each(|counts| counts.crowd_out(names));
            values.crowd_out(slices, |own: &mut Counts, theirs| own.merge(theirs, names));
        }
    }

    /// Drops the readable words and keeps their hash buckets, as for a profile that leaves the house.
    pub fn forget_words(&mut self) {
        self.all.forget_words();
    }

    /// Records counted: labelled events and dead letters.
    pub fn records(&self) -> u64 {
        self.all.events().saturating_add(self.all.dead_letters())
    }

    /// Records whose clock was so far ahead that their event time was set back.
    pub fn clamped(&self) -> u64 {
        self.clamped
    }

    /// The counts of all events.
    pub fn all(&self) -> &Counts {
        &self.all
    }

    /// The counts of each slice, by key and value; a key's pool of the values over the cap comes after them.
    pub fn slices(&self) -> Vec<(Slice, &Counts)> {
        let mut slices = Vec::new();
        for (key, values) in &self.slices {
            let slice = |value: Arc<str>| Slice::Of { key: Arc::clone(key), value };
            let mut kept: Vec<_> = values.iter().map(|(value, counts)| (slice(Arc::clone(value)), counts)).collect();
            kept.sort_by(|(one, _), (other, _)| one.cmp(other));
            slices.extend(kept);
            slices.extend(values.other().map(|counts| (slice(OTHER.into()), counts)));
        }
        slices
    }

    /// The counts of one slice; `None` when no event fell into it, or it was pooled.
    pub fn slice(&self, slice: &Slice) -> Option<&Counts> {
        match slice {
            Slice::All => Some(&self.all),
            Slice::Of { key, value } if &**value == OTHER => self.slices.get(key)?.other(),
            Slice::Of { key, value } => self.slices.get(key)?.get(value),
        }
    }

    /// Canonical bytes: equal counts give equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(u64::from(self.limits.labels_max));
        writer.number(u64::from(self.limits.slices_max));
        writer.number(self.clamped);
        self.all.encode(&mut writer);
        writer.number(self.slices.len() as u64);
        for (key, values) in &self.slices {
            writer.text(key);
            values.encode(&mut writer, Counts::encode);
        }
        writer.finish()
    }

    /// Reads what [`WindowCounts::encode`] wrote.
    ///
    /// # Errors
    /// [`CountsError`] says what is wrong with the bytes; damaged ones neither panic nor allocate without bound.
    pub fn decode(bytes: &[u8]) -> Result<Self, CountsError> {
        let unpacked = coding::unpack(bytes)?;
        let mut reader = Reader::new(&unpacked);
        let mut limit = || {
            let limit = reader.number()?;
            u32::try_from(limit).map_err(|_| CountsError::Corrupt("a limit beyond 32 bits"))
        };
        let limits = Limits { labels_max: limit()?, slices_max: limit()? };
        let (clamped, all) = (reader.number()?, Counts::decode(&mut reader)?);
        let mut slices: BTreeMap<Arc<str>, _> = BTreeMap::new();
        for _ in 0..reader.length()? {
            let key = reader.text()?;
            if slices.last_key_value().is_some_and(|(last, _)| &**last >= key) {
                return Err(CountsError::Corrupt("slices out of their order"));
            }
            slices.insert(key.into(), Capped::decode(&mut reader, Counts::decode)?);
        }
        reader.end()?;
        Ok(Self { limits, clamped, all, slices })
    }

    /// About how many bytes of memory the counts take.
    pub fn memory_bytes(&self) -> usize {
        let of_slices = |values: &Capped<Counts>| values.heap_bytes(Counts::heap_bytes);
        size_of::<Self>() + self.all.heap_bytes() + self.slices.values().map(of_slices).sum::<usize>()
    }
}
