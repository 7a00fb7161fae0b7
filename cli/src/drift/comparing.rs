//! What a command that tests windows shares with the live worker: the profile, the comparer, and a line per window.

use std::io::{self, Write};
use std::sync::Arc;

use drift::compare::Comparer;
use drift::profile::Profile;
use drift::reference::ReferenceKind;
use drift::verdict::overall;
use engine::load::LoadError;
use engine::package::{Choice, Package, ReferenceFile};
use schemas::report::{Verdict, WindowReport};
use tokio_util::sync::CancellationToken;

use super::figures::{count, span, tame};
use super::terminal::Ink;
use crate::failure::Failure;
use crate::model_source;
use crate::settings::Config;

/// Characters of a reason on one line.
const REASON_SHOWN: usize = 120;

/// The comparer that the settings ask for, with its profile where the reference is a fixed one.
///
/// # Errors
/// When there is no such profile, or it cannot be read.
pub(crate) fn comparer(config: &Config, stop: &CancellationToken) -> Result<Comparer, Failure> {
    let profile = match config.reference().kind() {
        ReferenceKind::Fixed => Some(Arc::new(profile(config, stop)?)),
        _ => None,
    };
    let granularities = config.drift().windows().granularities();
    Ok(Comparer::new(config.reference().clone(), config.verdict().clone(), granularities, profile))
}

fn profile(config: &Config, stop: &CancellationToken) -> Result<Profile, Failure> {
    if let Some(file) = config.reference().profile() {
        return Ok(Profile::read(file)?);
    }
    let folder = model_source::folder(config, stop)?;
    let packaged = Package::open_chosen(&folder, Choice { name: None, model_file: config.model().file() })
        .map_err(LoadError::Package)?
        .drift_reference;
    let Some(ReferenceFile { file, content }) = packaged else {
        return Err(Failure::NoProfile { package: folder });
    };
    Ok(Profile::parse(&file, &content)?)
}

/// Lines of windows on stdout, under one another.
pub(super) struct Lines {
    ink: Ink,
    windows: usize,
    drift: usize,
    warned: usize,
}

impl Lines {
    pub(super) fn new(ink: Ink) -> Self {
        Self { ink, windows: 0, drift: 0, warned: 0 }
    }

    /// Writes the line of one report; `records` are those of its window, whether anything could be tested or not.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(super) fn write(&mut self, report: &WindowReport, records: u64) -> Result<(), Failure> {
        let key = &report.key;
        let overall = overall(&report.drift);
        self.windows += 1;
        self.drift += usize::from(overall.verdict == Verdict::Drift);
        self.warned += usize::from(overall.verdict == Verdict::Warn);
        let verdict = self.ink.verdict(overall.verdict, &format!("{:<17}", overall.verdict.name()));
        let revision = if key.revision == 0 { String::new() } else { format!(" (revision {})", key.revision) };
        let window = span(key.window_start_ms, key.window_end_ms);
        let reason = tame(&overall.reason, REASON_SHOWN);
        let granularity = &report.granularity;
        writeln!(
            io::stdout().lock(),
            "{granularity:<6} {window:<43} {:>10} {verdict} {reason}{revision}",
            count(i64::try_from(records).unwrap_or(i64::MAX))
        )
        .map_err(Failure::Stdout)
    }

    /// `48 windows: 2 drift, 1 warn`.
    pub(super) fn summary(&self) -> String {
        let noun = if self.windows == 1 { "window" } else { "windows" };
        format!("{} {noun}: {} drift, {} warn", self.windows, self.drift, self.warned)
    }
}
