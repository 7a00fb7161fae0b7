//! `labelstream completions SHELL`: what a shell needs to complete the command line.

use std::io;

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::arguments::Arguments;
use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  source <(labelstream completions bash)
  labelstream completions zsh > ~/.zfunc/_labelstream
  labelstream completions fish > ~/.config/fish/completions/labelstream.fish";

/// Print completions for a shell, to be sourced by it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArguments {
    /// The shell to complete for
    shell: Shell,
}

/// Writes the completions to stdout.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(arguments: &CompletionsArguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut Arguments::command(), "labelstream", &mut script);
    io::Write::write_all(&mut io::stdout().lock(), &script).map_err(Failure::Stdout)
}
