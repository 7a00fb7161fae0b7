//! The values of the state topic, and their bytes.
//!
//! The object in front of the counts is JSON, so that `kcat` shows what a record is about; its members only ever grow
//! in number. Counts are read only when they are needed: [`PartialHeader`] tells of a partial without unpacking it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::key::{Key, StateError};
use crate::counts::WindowCounts;
use crate::labels::predictions::Predictions;
use crate::window::{Granularity, Window};

/// The format that is written; another layout needs another number.
const VERSION: u8 = 1;
/// Version and length of the object.
const PREFIX_BYTES: usize = 5;

/// One record for the state topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: Key,
    /// [`Value::encode`]; `None` removes the key.
    pub value: Option<Vec<u8>>,
}

impl Entry {
    /// The record that makes this the newest value of its key.
    pub fn new(key: Key, value: &Value) -> Self {
        Self { key, value: Some(value.encode()) }
    }

    /// The record that removes a key.
    pub fn tombstone(key: Key) -> Self {
        Self { key, value: None }
    }
}

/// What one partition counted of a window, on time or late.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Partial {
    pub tally: Tally,
    pub counts: WindowCounts,
}

/// What was last reported of a window's performance, as it is in the state topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// The newest revision of the window, for late records or for labels.
    pub revision: i32,
    /// Its time to label is over: no further revision will come.
    pub is_final: bool,
    /// When it was reported, by the reporter's clock, milliseconds since 1970 UTC; 0 before the first revision for labels.
    pub at_ms: i64,
    /// Digest of the pairs of predictions and labels that it reported.
    pub digest: String,
}

/// What stands beside the counts of a partial.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Offsets of the records that are counted here: all lie in `start..end`; `0..0` without any.
    pub start: i64,
    pub end: i64,
    /// Events too late for their own window of this length, that came while this one was the newest.
    pub dropped: u64,
    /// Records that are no labelled events, by [`Refusal::name`](crate::observation::Refusal::name), that came while this
    /// window was the newest.
    pub refused: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts a record of this offset in.
    pub(crate) fn cover(&mut self, offset: i64) {
        self.extend(offset, offset.saturating_add(1));
    }

    pub(crate) fn refuse(&mut self, offset: i64, reason: &str) {
        self.cover(offset);
        count(&mut self.refused, reason, 1);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.extend(other.start, other.end);
        self.dropped += other.dropped;
        for (reason, &times) in &other.refused {
            count(&mut self.refused, reason, times);
        }
    }

    fn extend(&mut self, start: i64, end: i64) {
        if start == end {
            return;
        }
        let empty = self.start == self.end;
        self.start = if empty { start } else { self.start.min(start) };
        self.end = if empty { end } else { self.end.max(end) };
    }
}

/// Adds to the count under a name.
pub(crate) fn count(counts: &mut BTreeMap<String, u64>, name: &str, times: u64) {
    match counts.get_mut(name) {
        Some(known) => *known += times,
        None => {
            counts.insert(name.to_owned(), times);
        }
    }
}

impl Partial {
    /// Adds another half, or another partition's, of the same window.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.tally.merge(&other.tally);
        self.counts.merge(&other.counts);
    }

    /// Adds a shorter window that lies in this one.
    ///
    /// What was dropped for the shorter one is not dropped here: it was counted here, or dropped in its own right.
    pub(crate) fn fold(&mut self, shorter: &Self) {
        let dropped = self.tally.dropped;
        self.merge(shorter);
        self.tally.dropped = dropped;
    }
}

/// What a partial's value tells without its counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialHeader {
    /// The partition was counted up to this offset when the value was written: `next_offset` of its checkpoint.
    pub covered: i64,
    /// Records in the counts.
    pub records: u64,
    pub tally: Tally,
}

/// How far a partition is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountProgress {
    /// The first offset that is not counted; the same is committed for the group in the same transaction.
    pub next_offset: i64,
    /// No event before it is expected any more; `None` before the first event. It never goes back.
    pub watermark_ms: Option<i64>,
    /// The greatest event time seen.
    pub greatest_ms: Option<i64>,
    /// Nothing came for a while, and the partition was read to its end.
    pub idle: bool,
    pub totals: Totals,
    /// Refusals before the first event, until there is a window to count them in.
    pub unplaced: Tally,
}

/// What became of a partition's records since it was first read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Records that were counted as events.
    pub accepted: u64,
    /// Of those, the ones whose clock was so far ahead that their time was set back.
    pub clamped: u64,
    /// Records that were not, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Per length of windows: events that came after the watermark had passed their window, and were still taken.
    pub late: BTreeMap<Granularity, u64>,
    /// Per length of windows: events that came later than that, and count in longer windows only.
    pub dropped: BTreeMap<Granularity, u64>,
}

/// What was reported of a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The newest revision reported.
    pub revision: i32,
    /// No further revision will come, and the partials are gone or about to go.
    pub is_final: bool,
    /// Records in the newest revision.
    pub records: u64,
    /// Digest of what the newest revision counted.
    pub digest: String,
    /// The findings of revision 0 that were sure and large.
    pub flags: BTreeSet<String>,
    /// [`WindowCounts::encode`] of revision 0, where a reference will ask for them.
    #[serde(skip)]
    pub counts: Option<Arc<[u8]>>,
}

