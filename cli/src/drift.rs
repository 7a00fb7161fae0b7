//! `labelstream drift`: the drift worker, and the commands around its reports.
//!
//! Without a subcommand it is the worker on the user's own Kafka. Each subcommand has a file; what they run lives in the
//! crates `drift`, `explain` and `workers`.

mod backtest;
mod calibrate;
mod explain;
mod flags;
mod live;
mod moment;
mod reading;
mod replay;
mod reports;

use clap::Subcommand;

use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  labelstream drift --brokers localhost:9092 --input messages-labeled --reference package
  labelstream drift --reference april.profile --reports s3://reports/prod --granularity 1h,1d
  labelstream drift --reference rolling --until-end
  labelstream drift calibrate april.jsonl --out april.profile
  labelstream drift explain latest --html window.html
  labelstream drift replay --from -6h --reports ./again
  labelstream drift backtest april.parquet --reference rolling

Run more workers with the same --group and a different --instance each: Kafka distributes the partitions, and one \
worker writes all reports. Each closed window is one log line and a set of Parquet files.";

/// Test windows of the labelled stream for drift, and explain what changed.
///
/// Without a subcommand: reads labelled events, counts them in windows of event time, compares each closed window with a
/// reference, and writes reports as Parquet.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct DriftArguments {
    #[command(subcommand)]
    command: Option<DriftCommand>,
    #[command(flatten)]
    live: live::LiveArguments,
}

#[derive(Debug, Subcommand)]
enum DriftCommand {
    Calibrate(Box<calibrate::CalibrateArguments>),
    Explain(explain::ExplainArguments),
    Replay(replay::ReplayArguments),
    Backtest(backtest::BacktestArguments),
}

/// Runs the worker or a subcommand.
///
/// # Errors
/// When the settings cannot be used, or the command cannot go on.
pub fn run(arguments: &DriftArguments) -> Result<(), Failure> {
    match &arguments.command {
        None => live::run(&arguments.live),
        Some(DriftCommand::Calibrate(arguments)) => calibrate::run(arguments),
        Some(DriftCommand::Explain(arguments)) => explain::run(arguments),
        Some(DriftCommand::Replay(arguments)) => replay::run(arguments),
        Some(DriftCommand::Backtest(arguments)) => backtest::run(arguments),
    }
}
