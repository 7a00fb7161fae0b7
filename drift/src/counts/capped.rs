//! Values by name, of which a bounded number is kept and the rest is pooled.
//!
//! Kept are the names of the smallest hashes (bottom-k). That is arbitrary but exact: a name that is kept in the end was
//! never crowded out in any part, since each part holds a subset of the names, so its value is complete; the others meet
//! in the pool in whatever order they come. Keeping the most frequent names instead would depend on the order. The same
//! names also tend to be kept window after window. Two names of one hash and one length are taken for one: among
//! 100,000 that is a chance of 1 in 10^9, and comparing the names would cost a cache line for each count.

use std::cmp::Ordering;
use std::sync::Arc;

use super::coding::{CountsError, Reader, Writer};
use super::hash::hash;

/// Values by name, at most as many as each call allows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Capped<T> {
    /// By hash, then by the length of the name, ascending.
    entries: Vec<Entry<T>>,
    /// Their hashes, side by side: a search stays inside a few cache lines.
    hashes: Vec<u64>,
    other: Option<T>,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry<T> {
    name: Arc<str>,
    value: T,
}

impl<T> Default for Capped<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), hashes: Vec::new(), other: None }
    }
}

impl<T: Default> Capped<T> {
    /// The value to count under a name: its own, or that of the pool. `hash` is that of the name.
    pub(crate) fn slot(&mut self, (hash, name): (u64, &str), max: usize, join: impl Fn(&mut T, &T) + Copy) -> &mut T {
        let place = match self.place(hash, name) {
            Ok(place) => return &mut self.entries[place].value,
            Err(place) => place,
        };
        if place >= max {
            return self.other.get_or_insert_default();
        }
        self.entries.insert(place, Entry { name: name.into(), value: T::default() });
        self.hashes.insert(place, hash);
        self.crowd_out(max, join);
        &mut self.entries[place].value
    }

    /// Pools the names of the largest hashes until `max` are left.
    pub(crate) fn crowd_out(&mut self, max: usize, join: impl Fn(&mut T, &T) + Copy) {
        self.hashes.truncate(max);
        for entry in self.entries.drain(max.min(self.entries.len())..) {
            join(self.other.get_or_insert_default(), &entry.value);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self, max: usize, join: impl Fn(&mut T, &T) + Copy) {
        self.crowd_out(max, join);
        for (name, hash, value) in other.hashed() {
            join(self.slot((hash, name), max, join), value);
        }
        if let Some(pool) = &other.other {
            join(self.other.get_or_insert_default(), pool);
        }
    }
}

impl<T> Capped<T> {
    /// Where a name is, or would be.
    fn place(&self, hash: u64, name: &str) -> Result<usize, usize> {
        let mut place = self.hashes.partition_point(|own| *own < hash);
        while self.hashes.get(place) == Some(&hash) {
            match self.entries[place].name.len().cmp(&name.len()) {
                Ordering::Less => place += 1,
                Ordering::Equal => return Ok(place),
                Ordering::Greater => break,
            }
        }
        Err(place)
    }

    /// Names and values that are kept, in the order of their hashes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &T)> {
        self.entries.iter().map(|entry| (&entry.name, &entry.value))
    }

    /// The same, with the hash of each name.
    pub(crate) fn hashed(&self) -> impl Iterator<Item = (&Arc<str>, u64, &T)> {
        self.entries.iter().zip(&self.hashes).map(|(entry, hash)| (&entry.name, *hash, &entry.value))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        let place = self.place(hash(name.as_bytes()), name).ok()?;
        Some(&self.entries[place].value)
    }

    /// Changes every value, that of the pool too.
    pub(crate) fn each(&mut self, change: impl FnMut(&mut T)) {
        self.entries.iter_mut().map(|entry| &mut entry.value).chain(self.other.as_mut()).for_each(change);
    }

    /// What is pooled; `None` when every name is kept.
    pub(crate) fn other(&self) -> Option<&T> {
        self.other.as_ref()
    }

    /// Every name whose hash is at most this is kept; all names where none was crowded out.
    pub(crate) fn complete_to(&self) -> u64 {
        match (&self.other, self.hashes.last()) {
            (None, _) => u64::MAX,
            (Some(_), last) => last.copied().unwrap_or(0),
        }
    }

    pub(crate) fn encode(&self, writer: &mut Writer, value: impl Fn(&T, &mut Writer)) {
        writer.number(self.entries.len() as u64);
        for entry in &self.entries {
            writer.text(&entry.name);
            value(&entry.value, writer);
        }
        writer.number(u64::from(self.other.is_some()));
        if let Some(other) = &self.other {
            value(other, writer);
        }
    }

    pub(crate) fn decode(
        reader: &mut Reader<'_>,
        mut value: impl FnMut(&mut Reader<'_>) -> Result<T, CountsError>,
    ) -> Result<Self, CountsError> {
        let mut entries: Vec<Entry<T>> = Vec::new();
        let mut hashes = Vec::new();
        for _ in 0..reader.length()? {
            let name = reader.text()?;
            let hash = hash(name.as_bytes());
            let last = entries.last().zip(hashes.last()).map(|(last, hash)| (*hash, last.name.len()));
            if last.is_some_and(|last| last >= (hash, name.len())) {
                return Err(CountsError::Corrupt("names out of their order"));
            }
            entries.push(Entry { name: name.into(), value: value(reader)? });
            hashes.push(hash);
        }
        let other = match reader.number()? {
            0 => None,
            1 => Some(value(reader)?),
            _ => return Err(CountsError::Corrupt("neither a pool nor none")),
        };
        Ok(Self { entries, hashes, other })
    }

    /// Bytes on the heap, given those of a value.
    pub(crate) fn heap_bytes(&self, value: impl Fn(&T) -> usize) -> usize {
        let entries = self.entries.capacity() * size_of::<Entry<T>>() + self.hashes.capacity() * size_of::<u64>();
        let names: usize = self.entries.iter().map(|entry| entry.name.len() + 16 + value(&entry.value)).sum();
        entries + names + self.other.as_ref().map_or(0, value)
    }
}
