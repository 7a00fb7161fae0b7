//! `labelstream`: reads the command line, runs one command, and says why when it fails.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use cli::arguments::{Arguments, Command};
use cli::failure::Failure;
use cli::{broker, check, classify, completions, demo, drift, health, model, replay, scaler, score};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let code = failure.exit_code();
            if code != 0 {
                report(&failure);
            }
            ExitCode::from(code)
        }
    }
}

fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Broker(arguments) => broker::run(arguments),
        Command::Classify(arguments) => classify::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Replay(arguments) => replay::run(arguments),
        Command::Drift(arguments) => drift::run(arguments),
        Command::Scaler(arguments) => scaler::run(arguments),
        Command::Health(arguments) => health::run(arguments),
        Command::Score(arguments) => score::run(arguments),
        Command::Model(arguments) => model::run(arguments),
        Command::Completions(arguments) => completions::run(arguments, Arguments::command()),
    }
}

fn report(failure: &Failure) {
    writeln!(io::stderr(), "labelstream: failed to {}", service::chain(failure)).ok(); // without stderr there is nobody to tell
}
