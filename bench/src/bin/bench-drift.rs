//! The figures of the drift worker, one subcommand a question: `cargo run --release -p bench --bin bench-drift -- --help`.

use bench::drift::{false_positives, test_costs};
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
}

fn main() {
    match Arguments::parse().question {
        Question::FalsePositives { seeds } => println!("{}", false_positives::tables(seeds)),
        Question::TestCosts => println!("{}", test_costs::table()),
    }
}
