//! The past through the windows of the live worker: records of a file, or of a range of the labelled topics.
//!
//! It joins no group and keeps no state; windows begin and close as in the live run. A command takes one step after the
//! other and closes the windows that it is given, so that it can show its progress and stop between any two records.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use drift::board::{Kept, MergedWindow};
use drift::observation::{Observer, ObserverConfig, Seen};
use drift::reference::{self, Flags};
use drift::replay::WindowReplay;
use drift::state::{StateError, TopicPartition};
use drift::window::Granularity;
use ingest::history::History;
use kafka::clock::now_ms;
use kafka::range::{RangeEvent, TopicRange};
use schemas::RawEvent;
use tokio_util::sync::CancellationToken;

use crate::brokers;
use crate::error::WorkerError;
use crate::settings::{Config, DriftConfig};

/// How long the broker may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A reading of the past.
pub struct PastRecords {
    input: Input,
    observer: Observer,
    replay: WindowReplay,
    seen: Seen,
    /// Windows may have closed since the last record.
    is_closing: bool,
    has_ended: bool,
}

enum Input {
    File(History),
    Topics(TopicRange),
}

/// What a step of the reading brought.
pub enum Step {
    /// One record was read.
    Record,
    /// A window closed: [`PastRecords::close`] it before the next step.
    Window(Box<MergedWindow>),
    /// Nothing arrived for a moment.
    Waiting,
}

impl PastRecords {
    /// The records of a file. `kept` is what the comparisons of windows look back to.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_file(config: &Config, file: &Path, kept: BTreeMap<Granularity, Kept>) -> Result<Self, WorkerError> {
        let history = History::open(file)?;
        let observer = config.drift().observer().clone();
        let unit = history.time_unit(observer.event_time_unit());
        Ok(Self::new(config.drift(), observer.in_unit(unit), Input::File(history), kept, BTreeSet::new()))
    }

    /// The records of the labelled topics whose event times may be `from_ms` or later, up to the present ends; see
    /// [`begin_ms`]. `None` when asked to stop while waiting for the brokers.
    ///
    /// # Errors
    /// When a topic is missing or the broker does not answer.
    pub fn of_topics(
        config: &Config,
        from_ms: i64,
        kept: BTreeMap<Granularity, Kept>,
        stop: &CancellationToken,
    ) -> Result<Option<Self>, WorkerError> {
        let drift = config.drift();
        let topics = drift.source().topics();
        if !brokers::await_answer(config, &topics[0], stop)? {
            return Ok(None);
        }
        // An event's own time may be ahead of its record's by as much as is not set back.
        let written_from_ms = from_ms.saturating_sub(drift.clock_ahead_ms());
        let range = TopicRange::open(config.connection(), topics, Some(written_from_ms), SILENCE_MAX)?;
        let expected = range.partitions().map(TopicPartition::from).collect();
        Ok(Some(Self::new(drift, drift.observer().clone(), Input::Topics(range), kept, expected)))
    }

    fn new(
        config: &DriftConfig,
        observer: ObserverConfig,
        input: Input,
        kept: BTreeMap<Granularity, Kept>,
        expected: BTreeSet<TopicPartition>,
    ) -> Self {
        let replay = WindowReplay::new(Arc::new(config.windows().clone()), kept, expected);
        let seen = Seen::default();
        Self { input, observer: Observer::new(observer), replay, seen, is_closing: false, has_ended: false }
    }

    /// Goes on; `None` when everything is read and every window is closed.
    ///
    /// # Errors
    /// When reading or counting fails.
    pub fn step(&mut self) -> Result<Option<Step>, WorkerError> {
        loop {
            if self.is_closing {
                if let Some(merged) = self.replay.next_window()? {
                    return Ok(Some(Step::Window(Box::new(merged))));
                }
                self.is_closing = false;
            }
            if self.has_ended {
                return Ok(None);
            }
            let record = match &mut self.input {
                Input::File(history) => history.next().transpose()?.map(|record| (record, i64::MAX)),
                Input::Topics(range) => match range.next_event()? {
                    Some(RangeEvent::Waiting) => return Ok(Some(Step::Waiting)),
                    Some(RangeEvent::End(topic, partition)) => {
                        self.replay.exhausted(&TopicPartition::from((topic, partition)))?;
                        self.is_closing = true;
                        continue;
                    }
                    Some(RangeEvent::Record(record)) => Some((record, now_ms())),
                    None => None,
                },
            };
            let Some((record, now_ms)) = record else {
                self.replay.end()?;
                (self.is_closing, self.has_ended) = (true, true);
                continue;
            };
            self.count(&record, now_ms)?;
            return Ok(Some(Step::Record));
        }
    }

    /// `now_ms` is the reader's clock, `i64::MAX` for files.
    fn count(&mut self, record: &RawEvent, now_ms: i64) -> Result<(), StateError> {
        let outcome = self.observer.observe(record, now_ms);
        self.seen.add(&record.origin, &outcome);
        self.is_closing = self.replay.observe(&record.origin, &outcome)?;
        Ok(())
    }

    /// Closed windows, for the comparison of the next one.
    pub fn history(&self) -> &reference::ClosedWindows {
        self.replay.history()
    }

    /// Remembers a window, with its findings that were sure and large.
    ///
    /// # Errors
    /// When its state cannot be read back.
    pub fn close(&mut self, merged: &MergedWindow, flags: Flags) -> Result<(), WorkerError> {
        Ok(self.replay.close(merged, flags)?)
    }

    /// What went in so far.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// How much is read and how much there is: bytes of a file, records of topics at most.
    pub fn progress(&self) -> (u64, u64) {
        match &self.input {
            Input::File(history) => (history.progress().read_bytes, history.progress().total_bytes),
            Input::Topics(range) => {
                let (read, total) = range.progress();
                (u64::try_from(read).unwrap_or_default(), u64::try_from(total).unwrap_or_default())
            }
        }
    }

    /// What a file seems to be that holds no labelled events.
    pub fn guess(&self) -> Option<&'static str> {
        match &self.input {
            Input::File(history) => history.guess(),
            Input::Topics(_) => None,
        }
    }
}

/// Where counting must begin, so that every window from `from_ms` on has its own records and the past that it is held
/// against: at a boundary of the longest window.
pub fn begin_ms(config: &Config, kept: &BTreeMap<Granularity, Kept>, from_ms: i64) -> i64 {
    let looks_back = kept.values().map(|kept| kept.counts_ms.max(kept.flags_ms)).max().unwrap_or(0);
    let longest = config.drift().windows().granularities().last();
    let begin_ms = from_ms.saturating_sub(looks_back);
    longest.map_or(begin_ms, |longest| longest.window(begin_ms).later(-1).start_ms)
}
