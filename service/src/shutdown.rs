//! SIGINT and SIGTERM: the first asks to finish what is under way, the second ends the process at once.
//!
//! Ending at once loses nothing: what was not committed is read again, and an open transaction is settled by the next
//! start. Signals are awaited on a thread of their own, so that no busy runtime can delay them.
//!
//! One request may come as several signals: see [`SAME_REQUEST`].

use std::time::{Duration, Instant};
use std::{io, thread};

use schemas::Recovery;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Signals this soon after the first are the same request: `timeout` signals the process and then its group, a terminal and
/// the wrapper that was started in it both pass Ctrl-C on, and some supervisors repeat themselves, all within
/// milliseconds. A person who wants to end a stop that takes too long has waited longer than this.
pub const SAME_REQUEST: Duration = Duration::from_secs(1);

/// Why signals cannot be awaited.
#[derive(Debug, thiserror::Error)]
#[error("listen for SIGINT and SIGTERM")]
pub struct ShutdownError(#[from] io::Error);

impl ShutdownError {
    pub fn recovery(&self) -> Recovery {
        Recovery::Exit
    }
}

/// A signal that asks to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Interrupt,
    Terminate,
}

impl Asked {
    fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    /// As shells report a process that a signal ended: 128 and the signal's number.
    fn exit_code(self) -> i32 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// What a signal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Stop,
    /// The request that is being followed already.
    Repeated,
    StopAtOnce,
}

/// The requests so far.
#[derive(Debug, Default)]
struct Requests {
    first: Option<Instant>,
}

impl Requests {
    /// `is_stopping`: the process is asked to stop already, by a signal or for another reason.
    fn hear(&mut self, now: Instant, is_stopping: bool) -> Meaning {
        match self.first {
            None if !is_stopping => {
                self.first = Some(now);
                Meaning::Stop
            }
            Some(first) if now.saturating_duration_since(first) < SAME_REQUEST => Meaning::Repeated,
            _ => Meaning::StopAtOnce,
        }
    }
}

/// A token that the first signal cancels, from now to the end of the process.
///
/// A second signal, a second later or more, calls `before_exit`, which may give a terminal back, and ends the process with 130 or 143. So does
/// the first one when the token was already cancelled for another reason.
///
/// # Errors
/// When the process may have no signal handler or no thread.
pub fn listen(before_exit: impl FnOnce() + Send + 'static) -> Result<CancellationToken, ShutdownError> {
    let stop = CancellationToken::new();
    let token = stop.clone();
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupts, mut terminations) = {
        let _entered = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let mut requests = Requests::default();
    let wait = async move {
        loop {
            let asked = tokio::select! {
                _ = interrupts.recv() => Asked::Interrupt,
                _ = terminations.recv() => Asked::Terminate,
            };
            match requests.hear(Instant::now(), token.is_cancelled()) {
                Meaning::Stop => {
                    tracing::info!(
                        signal = asked.name(),
                        "stopping: finishing work in progress; a second signal, at least a second later, exits at once"
                    );
                    token.cancel();
                }
                Meaning::Repeated => tracing::debug!(signal = asked.name(), "signal ignored: same request to stop"),
                Meaning::StopAtOnce => return asked,
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let asked = runtime.block_on(wait);
        before_exit();
        tracing::warn!(signal = asked.name(), "exiting at once; uncommitted records will be read again");
        std::process::exit(asked.exit_code());
    })?;
    Ok(stop)
}

/// The exit code of a process that failed, here to stop in time.
const EXIT_TOO_SLOW: i32 = 1;

/// Ends the process when stopping takes longer than `grace`, `run.shutdown_grace_ms`: an orchestrator would kill it
/// anyway, and then nobody would learn why. Nothing is lost: what was not committed is read again.
///
/// # Errors
/// When the process may have no further thread.
pub fn bound(stop: CancellationToken, grace: Duration) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_time().build()?;
    let end = move || {
        runtime.block_on(async {
            stop.cancelled().await;
            tokio::time::sleep(grace).await;
        });
        tracing::error!(grace_ms = grace.as_millis(), "shutdown took longer than run.shutdown_grace_ms, exiting now");
        std::process::exit(EXIT_TOO_SLOW);
    };
    thread::Builder::new().name("shutdown-bound".to_owned()).spawn(end).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds at which signals come, and what each means.
    fn check(is_stopping: bool, signals: &[(u64, Meaning)]) {
        let (start, mut requests, mut is_stopping) = (Instant::now(), Requests::default(), is_stopping);
        for (millis, expected) in signals {
            let found = requests.hear(start + Duration::from_millis(*millis), is_stopping);
            assert_eq!(found, *expected, "at {millis} ms of {signals:?}");
            is_stopping = true;
        }
    }

    #[test]
    fn a_second_signal_counts_only_after_a_pause() {
        use Meaning::{Repeated, Stop, StopAtOnce};
        check(false, &[(0, Stop), (50, Repeated), (999, Repeated), (1_000, StopAtOnce)]);
        check(false, &[(7, Stop), (60_000, StopAtOnce)]);
        check(true, &[(0, StopAtOnce)]);
    }
}
