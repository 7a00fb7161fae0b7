//! SIGINT and SIGTERM: the first asks to finish what is under way, the second ends the process at once.
//!
//! Ending at once loses nothing: what was not committed is read again, and an open transaction is settled by the next
//! start. Signals are awaited on a thread of their own, so that no busy runtime can delay them.

use std::{io, thread};

use schemas::Recovery;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

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

/// A token that the first signal cancels, from now to the end of the process.
///
/// A second signal calls `before_exit`, which may give a terminal back, and ends the process with 130 or 143. So does
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
    let wait = async move {
        loop {
            let asked = tokio::select! {
                _ = interrupts.recv() => Asked::Interrupt,
                _ = terminations.recv() => Asked::Terminate,
            };
            if token.is_cancelled() {
                return asked;
            }
            tracing::info!(
                signal = asked.name(),
                "asked to stop, finishing what is under way; once more to stop at once"
            );
            token.cancel();
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let asked = runtime.block_on(wait);
        before_exit();
        tracing::warn!(signal = asked.name(), "stopped at once; what was not committed will be read again");
        std::process::exit(asked.exit_code());
    })?;
    Ok(stop)
}
