//! `labelstream model ...`: looks at model packages.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use classifier::package::check;

use crate::failure::Failure;
use crate::package_path;

const EXAMPLES: &str = "\
Examples:
  labelstream model check models/banking77-minilm
  labelstream model check ./my-model

A package is a folder as Hugging Face exports it: model.onnx, tokenizer.json, config.json, and optionally \
labelstream.json with digests and golden texts. It exits with 78 when a worker would not take the package.";

/// Look at model packages.
#[derive(Debug, clap::Args)]
pub struct ModelArguments {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// Open a package as a worker would, and say what is in it and how fast it is here
    #[command(after_help = EXAMPLES)]
    Check {
        /// Folder of the package
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

/// Runs the subcommand; the report goes to stdout.
///
/// # Errors
/// When the package cannot be used.
pub fn run(arguments: &ModelArguments) -> Result<(), Failure> {
    let ModelCommand::Check { folder } = &arguments.command;
    check_folder(folder)
}

fn check_folder(folder: &Path) -> Result<(), Failure> {
    let settings = classifier::settings::Settings::of_package(package_path::resolve(folder));
    let config = settings.try_into().map_err(Failure::ModelSettings)?;
    let report = check(&config)?;
    write!(io::stdout().lock(), "{report}").map_err(Failure::Stdout)?;
    if report.is_good() { Ok(()) } else { Err(Failure::GoldenTexts { folder: folder.display().to_string() }) }
}
