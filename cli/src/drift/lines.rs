//! A line per window on stdout, for commands that test windows of the past.

use std::io::{self, Write};

use drift::verdict::overall;
use explain::figures::{count, span, tame};
use explain::terminal::Ink;
use schemas::report::{Verdict, WindowReport};

use crate::failure::Failure;

/// Characters of a reason on one line.
const REASON_SHOWN: usize = 120;

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
