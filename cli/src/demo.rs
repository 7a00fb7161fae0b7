//! `labelstream demo`: the whole pipeline at work, with nothing installed.

use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  labelstream demo
  labelstream demo --seconds 5 | cat           plain lines instead of the screen
  labelstream demo --records 10000 --rate 150
  labelstream demo --brokers localhost:9092    on your own Kafka, in topics of its own

It exits with 0 when every record came out exactly once, and with 1 when the sums do not agree.";

/// See it work: a broker, a stream of messages and the whole pipeline in this one process.
///
/// Customers of an invented bank write to its support; labelstream labels what they want. Some of the records are dirty
/// on purpose, as on real topics, and end as dead letters. Midway customers begin to write of other things: the drift
/// worker notices, says what moved, and leaves its reports. Nothing is installed, and nothing else is kept.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArguments {
    /// How long to send messages, and up to twice as long while the drift worker has not found the change [default: 30,
    /// or until --records are sent]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    /// How many records to send
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    records: Option<u64>,
    /// Records per second; without it the rate follows what this machine labels with ease
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Kafka to use instead of the broker inside this process
    #[arg(long, value_name = "HOST:PORT,...")]
    brokers: Option<String>,
    /// Folder or address of a model package [default: the package that comes with labelstream]
    #[arg(long, value_name = "FOLDER|ADDRESS")]
    model: Option<String>,
    /// Where drift reports go: a folder, or s3://bucket/prefix
    #[arg(long, value_name = "URL", default_value = "./labelstream-data/demo")]
    reports: String,
    /// Any setting, as for classify; repeat it for more
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
