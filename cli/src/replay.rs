//! `labelstream replay`: dead letters back to the topics they came from.

use std::io::{self, Write};
use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use schemas::Reason;
use workers::brokers;
use workers::replay::{Replay, Route, write_report};
use workers::settings::uses;

use crate::failure::{Failure, refuse_losses};
use crate::settings_arguments::SettingsArguments;
use crate::start::{self, Started};

const EXAMPLES: &str = "\
Examples:
  labelstream replay --dead-letter messages-dead-letters --dry-run
  labelstream replay --dead-letter messages-dead-letters --reason model_failed
  labelstream replay --dead-letter messages-dead-letters --to messages-fixed

A dead letter is sent back as the original record: the same bytes, key, headers and timestamp. If it was too large for \
its topic and was written without a part of the record, that part is read from the original topic. A replay never \
returns to dead letters that it has passed, whatever their reason; use a new --replay-group to start at the first one.";

/// Send dead letters back to the topics they came from, exactly once.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ReplayArguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// Only dead letters of this reason; can be repeated
    #[arg(long, value_name = "REASON", value_parser = PossibleValuesParser::new(Reason::ALL.iter().map(|reason| reason.name())))]
    reason: Vec<String>,
    /// Send to this topic instead of the original ones
    #[arg(long, value_name = "TOPIC")]
    to: Option<String>,
    /// Count what would be sent, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Consumer group that stores the progress of replays [default: labelstream-replay- and the dead-letter topic]
    #[arg(long, value_name = "NAME")]
    replay_group: Option<String>,
}

/// Replays up to the present end of the dead-letter topic and reports.
///
/// # Errors
/// When the dead-letter topic or a topic to write is missing, or the broker refuses.
pub fn run(arguments: &ReplayArguments) -> Result<(), Failure> {
    let Started { config, stop, .. } = start::command(&arguments.settings.layers()?, uses::REPLAY)?;
    if !brokers::await_answer(&config, config.sink().dead_letter_topic(), &stop)? {
        return Ok(());
    }
    let reasons = arguments.reason.iter().filter_map(|name| name.parse().ok()).collect();
    let route = Route { reasons, to: arguments.to.as_deref().map(Arc::from) };
    let mut replay = Replay::connect(&config, arguments.replay_group.clone(), arguments.dry_run)?;
    let tally = replay.run(&route, &stop)?;
    let mut out = io::stdout().lock();
    write_report(&mut out, &tally, config.sink().dead_letter_topic(), arguments.dry_run)
        .and_then(|()| if stop.is_cancelled() { writeln!(out, "stopped before the end") } else { Ok(()) })
        .map_err(Failure::Stdout)?;
    refuse_losses(replay.losses())
}
