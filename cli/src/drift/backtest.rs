//! `labelstream drift backtest`: what the worker would have reported over a history in a file.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use drift::board::MergedWindow;
use explain::terminal::Ink;
use ingest::history::History;
use sink::reports::ReportStore;
use workers::drift::comparer;
use workers::settings::uses;

use super::flags::{CommonFlags, FileFlags, TestFlags};
use super::lines::Lines;
use super::pass::{Input, Pass};
use crate::bar::Bar;
use crate::failure::Failure;
use crate::start::{self, Started};

const EXAMPLES: &str = "\
Examples:
  labelstream drift backtest april.jsonl --reference rolling --granularity 1h,1d
  labelstream drift backtest april.parquet --reference march.profile --reports ./backtest
  labelstream drift backtest april.parquet --reference rolling --time-unit seconds

FILE has labelled events: JSON lines (also gzipped), or Parquet with a column per member. A line that is not a \
labelled event is counted, shown and skipped; if none is usable, or nearly every time is in another unit, it exits \
with 1. Then: labelstream drift explain latest --reports ./backtest";

/// Test the windows of historical events in a file, and write their reports.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BacktestArguments {
    /// Labelled events, as JSON lines or Parquet
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    written: FileFlags,
    #[command(flatten)]
    tests: TestFlags,
    #[command(flatten)]
    common: CommonFlags,
}

/// Prints a line per window and writes the reports.
///
/// # Errors
/// When the file, the profile or the store cannot be used.
pub(super) fn run(arguments: &BacktestArguments) -> Result<(), Failure> {
    let mut flags = arguments.written.flags();
    flags.extend(arguments.tests.flags());
    let Started { config, stop, .. } = start::command(&arguments.common.layers(flags)?, uses::DRIFT_TESTS)?;
    let comparer = comparer(&config, &stop)?;
    let mut history = History::open(&arguments.file)?;
    let store = ReportStore::open(config.reports())?;
    let ink = if io::stdout().is_terminal() { Ink::Colours } else { Ink::Plain };
    let mut lines = Lines::new(ink);
    let bar = RefCell::new(Bar::new(history.progress().total_bytes));
    let mut close = |merged: &MergedWindow, past: &_| {
        let comparison = comparer.report(merged, past);
        store.write(&comparison.report)?;
        bar.borrow().aside(|| lines.write(&comparison.report, merged.counts.records()))?;
        Ok(comparison.flags)
    };
    let pass = Pass::new(config.drift(), comparer.kept(), BTreeSet::new());
    let unit = config.drift().observer().event_time_unit();
    let mut pass = pass.in_unit(config.drift(), history.time_unit(unit));
    while let Some(record) = history.next() {
        pass.observe(&record?, i64::MAX, &mut close)?;
        bar.borrow_mut().record(|| history.progress().read_bytes);
        if stop.is_cancelled() {
            return Err(Failure::Interrupted);
        }
    }
    let seen = pass.end(&mut close)?;
    drop(bar);
    seen.say(Input::File)?;
    seen.must_be_usable(&arguments.file.display().to_string(), history.guess())?;
    writeln!(io::stdout().lock(), "{}", lines.summary()).map_err(Failure::Stdout)
}
