//! The command line: what can be asked of `labelstream`.
//!
//! Each command's own file describes its flags.

use clap::{Parser, Subcommand};

use crate::{broker, check, classify, completions, demo, drift, health, model, replay, scaler, score};

/// What the process returns, as `--help` tells it.
const EXIT_CODES: &str = "\
Exit codes:
  0    done, or stopped by Ctrl-C or SIGTERM after finishing work in progress
  1    failed; the last line on stderr says why
  2    the command line is wrong
  3    read to the end, but records were deleted before they were read
  78   invalid settings or model package
  130  second signal, at least a second later: exited at once, nothing is lost (143 for SIGTERM)";

const EXAMPLES: &str = "\
Examples:
  labelstream demo
  labelstream broker --port 9092
  labelstream check --brokers localhost:9092 --input messages --output messages-labeled
  labelstream classify --brokers localhost:9092 --input messages --output messages-labeled
  labelstream replay --brokers localhost:9092 --dead-letter messages-dead-letters --dry-run
  labelstream drift --brokers localhost:9092 --input messages-labeled --reports ./labelstream-data
  labelstream scaler --brokers localhost:9092 --input messages
  labelstream score tickets.csv --text message --out tickets-labeled.csv

Labelled events and results go to Kafka and to stdout, reports to a folder or to S3, logs to stderr.";

/// Label a stream of text on Kafka, exactly once.
///
/// labelstream reads text from Kafka topics, classifies it with an ONNX model, and publishes labelled events in one
/// transaction with the dead letters and the offsets.
#[derive(Debug, Parser)]
#[command(name = "labelstream", version, max_term_width = 100, after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// One command, one file; each describes itself.
#[derive(Debug, Subcommand)]
pub enum Command {
    Demo(demo::DemoArguments),
    Broker(broker::BrokerArguments),
    Classify(classify::ClassifyArguments),
    Check(check::CheckArguments),
    Replay(replay::ReplayArguments),
    Drift(drift::DriftArguments),
    Scaler(scaler::ScalerArguments),
    Health(health::HealthArguments),
    Score(score::ScoreArguments),
    Model(model::ModelArguments),
    Completions(completions::CompletionsArguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
