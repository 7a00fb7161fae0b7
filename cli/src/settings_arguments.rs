//! The flags that stand for settings, as several commands share them.
//!
//! A flag is sugar for a key and wins over the settings file and the environment, as `--set` does.

use std::path::{Path, PathBuf};

use service::settings::{Flag, Layers, SettingsError};

/// Flags that stand for settings.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsArguments {
    /// Settings file in TOML [default: ./labelstream.toml if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Kafka bootstrap servers [key: kafka.brokers]
    #[arg(long, value_name = "HOST:PORT,...")]
    pub brokers: Option<String>,
    /// Topics to read; can be repeated or separated by commas [key: source.topics]
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
    /// or https://HOST/FILE#sha256=DIGEST [key: model.package; default: the package included with labelstream]
    #[arg(long, value_name = "FOLDER|ADDRESS")]
    pub model: Option<String>,
    /// Cache folder for downloaded packages [key: packages.cache; default: ~/.cache/labelstream/models]
    #[arg(long, value_name = "FOLDER")]
    pub model_cache: Option<String>,
    /// Contact no registry: start from the cache [key: packages.offline]
    #[arg(long)]
    pub offline: bool,
    /// Any setting, such as --set decode.format=text; can be repeated
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
