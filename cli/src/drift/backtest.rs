//! `labelstream drift backtest`: what the worker would have reported over a history in a file.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use ingest::history::History;
use sink::reports::ReportStore;

use super::bar::Bar;
use super::comparing::{Lines, comparer};
use super::flags::{CommonFlags, TestFlags};
use super::pass::{Input, Pass};
use super::terminal::Ink;
use crate::failure::Failure;
use crate::start::{self, Started};

const EXAMPLES: &str = "\
Examples:
  labelstream drift backtest april.jsonl --reference rolling --granularity 1h,1d
  labelstream drift backtest april.parquet --reference march.profile --reports ./backtest

FILE holds labelled events: JSON lines (also gzipped), or Parquet with a column for each member. A line that is no \
labelled event is counted, shown and left out. Then: labelstream drift explain latest --reports ./backtest";

/// Test the windows of a history in a file, and write their reports.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BacktestArguments {
    /// Labelled events, as JSON lines or Parquet
    #[arg(value_name = "FILE")]
    file: PathBuf,
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
    let Started { config, stop, .. } = start::command(&arguments.common.layers(arguments.tests.flags())?)?;
    let comparer = comparer(&config, &stop)?;
    let mut history = History::open(&arguments.file)?;
    let store = ReportStore::open(config.reports())?;
    let ink = if io::stdout().is_terminal() { Ink::Colours } else { Ink::Plain };
    let mut lines = Lines::new(ink);
    let bar = RefCell::new(Bar::new(history.progress().total_bytes));
    let mut close = |merged: &_, past: &_| {
        let comparison = comparer.report(merged, past);
        store.write(&comparison.report)?;
        bar.borrow().aside(|| lines.write(&comparison.report))?;
        Ok(comparison.flags)
    };
    let mut pass = Pass::new(config.drift(), comparer.kept(), BTreeSet::new());
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
    writeln!(io::stdout().lock(), "{}", lines.summary()).map_err(Failure::Stdout)
}
