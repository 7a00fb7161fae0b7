//! The figures of the drift worker, one subcommand a question: `cargo run --release -p bench --bin bench-drift -- --help`.

use std::error::Error;
use std::path::PathBuf;

use bench::drift::{counting, delay, false_positives, judge, month, power, test_costs};
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// How often does each test alarm at 5 % where nothing changed? Markdown tables
    FalsePositives {
        /// Pairs of samples for every cell; minutes at 2000 on two cores
        #[arg(long, default_value_t = 2000)]
        seeds: u64,
    },
    /// How long does one call of each test take?
    TestCosts,
    /// What does counting an event cost, and how large is a window's state?
    Counting {
        /// Events of the largest window; ten million take minutes
        #[arg(long, default_value_t = 1_000_000)]
        events_max: usize,
    },
    /// What is found on public texts beside Evidently's defaults, and what is raised for nothing?
    Power {
        /// Where bench/drift/events.py and bench/drift/judge_evidently.py wrote
        folder: PathBuf,
        /// Another verdict.score_distance_min than the default
        #[arg(long)]
        score_distance_min: Option<f64>,
    },
    /// How many windows pass until a change is called drift?
    Delay {
        /// Where bench/drift/events.py wrote
        folder: PathBuf,
        /// Repetitions of every change
        #[arg(long, default_value_t = 200)]
        runs: u64,
        /// Another verdict.score_distance_min than the default
        #[arg(long)]
        score_distance_min: Option<f64>,
    },
    /// How many alarms come in a month in which nothing changes?
    Month {
        /// Where bench/drift/events.py wrote
        folder: PathBuf,
        /// Events per hour; several make a row each
        #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000,1000000")]
        per_hour: Vec<usize>,
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Another verdict.score_distance_min than the default
        #[arg(long)]
        score_distance_min: Option<f64>,
    },
}

fn main() -> Result<(), Box<dyn Error>> {
    match Arguments::parse().question {
        Question::FalsePositives { seeds } => println!("{}", false_positives::tables(seeds)),
        Question::TestCosts => println!("{}", test_costs::table()),
        Question::Counting { events_max } => counting::run(events_max),
        Question::Power { folder, score_distance_min } => power::run(&folder, score_distance_min)?,
        Question::Delay { folder, runs, score_distance_min } => {
            delay::run(&folder, runs, &judge::defaults(score_distance_min)?)?;
        }
        Question::Month { folder, per_hour, seed, score_distance_min } => {
            month::check(&folder)?;
            month::run(&folder, &per_hour, seed, &judge::defaults(score_distance_min)?)?;
        }
    }
    Ok(())
}
