//! `labelstream drift replay`: the reports of past windows once more, from the labelled topics.
//!
//! Windows begin and close as in the live run, so their reports are the same bytes. To be so, reading begins early
//! enough for the windows that persistence and references look back to, at a boundary of the longest window, and goes on
//! to the present end, so that every late record is there.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};

use drift::compare::Comparer;
use explain::terminal::Ink;
use kafka::clock::now_ms;
use sink::reports::ReportStore;
use workers::drift::comparer;
use workers::settings::Config;
use workers::settings::uses;

use super::flags::{CommonFlags, KafkaFlags, TestFlags};
use super::lines::Lines;
use super::moment::Moment;
use super::pass::{Input, Pass};
use super::range;
use crate::bar::Bar;
use crate::failure::Failure;
use crate::start::{self, Started};

const EXAMPLES: &str = "\
Examples:
  labelstream drift replay --from 2026-05-01 --to 2026-05-02 --reports ./again
  labelstream drift replay --from -6h --to -2h --reference rolling --reports ./what-if

With the worker's settings and --reports a replay writes the worker's files again, byte for byte. It joins no group and \
commits nothing. Every window that starts in the range and ends by --to is reported.";

/// Write the reports of past windows again from the labelled topics, without committing anything.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ReplayArguments {
    /// Windows that start at this time or later: RFC 3339, a date, or -6h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Moment,
    /// Windows that end at this time or earlier
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "now")]
    to: Moment,
    #[command(flatten)]
    kafka: KafkaFlags,
    #[command(flatten)]
    tests: TestFlags,
    #[command(flatten)]
    common: CommonFlags,
}

/// Prints a line per window and writes the reports.
///
/// # Errors
/// When the topics, the profile or the store cannot be used.
pub(super) fn run(arguments: &ReplayArguments) -> Result<(), Failure> {
    let mut flags = arguments.kafka.flags();
    flags.extend(arguments.tests.flags());
    let Started { config, stop, .. } = start::command(&arguments.common.layers(flags)?, uses::DRIFT_TESTS)?;
    let now_ms = now_ms();
    let (from_ms, to_ms) = (arguments.from.ms(now_ms), arguments.to.ms(now_ms));
    if from_ms >= to_ms {
        return Err(Failure::EmptyRange);
    }
    let comparer = comparer(&config, &stop)?;
    let range = range::open(&config, range::written_from(&config, begin_ms(&config, &comparer, from_ms)), &stop)?;
    let store = ReportStore::open(config.reports())?;
    let ink = if io::stdout().is_terminal() { Ink::Colours } else { Ink::Plain };
    let mut lines = Lines::new(ink);
    let bar = RefCell::new(Bar::new(u64::try_from(range.progress().1).unwrap_or_default()));
    let mut close = |merged: &drift::board::MergedWindow, past: &_| {
        let comparison = comparer.report(merged, past);
        if from_ms <= merged.window.start_ms && merged.window.end_ms() <= to_ms {
            store.write(&comparison.report)?;
            bar.borrow().aside(|| lines.write(&comparison.report, merged.counts.records()))?;
        }
        Ok(comparison.flags)
    };
    let pass = Pass::new(config.drift(), comparer.kept(), range::expected(&range));
    let seen = range::read(range, pass, &bar, &stop, &mut close)?;
    drop(bar);
    seen.say(Input::Topics)?;
    writeln!(io::stdout().lock(), "{}", lines.summary()).map_err(Failure::Stdout)
}

/// Where counting must begin, so that every window from `from_ms` on has its own records and the past that it is held
/// against.
fn begin_ms(config: &Config, comparer: &Comparer, from_ms: i64) -> i64 {
    let looks_back = comparer.kept().into_values().map(|kept| kept.counts_ms.max(kept.flags_ms)).max().unwrap_or(0);
    let longest = config.drift().windows().granularities().last();
    let begin_ms = from_ms.saturating_sub(looks_back);
    longest.map_or(begin_ms, |longest| longest.window(begin_ms).later(-1).start_ms)
}
