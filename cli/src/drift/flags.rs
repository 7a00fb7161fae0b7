//! The flags that the drift commands share; each stands for a setting, as those of `classify` do.

use std::path::PathBuf;

use service::settings::{Flag, Layers, SettingsError};

use crate::settings_arguments::layers;

/// Where settings come from; every command takes these.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct CommonFlags {
    /// Settings file in TOML [default: ./labelstream.toml if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder or s3://bucket/prefix of the reports [key: reports.url]
    #[arg(long, value_name = "URL")]
    reports: Option<String>,
    /// Any setting, such as --set verdict.records_min=500; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// What windows are made of and compared with; all commands that test take these.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct TestFlags {
    /// Reference that windows are compared with: a profile file, package (the profile in the model package), previous,
    /// rolling or seasonal [keys: reference.kind, reference.profile]
    #[arg(long, value_name = "FILE|KIND")]
    reference: Option<String>,
    /// Window lengths, each a multiple of the one before, such as 1m,1h,1d [key: drift.granularities]
    #[arg(long, value_name = "LENGTH", value_delimiter = ',')]
    granularity: Vec<String>,
}

/// What a history in a file is written in.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct FileFlags {
    /// Unit of numeric event times: seconds, milliseconds, microseconds or nanoseconds
    /// [key: observe.event_time_unit]
    #[arg(long, value_name = "UNIT")]
    time_unit: Option<String>,
}

/// How to reach the labelled events on Kafka.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
pub(super) struct KafkaFlags {
    /// Kafka bootstrap servers [key: kafka.brokers]
    #[arg(long, value_name = "HOST:PORT,...")]
    brokers: Option<String>,
    /// Topics of labelled events; can be repeated or separated by commas [key: drift.topics; default:
    /// sink.output_topic]
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    input: Vec<String>,
}

impl CommonFlags {
    /// The settings file, the environment, the flags of all groups and `--set`, in the order in which later ones win.
    ///
    /// # Errors
    /// When the settings file cannot be read.
    pub(super) fn layers(&self, more: Vec<Flag>) -> Result<Layers, SettingsError> {
        let mut flags = more;
        flags.extend(flag("--reports", "reports.url", self.reports.as_deref()));
        layers(self.config.as_deref(), flags, &self.set)
    }
}

impl TestFlags {
    pub(super) fn flags(&self) -> Vec<Flag> {
        let granularities = joined(&self.granularity);
        let mut flags: Vec<_> = flag("--granularity", "drift.granularities", granularities.as_deref()).collect();
        if let Some(reference) = &self.reference {
            let (kind, profile) = match reference.as_str() {
                "previous" | "rolling" | "seasonal" => (reference.as_str(), None),
                "package" | "fixed" => ("fixed", Some("")),
                file => ("fixed", Some(file)),
            };
            flags.extend(flag("--reference", "reference.kind", Some(kind)));
            flags.extend(flag("--reference", "reference.profile", profile));
        }
        flags
    }
}

impl FileFlags {
    pub(super) fn flags(&self) -> Vec<Flag> {
        flag("--time-unit", "observe.event_time_unit", self.time_unit.as_deref()).collect()
    }
}

impl KafkaFlags {
    pub(super) fn flags(&self) -> Vec<Flag> {
        let input = joined(&self.input);
        let brokers = flag("--brokers", "kafka.brokers", self.brokers.as_deref());
        brokers.chain(flag("--input", "drift.topics", input.as_deref())).collect()
    }
}

/// A flag that was given, as the layer of its setting.
pub(super) fn flag(name: &'static str, key: &'static str, text: Option<&str>) -> impl Iterator<Item = Flag> + use<> {
    text.map(|text| Flag { name, key, text: text.to_owned() }).into_iter()
}

fn joined(items: &[String]) -> Option<String> {
    (!items.is_empty()).then(|| items.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_flag_names_every_kind_of_reference() {
        let check = |reference: &str, expected: &[(&str, &str)]| {
            let flags = TestFlags { reference: Some(reference.to_owned()), granularity: Vec::new() }.flags();
            let found: Vec<_> = flags.iter().map(|flag| (flag.key, flag.text.as_str())).collect();
            assert_eq!(found, expected, "{reference}");
        };
        check("rolling", &[("reference.kind", "rolling")]);
        check("package", &[("reference.kind", "fixed"), ("reference.profile", "")]);
        check("may.profile", &[("reference.kind", "fixed"), ("reference.profile", "may.profile")]);
    }
}
