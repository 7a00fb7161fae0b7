//! How far a long reading is: a bar on a terminal, now and then a line of the log otherwise.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines of the log.
const EVERY: Duration = Duration::from_secs(10);
/// Between two looks at the clock: reading goes on at hundreds of thousands of records a second.
const LOOK_RECORDS: u64 = 1024;

/// The progress of one reading, on stderr.
pub(crate) struct Bar {
    bar: ProgressBar,
    records: u64,
    said: Instant,
}

impl Bar {
    /// `total` is in the unit in which [`Self::record`] is told how far it is.
    pub(crate) fn new(total: u64) -> Self {
        let bar = ProgressBar::new(total); // it draws nothing where stderr is no terminal
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent:>3} %  {msg}  {eta} left") {
            bar.set_style(style);
        }
        Self { bar, records: 0, said: Instant::now() }
    }

    /// One more record; `place` tells how far the reading is.
    pub(crate) fn record(&mut self, place: impl FnOnce() -> u64) {
        self.records += 1;
        if !self.records.is_multiple_of(LOOK_RECORDS) {
            return;
        }
        let place = place();
        self.bar.set_position(place);
        self.bar.set_message(format!("{} records", self.records));
        if self.bar.is_hidden() && self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            let percent = place.saturating_mul(100) / self.bar.length().unwrap_or(1).max(1);
            tracing::info!(records = self.records, percent, "reading");
        }
    }

    /// Runs what writes to the terminal without tearing the bar.
    pub(crate) fn aside<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bar.suspend(write)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
