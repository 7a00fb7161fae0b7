//! `labelstream demo`: the whole pipeline at work, with nothing installed.

use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  labelstream demo
  labelstream demo --seconds 5 | cat           plain lines instead of the screen
  labelstream demo --records 10000 --rate 150
  labelstream demo --brokers localhost:9092    on your own Kafka, in topics of its own

Exits with 0 if every record came out exactly once, else with 1.";

/// See it work: a broker, a stream of messages and the whole pipeline in one process.
///
/// Customers of a fictional bank write to its support; labelstream labels their messages. Some records are invalid on
/// purpose, as on real topics, and become dead letters. Midway customers begin to write about other things: the drift
/// worker detects it, says what changed, and writes its reports. Nothing is installed, and nothing else is kept.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArguments {
    /// How long to send messages; up to twice as long until the drift worker detects the change [default: 30,
    /// or until --records are sent]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    /// How many records to send
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    records: Option<u64>,
    /// Records per second [default: what this machine can label comfortably]
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Kafka to use instead of the in-process broker
    #[arg(long, value_name = "HOST:PORT,...")]
    brokers: Option<String>,
    /// Folder or address of a model package [default: the package included with labelstream]
    #[arg(long, value_name = "FOLDER|ADDRESS")]
    model: Option<String>,
    /// Where drift reports go: a folder, or s3://bucket/prefix
    #[arg(long, value_name = "URL", default_value = "./labelstream-data/demo")]
    reports: String,
    /// Any setting, as for classify; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Runs the demo and prints its summary.
///
/// # Errors
/// When a part of it cannot run, or the sums do not agree.
pub fn run(arguments: &DemoArguments) -> Result<(), Failure> {
    let DemoArguments { seconds, records, rate, brokers, model, reports, set } = arguments.clone();
    Ok(::demo::run(&::demo::Options { seconds, records, rate, brokers, model, reports, set })?)
}
