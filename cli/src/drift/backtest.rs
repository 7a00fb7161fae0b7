//! `labelstream drift backtest`: what the worker would have reported over a history in a file.

use std::io::{self, Write};
use std::path::PathBuf;

use sink::reports::ReportStore;
use workers::drift::comparer;
use workers::past::PastRecords;
use workers::settings::uses;

use super::flags::{CommonFlags, FileFlags, TestFlags};
use super::reading::{self, Input};
use super::reports;
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
    let mut past = PastRecords::of_file(&config, &arguments.file, comparer.kept())?;
    let store = ReportStore::open(config.reports())?;
    let summary = reports::write(&mut past, &comparer, &store, |_| true, &stop)?;
    reading::say(past.seen(), Input::File)?;
    reading::must_be_usable(past.seen(), &arguments.file.display().to_string(), past.guess())?;
    writeln!(io::stdout().lock(), "{summary}").map_err(Failure::Stdout)
}
