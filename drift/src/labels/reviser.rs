//! Which windows' performance is to be reported again, and with which rows: the reporter's part of the labels.
//!
//! It is fed with the changes of the state topic and with the records of the labels topic. A window's first revision for
//! labels follows its last one for late records, so the two never write one file. Further ones come when labels have
//! changed what is known, at most every `labels.revise_every_ms`, and a last one when its time to label is over and the
//! labels topic was read to its end since. That one follows from the two topics alone.
//!
//! What was reported is in the state topic, `performance/<granularity>/<start_ms>`, as long as the closed window is.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use formats::time::Doubt;
use formats::{Decoder, Layout};
use schemas::RawEvent;
use schemas::report::{ReportKey, WindowReport};
use sha2::{Digest, Sha256};

use super::book::{LabelBook, TruthRecord};
use super::join::Join;
use super::performance::{Subject, rows};
use super::predictions::{IdHash, Predictions};
use super::settings::{LabelsConfig, predictions_granularity};
use crate::settings::WindowConfig;
use crate::state::{Entry, Key, Reported, StateError, TopicPartition, Value};
use crate::window::{Granularity, Window};

/// Bytes of a digest that are kept: enough that two states of one window never share it.
const DIGEST_BYTES: usize = 16;

/// So much earlier than its event may a label seem to be given: a day holds any two clocks and time zones.
const CLOCKS_APART_MS: i64 = 86_400_000;

/// A window's performance that is to be written as its next revision.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// With rows of performance and no others.
    pub report: WindowReport,
    window: Window,
    reported: Reported,
}

/// The true labels, and the windows that wait for more of them.
#[derive(Clone, Debug)]
pub struct Reviser {
    config: LabelsConfig,
    /// Those that performance is reported for, finest first.
    granularities: Vec<Granularity>,
    model: Option<String>,
    decoder: Decoder,
    book: LabelBook,
    /// Records of the labels topic that were accepted.
    accepted: u64,
    predictions: BTreeMap<Window, BTreeMap<TopicPartition, Arc<[u8]>>>,
    waiting: BTreeMap<Window, Waiting>,
    /// The start of the oldest window when labels were last forgotten.
    oldest_ms: i64,
    /// Removed, and not yet read back.
    leaving: BTreeSet<Key>,
}

/// A window that was final for late records.
#[derive(Clone, Debug)]
struct Waiting {
    newest: Reported,
    /// `newest` is still to be saved with a checkpoint.
    is_unsaved: bool,
    /// It is in the state topic as closed.
    is_closed: bool,
    /// When it was last joined, and what `Reviser::accepted` was then.
    joined: Option<(i64, u64)>,
}

impl Reviser {
    /// Reports are filed under `model`, or under the model that most events of a window name.
    pub fn new(config: LabelsConfig, windows: &WindowConfig, model: Option<String>) -> Self {
        let finest = predictions_granularity(windows.granularities());
        Self {
            granularities: windows.granularities().iter().copied().filter(|own| *own >= finest).collect(),
            model,
            decoder: Decoder::new(config.decode.clone(), Layout::Bare),
            book: LabelBook::new(config.labels_max),
            config,
            accepted: 0,
            predictions: BTreeMap::new(),
            waiting: BTreeMap::new(),
            oldest_ms: i64::MIN,
            leaving: BTreeSet::new(),
        }
    }

    /// Takes a record of the labels topic. False: it holds no id or no label, or its time is in another unit.
    pub fn label(&mut self, raw: RawEvent) -> bool {
        let (partition, offset) = (raw.origin.partition, raw.origin.offset);
        let record = self.decoder.decode(raw).ok().and_then(|event| {
            if let Some(doubt) = self.decoder.doubt(&event) {
                warn(&doubt);
                // A time in another unit would join no event.
                if doubt.fits.is_some() {
                    return None;
                }
            }
            let (id, time_ms) = (IdHash::of(&event.id?), event.event_time_ms?);
            Some(TruthRecord { id, label: event.text.into(), time_ms, partition, offset })
        });
        match record {
            Some(record) => {
                self.accepted += 1;
                self.book.apply(record);
                true
            }
            None => false,
        }
    }

    /// True labels in memory.
    pub fn labels(&self) -> usize {
        self.book.len()
    }

