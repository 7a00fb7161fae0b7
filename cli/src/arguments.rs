//! The command line: what can be asked of `labelstream`.
//!
//! Each command's own file describes its flags. Flags that stand for a setting live here, because several commands
//! share them: a flag is sugar for a key and wins over the settings file and the environment, as `--set` does.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use service::settings::{Flag, Layers, SettingsError};

use crate::{broker, check, classify, completions, demo, drift, model, replay, score};

/// What the process returns, as `--help` tells it.
const EXIT_CODES: &str = "\
Exit codes:
  0    done, or stopped by Ctrl-C or SIGTERM after finishing what was under way
  1    failed; the last line on stderr says why
  2    the command line is wrong
  3    done up to the end, but records were deleted before they were read
  78   the settings or the model package cannot be used
  130  interrupted again, a second later or more: stopped at once, nothing is lost (143 for SIGTERM)";

const EXAMPLES: &str = "\
Examples:
  labelstream demo
  labelstream broker --port 9092
  labelstream check --brokers localhost:9092 --input messages --output messages-labeled
  labelstream classify --brokers localhost:9092 --input messages --output messages-labeled
  labelstream replay --brokers localhost:9092 --dead-letter messages-dead-letters --dry-run
  labelstream drift --brokers localhost:9092 --input messages-labeled --reports ./labelstream-data
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
    Score(score::ScoreArguments),
    Model(model::ModelArguments),
    Completions(completions::CompletionsArguments),
}

/// Flags that stand for settings.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsArguments {
    /// Settings file in TOML; without it ./labelstream.toml is read where it exists
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Kafka brokers to start from [key: kafka.brokers]
    #[arg(long, value_name = "HOST:PORT,...")]
    pub brokers: Option<String>,
    /// Topics to read; repeat it or use commas [key: source.topics]
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    pub input: Vec<String>,
    /// Topic for labelled events [key: sink.output_topic]
    #[arg(long, value_name = "TOPIC")]
    pub output: Option<String>,
    /// Topic for records that cannot be labelled [key: sink.dead_letter_topic]
    #[arg(long, value_name = "TOPIC")]
    pub dead_letter: Option<String>,
    /// Consumer group: replicas of one job share it [key: source.group]
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
    /// Name of this replica: unique in its group, the same after a restart [key: source.instance; default: host name]
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// Model package: a folder, models:/NAME@ALIAS, models:/NAME/VERSION, hf://ORG/REPO@REVISION, s3://BUCKET/PREFIX
    /// or https://HOST/FILE#sha256=DIGEST [key: model.package; default: the package that comes with labelstream]
    #[arg(long, value_name = "FOLDER|ADDRESS")]
    pub model: Option<String>,
    /// Where fetched packages are kept [key: packages.cache; default: ~/.cache/labelstream/models]
    #[arg(long, value_name = "FOLDER")]
    pub model_cache: Option<String>,
    /// Ask no registry: start with what is in the cache [key: packages.offline]
    #[arg(long)]
    pub offline: bool,
    /// Any setting, such as --set decode.format=text; repeat it for more
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl SettingsArguments {
    /// The settings file, the environment and these flags, in the order in which later ones win.
    ///
    /// # Errors
    /// When the settings file cannot be read.
    pub fn layers(&self) -> Result<Layers, SettingsError> {
        layers(self.config.as_deref(), self.flags(), &self.set)
    }

    fn flags(&self) -> Vec<Flag> {
        let input = (!self.input.is_empty()).then(|| self.input.join(","));
        [
            ("--brokers", "kafka.brokers", &self.brokers),
            ("--input", "source.topics", &input),
            ("--output", "sink.output_topic", &self.output),
            ("--dead-letter", "sink.dead_letter_topic", &self.dead_letter),
            ("--group", "source.group", &self.group),
            ("--instance", "source.instance", &self.instance),
            ("--model", "model.package", &self.model),
            ("--model-cache", "packages.cache", &self.model_cache),
            ("--offline", "packages.offline", &self.offline.then(|| "true".to_owned())),
        ]
        .into_iter()
        .filter_map(|(name, key, text)| {
            let text = text.clone()?;
            Some(Flag { name, key, text })
        })
        .collect()
    }
}

/// The settings file, the environment, flags and `--set`, in the order in which later ones win.
///
/// # Errors
/// When the settings file cannot be read.
pub(crate) fn layers(config: Option<&Path>, flags: Vec<Flag>, set: &[String]) -> Result<Layers, SettingsError> {
    let mut layers = Layers::from_process(config)?;
    layers.flags = flags;
    layers.sets = set.to_vec();
    Ok(layers)
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
