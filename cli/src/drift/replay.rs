//! `labelstream drift replay`: the reports of past windows once more, from the labelled topics.
//!
//! Windows begin and close as in the live run, so their reports are the same bytes. To be so, reading begins early enough
//! for what windows are compared with, and goes on to the present end, so that every late record is there.

use std::io::{self, Write};

use drift::window::Window;
use kafka::clock::now_ms;
use sink::reports::ReportStore;
use workers::drift::comparer;
use workers::past::{PastRecords, begin_ms};
use workers::settings::uses;

use super::flags::{CommonFlags, KafkaFlags, TestFlags};
use super::moment::Moment;
use super::reading::{self, Input};
use super::reports;
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
    let begin_ms = begin_ms(&config, &comparer.kept(), from_ms);
    let mut past = PastRecords::of_topics(&config, begin_ms, comparer.kept(), &stop)?.ok_or(Failure::Interrupted)?;
    let store = ReportStore::open(config.reports())?;
    let is_asked_for = |window: &Window| from_ms <= window.start_ms && window.end_ms() <= to_ms;
    let summary = reports::write(&mut past, &comparer, &store, is_asked_for, &stop)?;
    reading::say(past.seen(), Input::Topics)?;
    writeln!(io::stdout().lock(), "{summary}").map_err(Failure::Stdout)
}
