//! Waits for the brokers before anything else: the same waits and the same messages in every command.

use std::time::Duration;

use kafka::reach::reach;
use tokio_util::sync::CancellationToken;

use crate::error::WorkerError;
use crate::settings::Config;

/// How long one question to the broker may take: long enough for a cluster far away, short enough to wait for.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Waits until a broker answers, for `sink.connect_wait_ms` at most; the log says at once why none does. False when asked to
/// stop meanwhile. `topic` is one that the command is about; it need not exist.
///
/// # Errors
/// When no broker answers in time, with the cause, or when they refuse this user.
pub fn await_answer(config: &Config, topic: &str, stop: &CancellationToken) -> Result<bool, WorkerError> {
    Ok(reach(config.connection(), topic, config.sink().connect_wait(), &|| !stop.is_cancelled())?)
}
