//! `labelstream check`: tries everything that `classify` needs, and changes nothing.

use std::io;

use workers::check::{self, error::CheckError};
use workers::settings::{self, uses};

use crate::failure::Failure;
use crate::settings_arguments::SettingsArguments;
use crate::telemetry;

const EXAMPLES: &str = "\
Examples:
  labelstream check --brokers localhost:9092 --input messages --output messages-labeled
  labelstream check --config labelstream.toml --records 20
  labelstream check --records 0

Each line is ok, note or FAIL with what to do about it. It exits with 0 when nothing failed, else with 1 (78: settings).
The texts of the records that it labels are shown on stdout.";

/// Check the settings, the model and the broker, and label a few live records without committing anything.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckArguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// Newest records of the input to label and show
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    records: u16,
}

/// Runs every step and reports each on stdout.
///
/// # Errors
/// When the settings cannot be used, or a step failed.
pub fn run(arguments: &CheckArguments) -> Result<(), Failure> {
    let layers = arguments.settings.layers()?;
    let loaded = settings::load(&layers, uses::ALL)?;
    telemetry::install(&loaded.config)?;
    telemetry::warn_of(&loaded.misnamed);
    let file = layers.file.as_ref().map(|file| file.path.as_path());
    check::run(&loaded, file, usize::from(arguments.records), &mut io::stdout()).map_err(|error| match error {
        CheckError::Write(source) => Failure::Stdout(source),
        error => Failure::Check(error),
    })
}