/// Windows of one length that end at or before this moment are over: what is still counted for them is not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Horizon {
    pub end_ms: i64,
}

/// What stands in front of predictions, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PredictionsHeader {
    events: u64,
    sampled: usize,
}

/// A value of the state topic.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a value is taken apart where it is read, and never kept")]
pub enum Value {
    /// With the offset up to which its partition was counted.
    Partial {
        covered: i64,
        partial: Partial,
    },
    Progress(CountProgress),
    Closed(Closed),
    Horizon(Horizon),
    Predictions(Predictions),
    Performance(Reported),
}

impl Value {
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Partial { covered, partial: Partial { tally, counts } } => {
                let header = PartialHeader { covered: *covered, records: counts.records(), tally: tally.clone() };
                join(&header, &counts.encode())
            }
            Self::Progress(progress) => join(progress, &[]),
            Self::Closed(closed) => join(closed, closed.counts.as_deref().unwrap_or(&[])),
            Self::Horizon(horizon) => join(horizon, &[]),
            Self::Predictions(predictions) => {
                let about = PredictionsHeader { events: predictions.events(), sampled: predictions.len() };
                join(&about, &predictions.encode())
            }
            Self::Performance(reported) => join(reported, &[]),
        }
    }

    /// Reads the value of this key.
    ///
    /// # Errors
    /// The bytes are of a newer version, or damaged; the error names the key.
    pub fn decode(key: &Key, bytes: &[u8]) -> Result<Self, StateError> {
        match key {
            Key::Partial(_) => {
                let (PartialHeader { covered, tally, records }, counts) = part::<PartialHeader>(key, bytes)?;
                let counts =
                    WindowCounts::decode(counts).map_err(|source| StateError::Counts { key: key.clone(), source })?;
                if counts.records() != records {
                    return Err(corrupt(key, "the counts are not those that the object tells of"));
                }
                Ok(Self::Partial { covered, partial: Partial { tally, counts } })
            }
            Key::Progress(_) => Ok(Self::Progress(part(key, bytes)?.0)),
            Key::Closed(_) => {
                let (closed, counts) = part::<Closed>(key, bytes)?;
                Ok(Self::Closed(Closed { counts: (!counts.is_empty()).then(|| counts.into()), ..closed }))
            }
            Key::Horizon(_) => Ok(Self::Horizon(part(key, bytes)?.0)),
            Key::Predictions { .. } => {
                let (_, predictions) = part::<PredictionsHeader>(key, bytes)?;
                let predictions = Predictions::decode(predictions);
                predictions.map(Self::Predictions).map_err(|source| StateError::Counts { key: key.clone(), source })
            }
            Key::Performance(_) => Ok(Self::Performance(part(key, bytes)?.0)),
        }
    }
}

impl PartialHeader {
    /// Reads the object of a partial, not its counts.
    ///
    /// # Errors
    /// As [`Value::decode`].
    pub(crate) fn peek(key: &Key, bytes: &[u8]) -> Result<Self, StateError> {
        Ok(part(key, bytes)?.0)
    }
}

fn join(object: &impl Serialize, counts: &[u8]) -> Vec<u8> {
    let object = serde_json::to_vec(object).expect("numbers, names and flags are always JSON");
    let length = u32::try_from(object.len()).expect("the object is far below 4 GiB: its names are capped");
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + object.len() + counts.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&object);
    bytes.extend_from_slice(counts);
    bytes
}

/// The object in front, and the bytes after it.
fn part<'a, T: DeserializeOwned>(key: &Key, bytes: &'a [u8]) -> Result<(T, &'a [u8]), StateError> {
    match bytes.first() {
        None => return Err(corrupt(key, "it has no bytes")),
        Some(&found) if found > VERSION => {
            return Err(StateError::Newer { key: key.clone(), found, known: VERSION });
        }
        Some(&VERSION) => {}
        Some(_) => return Err(corrupt(key, "no version had this format")),
    }
    let length = bytes.get(1..PREFIX_BYTES).and_then(|length| <[u8; 4]>::try_from(length).ok());
    let length = length.and_then(|length| usize::try_from(u32::from_le_bytes(length)).ok());
    let end = length.and_then(|length| length.checked_add(PREFIX_BYTES));
    let object = end.and_then(|end| Some((bytes.get(PREFIX_BYTES..end)?, bytes.get(end..)?)));
    let (object, rest) = object.ok_or_else(|| corrupt(key, "it is cut short"))?;
    let object = serde_json::from_slice(object).map_err(|source| StateError::Json { key: key.clone(), source })?;
    Ok((object, rest))
}

fn corrupt(key: &Key, reason: &'static str) -> StateError {
    StateError::Corrupt { key: key.clone(), reason }
}

impl Closed {
    /// The key that it stands under.
    pub(crate) fn entry(&self, window: Window) -> Entry {
        Entry::new(Key::Closed(window), &Value::Closed(self.clone()))
    }
}
