//! The windows of the past, tested and reported once more: what `backtest` and `replay` share, with a line for each window.

use std::io::{self, IsTerminal, Write};

use drift::compare::Comparer;
use drift::verdict::overall;
use drift::window::Window;
use explain::figures::{grouped, span, tame};
use explain::terminal::Ink;
use schemas::report::{Verdict, WindowReport};
use sink::reports::ReportStore;
use tokio_util::sync::CancellationToken;
use workers::past::PastRecords;

use super::reading;
use crate::failure::Failure;

/// Characters of a reason on one line.
const REASON_SHOWN: usize = 120;

/// Compares every window, writes the reports of those that are asked for, and returns the line to end with.
///
/// # Errors
/// When reading, writing or closing fails, or a signal asks to stop.
pub(super) fn write(
    past: &mut PastRecords,
    comparer: &Comparer,
    store: &ReportStore,
    is_asked_for: impl Fn(&Window) -> bool,
    stop: &CancellationToken,
) -> Result<String, Failure> {
    let mut lines = Lines::new();
    reading::read(past, stop, |merged, history, bar| {
        let comparison = comparer.report(merged, history);
        if is_asked_for(&merged.window) {
            store.write(&comparison.report)?;
            bar.aside(|| lines.write(&comparison.report, merged.counts.records()))?;
        }
        Ok(comparison.flags)
    })?;
    Ok(lines.summary())
}

/// Lines of windows on stdout, under one another.
struct Lines {
    ink: Ink,
    windows: usize,
    drift: usize,
    warned: usize,
}

impl Lines {
    fn new() -> Self {
        let ink = if io::stdout().is_terminal() { Ink::Colours } else { Ink::Plain };
        Self { ink, windows: 0, drift: 0, warned: 0 }
    }

    /// Writes the line of one report; `records` are those of its window, whether anything could be tested or not.
    ///
    /// # Errors
    /// When stdout cannot be written.
    fn write(&mut self, report: &WindowReport, records: u64) -> Result<(), Failure> {
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
            grouped(records)
        )
        .map_err(Failure::Stdout)
    }

    /// `48 windows: 2 drift, 1 warn`.
    fn summary(&self) -> String {
        let noun = if self.windows == 1 { "window" } else { "windows" };
        format!("{} {noun}: {} drift, {} warn", self.windows, self.drift, self.warned)
    }
}
