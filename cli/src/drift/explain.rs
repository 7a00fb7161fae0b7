//! `labelstream drift explain`: one window as a page, from the reports that the worker left.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::str::FromStr;

use drift::window::Granularity;
use explain::page::page;
use explain::search::{Sought, earlier, find};
use explain::terminal::Ink;
use explain::{html, terminal};
use kafka::clock::now_ms;
use sink::reports::ReportStore;
use workers::settings;
use workers::settings::uses;

use super::flags::CommonFlags;
use super::moment::{Moment, NoMoment};

use crate::failure::Failure;
use crate::telemetry;

const EXAMPLES: &str = "\
Examples:
  labelstream drift explain latest
  labelstream drift explain 2026-05-01T01:00:00Z --granularity 1h --html window.html
  labelstream drift explain -3h --reports s3://reports/prod

Reads only the reports, not Kafka. Without --granularity it shows the window with the most severe verdict among those \
that contain the time (or the latest of each length), and the longest of equals.";

/// Show what changed in a window, by how much, since when, and in which words.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ExplainArguments {
    /// A time in the window, such as its start, or latest
    #[arg(value_name = "WINDOW", allow_hyphen_values = true)]
    window: Wanted,
    /// Length of the window, such as 1m, 1h or 1d
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    granularity: Option<Granularity>,
    /// The model, if there are reports of several
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Earlier windows to show
    #[arg(long, value_name = "COUNT", default_value_t = 24, value_parser = clap::value_parser!(u16).range(0..=1000))]
    back: u16,
    /// Also write the page as one HTML file with charts
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    common: CommonFlags,
}

/// Which window is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Latest,
    /// The one that holds this moment.
    At(Moment),
}

impl FromStr for Wanted {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        if text == "latest" { Ok(Self::Latest) } else { text.parse().map(Self::At) }
    }
}

/// Reads a length as settings write it, or as it is written in paths.
fn length(text: &str) -> Result<Granularity, String> {
    Granularity::from_short(text)
        .or_else(|| text.parse().ok())
        .ok_or_else(|| format!("expected a length such as 30s, 1m, 1h or 1d, found {text:?}"))
}

/// Prints the page and writes the HTML file.
///
/// # Errors
/// When the reports cannot be read or hold no such window; the message names those that there are.
pub(super) fn run(arguments: &ExplainArguments) -> Result<(), Failure> {
    let loaded = settings::load(&arguments.common.layers(Vec::new())?, uses::DRIFT_EXPLAIN)?;
    let config = loaded.config;
    telemetry::install(&config)?;
    telemetry::warn_of(&loaded.misnamed);
    let store = ReportStore::open(config.reports())?;
    let moment_ms = match arguments.window {
        Wanted::Latest => None,
        Wanted::At(moment) => Some(moment.ms(now_ms())),
    };
    let sought = Sought { model: arguments.model.clone(), granularity: arguments.granularity, moment_ms };
    let current = find(&store, &sought, config.drift().windows())?;
    let earlier = earlier(&store, &current, usize::from(arguments.back))?;
    let page = page(&current, &earlier);
    let mut out = io::stdout().lock();
    let ink = if out.is_terminal() { Ink::Colours } else { Ink::Plain };
    out.write_all(terminal::render(&page, ink).as_bytes()).map_err(Failure::Stdout)?;
    if let Some(file) = &arguments.html {
        fs::write(file, html::render(&page)).map_err(|source| Failure::Page { file: file.clone(), source })?;
        writeln!(out, "\nwritten to {}", file.display()).map_err(Failure::Stdout)?;
    }
    out.flush().map_err(Failure::Stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_asked_for_by_a_moment_or_as_the_latest() {
        assert_eq!("latest".parse(), Ok(Wanted::Latest));
        assert_eq!("-1h".parse(), Ok(Wanted::At(Moment::Ago(3_600_000))));
        assert!("newest".parse::<Wanted>().is_err());
        assert_eq!(length("PT1H"), length("1h"));
        assert!(length("1 h").is_err());
    }
}
