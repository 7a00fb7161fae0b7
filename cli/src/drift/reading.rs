//! Reading the past with a progress bar, and what it brought in words: on stderr, or as the reason why its result is not
//! used.

use std::io::{self, Write};

use drift::board::MergedWindow;
use drift::observation::Seen;
use drift::reference::{ClosedWindows, Flags};
use explain::figures::{grouped, tame};
use tokio_util::sync::CancellationToken;
use workers::past::{PastRecords, Step};

use crate::bar::Bar;
use crate::failure::Failure;

/// Characters of a refusal on one line.
const REFUSAL_SHOWN: usize = 300;

/// Where records come from, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Offsets are lines or rows from 0.
    File,
    Topics,
}

/// Reads to the end. `close` is given each closed window with the ones before it, and returns its findings that were sure and
/// large.
///
/// # Errors
/// When reading or closing fails, or a signal asks to stop.
pub(super) fn read(
    past: &mut PastRecords,
    stop: &CancellationToken,
    mut close: impl FnMut(&MergedWindow, &ClosedWindows, &Bar) -> Result<Flags, Failure>,
) -> Result<(), Failure> {
    let mut bar = Bar::new(past.progress().1);
    while let Some(step) = past.step()? {
        match step {
            Step::Record => bar.record(|| past.progress().0),
            Step::Waiting => {}
            Step::Window(merged) => {
                let flags = close(&merged, past.history(), &bar)?;
                past.close(&merged, flags)?;
            }
        }
        if stop.is_cancelled() {
            return Err(Failure::Interrupted);
        }
    }
    Ok(())
}

/// Says on stderr what was read, and why the first few records were refused.
///
/// # Errors
/// When stderr cannot be written.
pub(super) fn say(seen: &Seen, input: Input) -> Result<(), Failure> {
    let mut err = io::stderr().lock();
    let mut say = || {
        for (origin, refusal) in &seen.examples {
            let why = tame(&refusal.to_string(), REFUSAL_SHOWN);
            match input {
                Input::File => writeln!(err, "refused {}, line or row {}: {why}", origin.topic, origin.offset + 1)?,
                Input::Topics => writeln!(err, "refused {origin}: {why}")?,
            }
        }
        writeln!(err, "{}", summary(seen))
    };
    say().map_err(Failure::Stderr)
}

/// Refuses a result that rests on nothing. `place` is where the records came from, `guess` what that seems to be instead.
///
/// # Errors
/// [`Failure::NothingUsable`].
pub(super) fn must_be_usable(seen: &Seen, place: &str, guess: Option<&str>) -> Result<(), Failure> {
    if seen.is_usable() {
        return Ok(());
    }
    let mut why = summary(seen);
    if seen.records == 0 {
        why = "it has no records".to_owned();
    } else if let Some(guess) = guess.filter(|_| seen.refused.contains_key("bad_json")) {
        why.push_str(&format!("; {guess}"));
    } else if let Some((_, first)) = seen.examples.first() {
        why.push_str(&format!("; the first: {}", tame(&first.to_string(), REFUSAL_SHOWN)));
    }
    if seen.refused.contains_key("no_event_time") {
        why.push_str("; an event needs a time: source.event_time_ms, or the column event_time in Parquet");
    }
    Err(Failure::NothingUsable { place: place.to_owned(), why })
}

/// `3,400 records read, 2 refused (bad_json 1, missing_field 1)`.
fn summary(seen: &Seen) -> String {
    let mut text = format!("{} records read", grouped(seen.records));
    let refused = seen.refusals();
    if refused == 0 && seen.odd.tombstones == 0 {
        text.push_str(", all of them usable");
    }
    if refused > 0 {
        let reasons: Vec<_> = seen.refused.iter().map(|(reason, times)| format!("{reason} {times}")).collect();
        text.push_str(&format!(", {} refused ({})", grouped(refused), reasons.join(", ")));
    }
    for (times, what) in [
        (seen.odd.tombstones, "without a payload (tombstones), skipped"),
        (seen.odd.clamped_shares, "scores slightly outside 0..1 by rounding, clamped"),
        (seen.odd.unusual_times, "event times before 2000 or after 2100, counted as they are"),
    ] {
        if times > 0 {
            text.push_str(&format!(", {} {what}", grouped(times)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use drift::observation::Odd;

    use super::*;

    #[test]
    fn the_summary_counts_each_reason() {
        let mut seen = Seen { records: 3_400, ..Seen::default() };
        assert_eq!(summary(&seen), "3,400 records read, all of them usable");
        seen.refused = BTreeMap::from([("missing_field", 1), ("bad_json", 2)]);
        assert_eq!(summary(&seen), "3,400 records read, 3 refused (bad_json 2, missing_field 1)");
        seen.odd = Odd { tombstones: 2, clamped_shares: 7, unusual_times: 0 };
        assert_eq!(
            summary(&seen),
            "3,400 records read, 3 refused (bad_json 2, missing_field 1), 2 without a payload (tombstones), skipped, \
             7 scores slightly outside 0..1 by rounding, clamped"
        );
    }

    #[test]
    fn a_result_that_rests_on_nothing_is_an_error_with_its_cause() {
        let check = |records: u64, refused: &[(&'static str, u64)], guess: Option<&str>, expected: Option<&str>| {
            let seen = Seen { records, refused: refused.iter().copied().collect(), ..Seen::default() };
            let found = must_be_usable(&seen, "a.jsonl", guess).err().map(|error| error.to_string());
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