    /// Takes a change of the state topic; keys that are not about labels or closed windows are passed over.
    ///
    /// # Errors
    /// The key or the value is not of this version, or damaged.
    pub fn apply(&mut self, key: &[u8], value: Option<&Arc<[u8]>>) -> Result<(), StateError> {
        let key = Key::from_str(&String::from_utf8_lossy(key))?;
        self.leaving.remove(&key);
        match (&key, value) {
            (Key::Predictions { window, source }, Some(bytes)) => {
                self.predictions.entry(*window).or_default().insert(source.clone(), Arc::clone(bytes));
            }
            (Key::Predictions { window, source }, None) => {
                if let Some(parts) = self.predictions.get_mut(window) {
                    parts.remove(source);
                }
                self.predictions.retain(|_, parts| !parts.is_empty());
            }
            (Key::Performance(window), Some(bytes)) => {
                if let Value::Performance(reported) = Value::decode(&key, bytes)? {
                    self.saved(*window, reported);
                }
            }
            (Key::Performance(window), None) => {
                self.waiting.remove(window);
            }
            (Key::Closed(window), Some(bytes)) if self.granularities.contains(&window.granularity) => {
                if let Value::Closed(closed) = Value::decode(&key, bytes)?
                    && closed.is_final
                {
                    self.closed(*window, closed.revision);
                }
            }
            (Key::Closed(window), None) => {
                if let Some(waiting) = self.waiting.get_mut(window) {
                    waiting.is_closed = false;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn saved(&mut self, window: Window, saved: Reported) {
        match self.waiting.get_mut(&window) {
            // Read back after a newer one was reported.
            Some(Waiting { newest, .. })
                if newest.at_ms > 0 && (saved.revision, saved.is_final) < (newest.revision, newest.is_final) => {}
            Some(waiting) => (waiting.newest, waiting.is_unsaved) = (saved, false),
            None => {
                let waiting = Waiting { newest: saved, is_unsaved: false, is_closed: false, joined: None };
                self.waiting.insert(window, waiting);
            }
        }
    }

    fn closed(&mut self, window: Window, revision: i32) {
        let newest = Reported { revision, is_final: false, at_ms: 0, digest: String::new() };
        let new = Waiting { newest, is_unsaved: true, is_closed: true, joined: None };
        self.waiting.entry(window).or_insert(new).is_closed = true;
    }

    /// The next window to report, the earliest end first; `None` when none is due.
    ///
    /// `now_ms` is by the reporter's clock, milliseconds since 1970 UTC; at `read_to_end_ms` the labels topic was last seen
    /// read to its end. One at a time: the caller writes the report, tells [`Self::written`], and asks again.
    ///
    /// # Errors
    /// Predictions cannot be read.
    pub fn due(&mut self, now_ms: i64, read_to_end_ms: Option<i64>) -> Result<Option<Revision>, StateError> {
        let mut windows: Vec<Window> = self.waiting.keys().copied().collect();
        windows.sort_by_key(|window| (window.end_ms(), window.granularity));
        for window in windows {
            let deadline_ms = window.end_ms().saturating_add(self.config.ttl_ms);
            let is_final = read_to_end_ms.is_some_and(|read_ms| read_ms >= deadline_ms);
            let Some(waiting) = self.waiting.get_mut(&window) else { continue };
            let (joined_ms, accepted) = waiting.joined.unwrap_or((waiting.newest.at_ms, 0));
            let is_time = now_ms >= joined_ms.saturating_add(self.config.revise_every_ms);
            if waiting.newest.is_final || !(is_final || is_time && accepted != self.accepted) {
                continue;
            }
            waiting.joined = Some((now_ms, self.accepted));
            let newest = waiting.newest.clone();
            let predictions = self.merged(window)?;
            let join = Join::of(&predictions, &self.book, deadline_ms);
            let reported = Reported {
                revision: newest.revision.saturating_add(1),
                is_final,
                at_ms: now_ms,
                digest: digest(&join),
            };
            if predictions.events() == 0 && is_final {
                // Closed before labels were asked for: there is nothing to tell, now or later.
                self.save(window, Reported { revision: newest.revision, ..reported });
            } else if is_final || !join.pairs.is_empty() && reported.digest != newest.digest {
                let report = self.report(window, &reported, &join, &predictions);
                return Ok(Some(Revision { report, window, reported }));
            }
        }
        Ok(None)
    }

    /// The revision is durable in the store; the next checkpoint says so.
    pub fn written(&mut self, revision: Revision) {
        self.save(revision.window, revision.reported);
    }

    fn save(&mut self, window: Window, reported: Reported) {
        if let Some(waiting) = self.waiting.get_mut(&window) {
            (waiting.newest, waiting.is_unsaved) = (reported, true);
        }
    }

    /// Records for the next checkpoint: what was reported since the last one, and what nobody needs any more. Each is named
    /// once: a checkpoint that cannot be published ends this reviser, and the next one reads the state back.
    pub fn checkpoint(&mut self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut needless = Vec::new();
        for (window, waiting) in &mut self.waiting {
            let key = Key::Performance(*window);
            if waiting.is_unsaved {
                waiting.is_unsaved = false;
                entries.push(Entry::new(key, &Value::Performance(waiting.newest.clone())));
            } else if waiting.newest.is_final && !waiting.is_closed {
                needless.push(key);
            }
        }
        needless.extend(self.needless_predictions());
        for key in needless {
            if self.leaving.insert(key.clone()) {
                entries.push(Entry::tombstone(key));
            }
        }
        // By the windows and not by the clock: old events may be counted long after they happened.
        if let Some((oldest, _)) = self.predictions.first_key_value()
            && self.oldest_ms < oldest.start_ms
        {
            self.oldest_ms = oldest.start_ms;
            self.book.expire(oldest.start_ms.saturating_sub(CLOCKS_APART_MS));
        }
        entries
    }

    /// Predictions up to the end of the newest final window of the longest length, except those that another window waits
    /// for.
    fn needless_predictions(&self) -> Vec<Key> {
        let Some(longest) = self.granularities.last() else { return Vec::new() };
        let is_over =
            |(window, waiting): &(&Window, &Waiting)| window.granularity == *longest && waiting.newest.is_final;
        let Some(end_ms) = self.waiting.iter().filter(is_over).map(|(window, _)| window.end_ms()).max() else {
            return Vec::new();
        };
        let is_needed = |window: &Window| {
            let longer = self.granularities.iter().map(|own| own.window(window.start_ms));
            longer.filter_map(|longer| self.waiting.get(&longer)).any(|waiting| !waiting.newest.is_final)
        };
        let over = self.predictions.iter().filter(|(window, _)| window.end_ms() <= end_ms && !is_needed(window));
        over.flat_map(|(window, parts)| {
            parts.keys().map(|source| Key::Predictions { window: *window, source: source.clone() })
        })
        .collect()
    }

    /// The predictions of a window over all partitions and the shorter windows in it.
    fn merged(&self, window: Window) -> Result<Predictions, StateError> {
        let mut merged = Predictions::default();
        let within = |part: &Window| part.start_ms >= window.start_ms && part.end_ms() <= window.end_ms();
        for (part, sources) in self.predictions.iter().filter(|(part, _)| within(part)) {
            for (source, bytes) in sources {
                let key = Key::Predictions { window: *part, source: source.clone() };
                if let Value::Predictions(predictions) = Value::decode(&key, bytes)? {
                    merged.merge(&predictions, self.config.labels_max);
                }
            }
        }
        Ok(merged)
    }

    fn report(&self, window: Window, reported: &Reported, join: &Join, predictions: &Predictions) -> WindowReport {
        let key = ReportKey {
            window_start_ms: window.start_ms,
            window_end_ms: window.end_ms(),
            revision: reported.revision,
            is_final: reported.is_final,
        };
        let model_version = predictions.main_model().unwrap_or_default();
        let own = model_version.split('@').next().filter(|name| !name.is_empty()).unwrap_or("unknown");
        WindowReport {
            model: self.model.clone().unwrap_or_else(|| own.to_owned()),
            granularity: window.granularity.to_string(),
            performance: rows(join, &Subject { key: &key, model_version: &model_version }),
            key,
            drift: Vec::new(),
            summary: Vec::new(),
            words: Vec::new(),
        }
    }
}

/// Logs the first label with an implausible time.
fn warn(doubt: &Doubt) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!(example = %doubt, "labels before 2000 or after 2100; check labels.time_unit (logged once)");
    }
}

/// Names what is known of a window: hexadecimal digits.
fn digest(join: &Join) -> String {
    let mut hash = Sha256::new();
    for pair in &join.pairs {
        let right = pair.predicted.as_deref().unwrap_or_default();
        hash.update(format!("{}\n{right}\n{:?} {}\n", pair.truth, pair.score, pair.delay_ms));
    }
    format!("{:x}", hash.finalize())[..2 * DIGEST_BYTES].to_owned()
}

#[cfg(test)]
mod tests;
