//! The demo without a terminal: a line every few seconds, for a log or a pipe.

use std::io::{self, Write};
use std::time::Duration;

use explain::figures::grouped;

use crate::view::{Phase, View, took};

/// Between two lines.
const EVERY: Duration = Duration::from_secs(3);
/// Labelled texts shown with each line.
const SAMPLES: usize = 2;

/// Writes a line now and then.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    written: u32,
}

impl Lines {
    /// Writes a line if one is due.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(crate) fn show(&mut self, view: &View<'_>) -> io::Result<()> {
        if view.elapsed < EVERY * (self.written + 1) {
            return Ok(());
        }
        self.written += 1;
        let counts = view.tally.counts();
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{:>4} s  {:>4} records/s   {} sent, {} labelled, {} dead letters, {} under way   p50 {}, p99 {}",
            view.elapsed.as_secs(),
            view.history.rate(),
            grouped(counts.sent),
            grouped(counts.labeled),
            grouped(counts.dead_letters),
            grouped(view.tally.unanswered()),
            took(view.tally.recent_latency(0.5)),
            took(view.tally.recent_latency(0.99)),
        )?;
        writeln!(out, "          drift: {}", view.watch.line())?;
        if let Some(stretch) = view.stretch.filter(|_| view.phase == Phase::Sending) {
            writeln!(out, "          {}", stretch.sentence())?;
        }
        let samples = if view.phase == Phase::Sending { SAMPLES } else { 0 };
        for sample in view.tally.samples().take(samples) {
            let score = sample.score.map_or_else(String::new, |score| format!("{score:.2}"));
            writeln!(out, "          {score} {}: {}", sample.label, first_characters(&sample.text))?;
        }
        out.flush()
    }
}

fn first_characters(text: &str) -> String {
    text.chars().take(90).map(|character| if character.is_control() { ' ' } else { character }).collect()
}
