//! `labelstream classify`: one worker on the user's own Kafka, with its log, its HTTP server and its signals.

use std::sync::Arc;

use classifier::pipeline::{Progress, Stage};
use packages::error::FetchError;
use serde_json::json;
use service::http::{Facts, Health, Program, Server, Told};
use tokio_util::sync::CancellationToken;
use workers::backlog::{self, BacklogWatch};
use workers::brokers;
use workers::classify::Worker;
use workers::error::WorkerError;
use workers::settings::Config;
use workers::settings::uses;
use workers::{model_source, output_topics};

use crate::failure::{Failure, refuse_losses};
use crate::settings_arguments::SettingsArguments;
use crate::start::{self, Started, watchdog};

const EXAMPLES: &str = "\
Examples:
  labelstream classify --brokers localhost:9092 --input messages --output messages-labeled
  labelstream classify --config labelstream.toml --instance worker-1
  labelstream classify --input messages --until-end
  labelstream classify --model models:/intents@champion
  LABELSTREAM__KAFKA__BROKERS=kafka:9092 labelstream classify --set decode.text_pointer=/body

Run more replicas with the same --group and a different --instance each: Kafka distributes the partitions. A replica \
that stops finishes its work in progress; the others take over from one that is killed, and no record is labelled \
twice.";

/// Label the input topics until stopped.
///
/// Reads records, labels their texts in batches, and commits labels, dead letters and offsets in one transaction.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ClassifyArguments {
    /// Read up to the current end of the input topics, then exit with 0 (3 if records were deleted before they were
    /// read)
    #[arg(long)]
    until_end: bool,
    #[command(flatten)]
    settings: SettingsArguments,
}

pub(crate) const PROGRAM: Program = Program {
    command: "classify",
    port: 9464,
    not_loaded: "the model is not loaded",
    not_joined: "not a member of the consumer group yet",
    since_last_commit: "last_commit_seconds_ago",
};

/// Runs a worker to its end.
///
/// # Errors
/// When the settings or the model cannot be used, or the worker cannot go on.
pub fn run(arguments: &ClassifyArguments) -> Result<(), Failure> {
    let Started { config, metrics, stop } = start::worker(&arguments.settings.layers()?, uses::CLASSIFY)?;
    let progress = Arc::new(Progress::default());
    let health = Health::new(PROGRAM, stop.clone(), Arc::clone(progress.stages()), {
        let progress = Arc::clone(&progress);
        move || facts(&progress)
    });
    let (stall_max, publish_max) = (config.stall_max(), config.publish_max());
    let _watches_while_it_lives = watchdog(progress.stages(), move |stage| {
        if stage == Stage::Publish.name() { stall_max.saturating_add(publish_max) } else { stall_max }
    })?;
    let told =
        Told { metrics: Box::new(move || metrics.render()), backlog: Some(backlog::page(&BacklogWatch::new(&config))) };
    let _answers_while_it_lives = Server::start(config.http(), Arc::clone(&health), told)?;
    let Some(mut worker) = connect(&config, arguments.until_end, &health, &stop)? else { return Ok(()) };
    worker.run(&progress, &stop)?;
    let (labeled, dead_letters, tombstones) = (progress.labeled(), progress.dead_letters(), progress.tombstones());
    tracing::info!(labeled, dead_letters, tombstones, "stopped");
    if arguments.until_end { refuse_losses(worker.losses()) } else { Ok(()) }
}

/// What `/health` tells of a worker.
fn facts(progress: &Progress) -> Facts {
    let members = vec![
        ("labeled", json!(progress.labeled())),
        ("dead_letters", json!(progress.dead_letters())),
        ("rewinds", json!(progress.rewinds())),
    ];
    Facts { commits: progress.batches(), members }
}

/// Everything up to the first record; `None` when asked to stop on the way.
fn connect(
    config: &Config,
    until_end: bool,
    health: &Health,
    stop: &CancellationToken,
) -> Result<Option<Worker>, Failure> {
    let model = match model_source::model(config, stop) {
        Err(WorkerError::Fetch(FetchError::Interrupted { .. })) => return Ok(None),
        model => model?,
    };
    let model = engine::load::load(&model)?;
    health.loaded();
    if !brokers::await_answer(config, config.sink().output_topic(), stop)? {
        return Ok(None);
    }
    output_topics::create_missing(config, stop)?;
    if stop.is_cancelled() {
        return Ok(None);
    }
    let worker = Worker::connect(config, model, until_end)?;
    health.watch_group(worker.membership());
    let source = config.source();
    tracing::info!(
        brokers = config.connection().brokers(),
        topics = %source.topics().join(","),
        output = config.sink().output_topic(),
        dead_letters = config.sink().dead_letter_topic(),
        group = source.group(),
        instance = source.instance(),
        "worker started"
    );
    Ok(Some(worker))
}
