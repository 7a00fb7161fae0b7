//! One pass over records of the past: the windows of the live worker, in memory, without Kafka state.
//!
//! Records go in, closed windows come out to a function that says which findings of each were flagged. Replay, backtest
//! and calibration are this pass over another input with another function.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;

use drift::board::{Kept, MergedWindow};
use drift::engine::Engine;
use drift::observation::{Observer, Odd, Refusal};
use drift::reference::{Flags, History};
use drift::state::TopicPartition;
use drift::window::Granularity;
use explain::figures::{count, tame};
use formats::time::TimeUnit;
use schemas::{Origin, RawEvent};
use workers::settings::DriftConfig;

use crate::failure::Failure;

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

/// Of ten refused records so many for their times alone are no accident: the unit is wrong.
const BAD_TIMES_IN_TEN: u64 = 9;

/// What went in.
#[derive(Debug, Default)]
pub(super) struct Seen {
    records: u64,
    odd: Odd,
    refused: BTreeMap<&'static str, u64>,
    /// The first refusals: where, and why in words.
    examples: Vec<(Origin, String)>,
}

impl Pass {
    /// `expected` are the partitions that hold windows back; more may appear. Event times are in `observe.event_time_unit`.
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

    /// For records whose event times are in another unit than the settings say.
    pub(super) fn in_unit(self, config: &DriftConfig, unit: TimeUnit) -> Self {
        Self { observer: Observer::new(config.observer().clone().in_unit(unit)), ..self }
    }

    /// Counts one record; `now_ms` is the reader's clock, `i64::MAX` for files.
    ///
    /// # Errors
    /// When a window cannot be closed.
    pub(super) fn observe(&mut self, record: &RawEvent, now_ms: i64, close: &mut Close<'_>) -> Result<(), Failure> {
        let outcome = self.observer.observe(record, now_ms);
        self.seen.records += 1;
        self.seen.odd.add(&outcome);
        if let Some(refusal) = outcome.as_ref().err().filter(|refusal| **refusal != Refusal::Tombstone) {
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
    fn refused(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Records that are in a window, or were too late for one.
    fn usable(&self) -> u64 {
        self.records - self.refused() - self.odd.tombstones
    }

    /// `3,400 records read, 2 refused (bad_json 1, missing_field 1)`.
    fn summary(&self) -> String {
        let number = |number: u64| count(i64::try_from(number).unwrap_or(i64::MAX));
        let mut text = format!("{} records read", number(self.records));
        let refused = self.refused();
        if refused == 0 && self.odd.tombstones == 0 {
            text.push_str(", all of them usable");
        }
        if refused > 0 {
            let reasons: Vec<_> = self.refused.iter().map(|(reason, times)| format!("{reason} {times}")).collect();
            text.push_str(&format!(", {} refused ({})", number(refused), reasons.join(", ")));
        }
        for (times, what) in [
            (self.odd.tombstones, "without a payload (tombstones), skipped"),
            (self.odd.clamped_shares, "scores slightly outside 0..1 by rounding, clamped"),
            (self.odd.unusual_times, "event times before 2000 or after 2100, counted as they are"),
        ] {
            if times > 0 {
                text.push_str(&format!(", {} {what}", number(times)));
            }
        }
        text
    }

    /// Refuses a result that rests on nothing: no record was usable, or nearly all times are in another unit. `place` is
    /// where the records came from, `guess` what that seems to be instead.
    ///
    /// # Errors
    /// [`Failure::NothingUsable`].
    pub(super) fn must_be_usable(&self, place: &str, guess: Option<&str>) -> Result<(), Failure> {
        let bad_times = self.refused.get("bad_event_time").copied().unwrap_or(0);
        let is_other_unit = bad_times > 0 && bad_times * 10 >= self.records * BAD_TIMES_IN_TEN;
        if self.usable() > 0 && !is_other_unit {
            return Ok(());
        }
        let mut why = self.summary();
        if self.records == 0 {
            why = "it has no records".to_owned();
        } else if let Some(guess) = guess.filter(|_| self.refused.contains_key("bad_json")) {
            why.push_str(&format!("; {guess}"));
        } else if let Some((_, first)) = self.examples.first() {
            why.push_str(&format!("; the first: {first}"));
        }
        if self.refused.contains_key("no_event_time") {
            why.push_str("; an event needs a time: source.event_time_ms, or the column event_time in Parquet");
        }
        Err(Failure::NothingUsable { place: place.to_owned(), why })
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
        seen.odd = Odd { tombstones: 2, clamped_shares: 7, unusual_times: 0 };
        assert_eq!(
            seen.summary(),
            "3,400 records read, 3 refused (bad_json 2, missing_field 1), 2 without a payload (tombstones), skipped, \
             7 scores slightly outside 0..1 by rounding, clamped"
        );
    }

    #[test]
    fn a_result_that_rests_on_nothing_is_an_error_with_its_cause() {
        let check = |records: u64, refused: &[(&'static str, u64)], guess: Option<&str>, expected: Option<&str>| {
            let seen = Seen { records, refused: refused.iter().copied().collect(), ..Seen::default() };
            let found = seen.must_be_usable("a.jsonl", guess).err().map(|error| error.to_string());
            let is_right =
                expected.map_or(found.is_none(), |word| found.as_ref().is_some_and(|said| said.contains(word)));
            assert!(is_right, "{found:?} for {expected:?}");
        };
        check(3, &[], Some("it looks like CSV"), None);
        check(10, &[("bad_json", 9)], Some("it looks like CSV"), None);
        check(10, &[("bad_event_time", 8)], None, None);
        check(5, &[("bad_event_time", 1)], None, None);
        check(10, &[("bad_event_time", 9)], None, Some("10 records read, 9 refused (bad_event_time 9)"));
        check(4, &[("bad_json", 4)], Some("it looks like CSV"), Some("it looks like CSV"));
        check(4, &[("no_event_time", 4)], Some("it looks like CSV"), Some("an event needs a time"));
        check(0, &[], None, Some("use a.jsonl: it has no records"));
    }
}
