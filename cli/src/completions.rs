//! `labelstream completions SHELL`: what a shell needs to complete the command line.

use std::io;

use clap::Command;
use clap_complete::{Shell, generate};

use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  source <(labelstream completions bash)
  labelstream completions zsh > ~/.zfunc/_labelstream
  labelstream completions fish > ~/.config/fish/completions/labelstream.fish";

/// Print shell completions.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

/// Writes the completions of `program` to stdout.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(arguments: &CompletionsArguments, mut program: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut program, "labelstream", &mut script);
    io::Write::write_all(&mut io::stdout().lock(), &script).map_err(Failure::Stdout)
}
