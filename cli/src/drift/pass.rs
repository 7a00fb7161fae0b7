//! One pass over records of the past: the windows of the live worker, in memory, without Kafka state.
//!
//! Records go in, closed windows come out to a function that says which findings of each were flagged. Replay, backtest
//! and calibration are this pass over another input with another function.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;

use drift::board::{Kept, MergedWindow};
use drift::engine::Engine;
use drift::observation::Observer;
use drift::reference::{Flags, History};
use drift::state::TopicPartition;
use drift::window::Granularity;
use schemas::{Origin, RawEvent};

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

/// Where records come from, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Offsets are lines or rows from 0.
    File,
    Topics,
}

/// What went in.
#[derive(Debug, Default)]
pub(super) struct Seen {
    records: u64,
    refused: BTreeMap<&'static str, u64>,
    /// The first refusals: where, and why in words.
    examples: Vec<(Origin, String)>,
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
                self.seen.examples.push((record.origin.clone(), tame(&refusal.to_string(), 300)));
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
    fn summary(&self) -> String {
        let refused: u64 = self.refused.values().sum();
        let records = count(i64::try_from(self.records).unwrap_or(i64::MAX));
        if refused == 0 {
            return format!("{records} records read, all of them usable");
        }
        let reasons: Vec<_> = self.refused.iter().map(|(reason, times)| format!("{reason} {times}")).collect();
        format!("{records} records read, {refused} refused ({})", reasons.join(", "))
    }

    /// Says on stderr what was read, and why the first few records were refused.
    ///
    /// # Errors
    /// When stderr cannot be written.
    pub(super) fn say(&self, input: Input) -> Result<(), Failure> {
        let mut err = io::stderr().lock();
        let mut say = || {
            for (origin, why) in &self.examples {
                match input {
                    Input::File => writeln!(err, "refused {}, line or row {}: {why}", origin.topic, origin.offset + 1)?,
                    Input::Topics => writeln!(err, "refused {origin}: {why}")?,
                }
            }
            writeln!(err, "{}", self.summary())
        };
        say().map_err(Failure::Stderr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_each_reason() {
        let mut seen = Seen { records: 3_400, ..Seen::default() };
        assert_eq!(seen.summary(), "3,400 records read, all of them usable");
        seen.refused = BTreeMap::from([("missing_field", 1), ("bad_json", 2)]);
        assert_eq!(seen.summary(), "3,400 records read, 3 refused (bad_json 2, missing_field 1)");
    }
}
