//! The brokers, waited for before anything else is asked of them: the same wait and the same words in every command.

use kafka::reach::reach;
use tokio_util::sync::CancellationToken;

use crate::error::WorkerError;
use crate::settings::Config;

/// Waits until a broker answers, for `sink.connect_wait_ms` at most; the log says at once why none does. False when asked to
/// stop meanwhile. `topic` is one that the command is about; it need not exist.
///
/// # Errors
/// When no broker answers in time, with the cause, or when they refuse this user.
pub fn await_answer(config: &Config, topic: &str, stop: &CancellationToken) -> Result<bool, WorkerError> {
    Ok(reach(config.connection(), topic, config.sink().connect_wait(), &|| !stop.is_cancelled())?)
}
