//! One pass over records of the past: the windows of the live worker, in memory, without Kafka state.
//!
//! Records go in, closed windows come out to a function that says which findings of each were flagged. Replay, backtest
//! and calibration are this pass over another input with another function.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drift::board::{Kept, MergedWindow};
use drift::engine::Engine;
use drift::observation::Observer;
use drift::reference::{Flags, History};
use drift::state::TopicPartition;
use drift::window::Granularity;
use schemas::RawEvent;

use super::figures::{count, tame};
use crate::failure::Failure;
use crate::settings::DriftConfig;

/// Refusals shown one by one, so that a file of another kind does not fill the screen.
const SHOWN: usize = 5;

/// What becomes of a closed window: its findings that were sure and large.
pub(super) type Close<'a> = dyn FnMut(&MergedWindow, &History) -> Result<Flags, Failure> + 'a;

/// A pass under way.
pub(super) struct Pass {
    observer: Observer,
    engine: Engine,
    seen: Seen,
}

/// What went in.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) records: u64,
    refused: BTreeMap<&'static str, u64>,
    /// The first refusals, in words.
    examples: Vec<String>,
}

impl Pass {
    /// `expected` are the partitions that hold windows back; more may appear.
    pub(super) fn new(
        config: &DriftConfig,
        kept: BTreeMap<Granularity, Kept>,
        expected: BTreeSet<TopicPartition>,
    ) -> Self {
        Self {
            observer: Observer::new(config.observer().clone()),
            engine: Engine::new(Arc::new(config.windows().clone()), kept, expected),
            seen: Seen::default(),
        }
    }

    /// Counts one record; `now_ms` is the reader's clock, `i64::MAX` for files.
    ///
    /// # Errors
    /// When a window cannot be closed.
    pub(super) fn observe(&mut self, record: &RawEvent, now_ms: i64, close: &mut Close<'_>) -> Result<(), Failure> {
        let outcome = self.observer.observe(record, now_ms);
        self.seen.records += 1;
        if let Err(refusal) = &outcome {
            *self.seen.refused.entry(refusal.name()).or_default() += 1;
            if self.seen.examples.len() < SHOWN {
                self.seen.examples.push(format!("{}: {}", record.origin, tame(&refusal.to_string(), 300)));
            }
        }
        if self.engine.observe(&record.origin, &outcome)? {
            self.drain(close)?;
        }
        Ok(())
    }

    /// No more records of this partition will come.
    ///
    /// # Errors
    /// When a window cannot be closed.
    pub(super) fn exhausted(&mut self, source: &TopicPartition, close: &mut Close<'_>) -> Result<(), Failure> {
        self.engine.exhausted(source)?;
        self.drain(close)
    }

    /// Closes every window that is left.
    ///
    /// # Errors
    /// When a window cannot be closed.
    pub(super) fn end(mut self, close: &mut Close<'_>) -> Result<Seen, Failure> {
        self.engine.end()?;
        self.drain(close)?;
        Ok(self.seen)
    }

    fn drain(&mut self, close: &mut Close<'_>) -> Result<(), Failure> {
        while let Some(merged) = self.engine.next_window()? {
            let flags = close(&merged, self.engine.history())?;
            self.engine.close(&merged, flags)?;
        }
        Ok(())
    }
}

impl Seen {
    /// `3,400 records read, 2 refused (bad_json 1, missing_field 1)`.
    pub(super) fn summary(&self) -> String {
        let refused: u64 = self.refused.values().sum();
        let records = count(i64::try_from(self.records).unwrap_or(i64::MAX));
        if refused == 0 {
            return format!("{records} records read, all of them usable");
        }
        let reasons: Vec<_> = self.refused.iter().map(|(reason, times)| format!("{reason} {times}")).collect();
        format!("{records} records read, {refused} refused ({})", reasons.join(", "))
    }

    /// The first refusals, each as one line for a person.
    pub(super) fn examples(&self) -> &[String] {
        &self.examples
    }
}
