//! The demo: the whole pipeline with nothing installed, and an account of every record at the end.
//!
//! A sender plays the user's customers, readers play the application that consumes the labelled topic, and between them
//! runs the same worker as in `labelstream classify`. Everything runs in one process, by default with an embedded broker.

mod act;
mod drift;
pub mod error;
mod event;
mod kafka;
mod lines;
mod log;
mod messages;
mod options;
mod pace;
mod play;
mod reader;
mod record;
mod say;
mod screen;
mod sender;
mod show;
mod summary;
mod tally;
mod terminal;
mod topics;
mod view;
mod watch;

use std::io::{self, IsTerminal};

pub use options::Options;

use crate::kafka::Kafka;
use error::DemoError;
use log::Log;
use play::{Played, play};
use say::say;
use summary::Summary;

/// Runs the demo and prints its summary.
///
/// # Errors
/// When a part of it cannot run, or the sums do not agree.
pub fn run(options: &Options) -> Result<(), DemoError> {
    let screen = io::stdout().is_terminal();
    let log = Log::install();
    let stop = service::shutdown::listen(move || {
        if screen {
            ratatui::restore();
        }
    })?;
    let kafka = Kafka::reach(options)?;
    let played = play(options, &kafka, &stop, &log);
    let left = kafka.leave();
    let Played { shown, committed } = played?;
    left?;
    let summary = Summary {
        facts: &shown.facts,
        tally: &shown.tally,
        watch: &shown.watch,
        sending: shown.sending,
        stretch: shown.stretch,
        committed,
    };
    say(&format!("\n{}", summary.text()))?;
    if !summary.agrees() {
        return Err(DemoError::Sums);
    }
    say(&format!("\n{}\n{}", summary::reports(&options.reports, &shown.watch), summary::NEXT))
}
