//! `labelstream scaler`: tells those who scale the workers of a group how much waits for it, also while none runs.
//!
//! It reads Kafka and writes nothing: no member of the group, no commit. What is wrong (no broker, a missing topic, a missing
//! right) is told in the log and in every answer, and looked at again; the process goes on, because whoever scales by it
//! must hear why it knows nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use classifier::pipeline::metrics::STALLED;
use serde_json::json;
use service::http::{Facts, Health, Program, Server, Told};
use service::settings::{Flag, Layers, SettingsError};
use service::stages::Stages;
use service::supervision::pause;
use workers::backlog::BacklogWatch;
use workers::settings::uses;

use crate::failure::Failure;
use crate::settings_arguments::layers;
use crate::start::{self, Started};

const EXAMPLES: &str = "\
Examples:
  labelstream scaler --brokers kafka:9092 --input messages --group labelstream
  labelstream scaler --config labelstream.toml --set http.listen=0.0.0.0:9466
  curl localhost:9466/backlog

Run one per group. KEDA asks it by metrics-api at /backlog; docs/scaling.md has a ScaledObject. It needs Describe on the \
topics and the group, and Read on the topics for the age of the oldest record.";

/// Serve the backlog of a group to an autoscaler, also while no worker runs.
///
/// Compares the group's committed offsets with the ends of the topics, without joining the group.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ScalerArguments {
    #[command(flatten)]
    settings: ScalerFlags,
}

/// Flags that stand for settings.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
struct ScalerFlags {
    /// Settings file in TOML [default: ./labelstream.toml if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Kafka bootstrap servers [key: kafka.brokers]
    #[arg(long, value_name = "HOST:PORT,...")]
    brokers: Option<String>,
    /// Topics that the workers read; can be repeated or separated by commas [key: source.topics]
    #[arg(long, value_name = "TOPIC", value_delimiter = ',')]
    input: Vec<String>,
    /// Consumer group of the workers [key: source.group]
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Any setting, such as --set http.listen=0.0.0.0:9466; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ScalerFlags {
    fn layers(&self) -> Result<Layers, SettingsError> {
        let input = (!self.input.is_empty()).then(|| self.input.join(","));
        let flags = [
            ("--brokers", "kafka.brokers", &self.brokers),
            ("--input", "source.topics", &input),
            ("--group", "source.group", &self.group),
        ];
        let given = flags.into_iter().filter_map(|(name, key, text)| Some(Flag { name, key, text: text.clone()? }));
        layers(self.config.as_deref(), given.collect(), &self.set)
    }
}

const PROGRAM: Program = Program {
    command: "scaler",
    port: 9466,
    not_loaded: "the backlog was not found out yet",
    not_joined: "the backlog cannot be found out now: the log says why",
    since_last_commit: "last_look_seconds_ago",
};

/// Looks and answers until it is stopped.
///
/// # Errors
/// When the settings cannot be used, or the address is taken.
pub fn run(arguments: &ScalerArguments) -> Result<(), Failure> {
    let Started { config, metrics, stop } = start::worker(&arguments.settings.layers()?, uses::SCALER)?;
    let watch = BacklogWatch::new(&config);
    let looks = Arc::new(AtomicU64::new(0));
    let knows = Arc::new(AtomicBool::new(false));
    let health = Health::new(PROGRAM, stop.clone(), Stages::new(STALLED, &[]), {
        let looks = Arc::clone(&looks);
        move || Facts {
            commits: looks.load(Ordering::Relaxed),
            members: vec![("looks", json!(looks.load(Ordering::Relaxed)))],
        }
    });
    health.watch_group({
        let knows = Arc::clone(&knows);
        move || knows.load(Ordering::Relaxed)
    });
    let told = Told { metrics: Box::new(move || metrics.render()), backlog: Some(workers::backlog::page(&watch)) };
    let _answers_while_it_lives = Server::start(config.http(), Arc::clone(&health), told)?;
    let source = config.source();
    tracing::info!(
        brokers = config.connection().brokers(),
        topics = %source.topics().join(","),
        group = source.group(),
        "scaler started"
    );
    let mut trouble = None;
    while !stop.is_cancelled() {
        match watch.report() {
            Ok(report) => {
                looks.fetch_add(1, Ordering::Relaxed);
                health.loaded();
                if trouble.take().is_some() {
                    tracing::info!(records = report.records, "the backlog is known again");
                }
            }
            Err(error) => {
                let said = Some(error.to_string());
                if trouble != said {
                    tracing::warn!(%error, "the backlog is not known");
                    trouble = said;
                }
            }
        }
        knows.store(trouble.is_none(), Ordering::Relaxed);
        pause(watch.look_every(), &stop);
    }
    tracing::info!("stopped");
    Ok(())
}
