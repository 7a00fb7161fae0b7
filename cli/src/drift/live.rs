//! `labelstream drift` itself: one worker on the user's own Kafka, with its log, its HTTP server and its signals.

use std::sync::Arc;

use drift::pipeline::{DriftWorker, Progress, Stage};
use jiff::Timestamp;
use serde_json::json;
use service::http::{Facts, Health, Program, Server, Told};
use workers::brokers;
use workers::drift::setup;
use workers::settings::Config;
use workers::settings::uses;

use super::flags::{CommonFlags, KafkaFlags, TestFlags, flag};
use crate::failure::{Failure, refuse_losses};
use crate::start::{self, Started, watchdog};

/// Flags of the worker.
#[derive(Debug, Default, clap::Args)]
pub(super) struct LiveArguments {
    /// Read up to the current end of the topics, close every window, then exit with 0 (3 if records were deleted before
    /// they were read)
    #[arg(long)]
    until_end: bool,
    #[command(flatten)]
    kafka: KafkaFlags,
    #[command(flatten)]
    worker: WorkerFlags,
    #[command(flatten)]
    tests: TestFlags,
    #[command(flatten)]
    common: CommonFlags,
}

/// Who the worker is.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
struct WorkerFlags {
    /// Consumer group: the workers of one job share it [key: drift.group]
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Name of this replica: unique in its group, the same after a restart [key: source.instance; default: host name]
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
}

const PROGRAM: Program = Program {
    command: "drift",
    port: 9465,
    not_loaded: "the reference is not loaded",
    not_joined: "not a member of the consumer group yet",
    since_last_commit: "last_checkpoint_seconds_ago",
};

/// Runs a worker to its end.
///
/// # Errors
/// When the settings or the profile cannot be used, or the worker cannot go on.
pub(super) fn run(arguments: &LiveArguments) -> Result<(), Failure> {
    let mut flags = arguments.kafka.flags();
    flags.extend(flag("--group", "drift.group", arguments.worker.group.as_deref()));
    flags.extend(flag("--instance", "source.instance", arguments.worker.instance.as_deref()));
    flags.extend(arguments.tests.flags());
    let Started { config, metrics, stop } = start::worker(&arguments.common.layers(flags)?, uses::DRIFT)?;
    let progress = Arc::new(Progress::default());
    let health = Health::new(PROGRAM, stop.clone(), Arc::clone(progress.stages()), {
        let progress = Arc::clone(&progress);
        move || facts(&progress)
    });
    let stall_max = config.stall_max();
    let counting = stall_max.saturating_add(config.publish_max()).saturating_add(config.state().restore_wait());
    let reporting = stall_max.saturating_add(config.reports().write_wait());
    let allowed = [(Stage::Count.name(), counting), (Stage::Report.name(), reporting)];
    let _watches_while_it_lives = watchdog(progress.stages(), move |stage| {
        allowed.iter().find(|(name, _)| *name == stage).map_or(stall_max, |(_, allowed)| *allowed)
    })?;
    let told = Told { metrics: Box::new(move || metrics.render()), backlog: None };
    let _answers_while_it_lives = Server::start(config.http(), Arc::clone(&health), told)?;
    let setup = setup(&config, arguments.until_end, &stop)?;
    if !brokers::await_answer(&config, &config.drift().source().topics()[0], &stop)? {
        return Ok(());
    }
    health.loaded();
    let mut worker = DriftWorker::connect(setup, &stop)?;
    health.watch_group(worker.membership());
    say(&config);
    worker.run(config.supervision(), &progress, &stop)?;
    tracing::info!(records = progress.records(), reports = progress.reports(), "stopped");
    if arguments.until_end { refuse_losses(worker.losses()) } else { Ok(()) }
}

/// What `/health` tells of a drift worker.
fn facts(progress: &Progress) -> Facts {
    let newest = progress.newest_report().map(|newest| {
        let start = Timestamp::from_millisecond(newest.window_start_ms).ok().map(|start| start.to_string());
        json!({ "granularity": newest.granularity, "window_start": start })
    });
    let members = vec![
        ("partitions", json!(progress.partitions())),
        ("records", json!(progress.records())),
        ("checkpoints", json!(progress.checkpoints())),
        ("rewinds", json!(progress.rewinds())),
        ("reports", json!(progress.reports())),
        ("reports_pending", json!(progress.pending())),
        ("newest_report", json!(newest)),
    ];
    Facts { commits: progress.checkpoints(), members }
}

fn say(config: &Config) {
    let source = config.drift().source();
    let granularities: Vec<_> = config.drift().windows().granularities().iter().map(ToString::to_string).collect();
    tracing::info!(
        brokers = config.connection().brokers(),
        topics = %source.topics().join(","),
        state = config.state().topic(source.topics()),
        group = source.group(),
        instance = source.instance(),
        granularities = %granularities.join(","),
        reference = %config.reference().kind(),
        "worker started"
    );
}
