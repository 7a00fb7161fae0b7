//! The demo's log: straight to stderr, or kept back while the screen is up and printed after it.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Lines kept back; older ones are dropped and counted.
const LINES_MAX: usize = 200;

/// Where log lines go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    holding: bool,
    lines: VecDeque<Vec<u8>>,
    dropped: u64,
}

impl Log {
    /// Makes this the log of the process: warnings and errors only, for the demo speaks for itself.
    ///
    /// The in-process broker's warning that it is not for production is left to the demo's own words.
    pub(crate) fn install() -> Self {
        let log = Self::default();
        let filter = EnvFilter::new("warn,devbroker::broker=error");
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(log.clone());
        if subscriber.try_init().is_err() {
            // Another subscriber is there first: it shows the log, and this one stays empty.
            tracing::debug!("the log is installed already");
        }
        log
    }

    /// Keeps lines back from now on.
    pub(crate) fn hold(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).holding = true;
    }

    /// Prints what was kept back, and what comes from now on at once.
    ///
    /// # Errors
    /// When stderr cannot be written.
    pub(crate) fn release(&self) -> io::Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.holding = false;
        let mut out = io::stderr().lock();
        if held.dropped > 0 {
            writeln!(out, "({} earlier log lines dropped)", held.dropped)?;
            held.dropped = 0;
        }
        held.lines.drain(..).try_for_each(|line| out.write_all(&line))
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// `tracing` writes one line a call.
impl Write for &Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.holding {
            return io::stderr().write(line);
        }
        held.lines.push_back(line.to_vec());
        if held.lines.len() > LINES_MAX {
            held.lines.pop_front();
            held.dropped += 1;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_lines_are_bounded() {
        let log = Log::default();
        log.hold();
        for line in 0..LINES_MAX + 5 {
            writeln!(&log, "line {line}").unwrap();
        }
        let held = log.held.lock().unwrap();
        assert_eq!(held.lines.len(), LINES_MAX);
        assert!(held.dropped > 0);
    }
}
