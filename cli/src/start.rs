//! How a command begins: its settings, its log and its signals, in the same order for all.

use std::sync::Arc;
use std::time::Duration;

use service::settings::Layers;
use service::shutdown;
use service::stages::{Stages, Watchdog};
use service::telemetry::Metrics;
use tokio_util::sync::CancellationToken;
use workers::settings::uses::Uses;
use workers::settings::{self, Config};

use crate::failure::Failure;
use crate::telemetry;

/// What a command has once it began.
pub(crate) struct Started {
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
    /// Cancelled by the first signal.
    pub(crate) stop: CancellationToken,
}

/// Watches over the stages of a worker. `allowed` is how long the stage of a name may have work and not go on.
///
/// # Errors
/// When the process may have no further thread.
pub(crate) fn watchdog(
    stages: &Arc<Stages>,
    allowed: impl Fn(&str) -> Duration + Send + 'static,
) -> Result<Watchdog, Failure> {
    Watchdog::start(Arc::clone(stages), allowed).map_err(Failure::Watchdog)
}

/// Begins a command that works on what is there, and ends by itself.
///
/// # Errors
/// When the settings cannot be used, or signals cannot be heard.
pub(crate) fn command(layers: &Layers, uses: Uses) -> Result<Started, Failure> {
    let loaded = settings::load(layers, uses)?;
    let config = loaded.config;
    let metrics = telemetry::install(&config)?;
    telemetry::warn_of(&loaded.misnamed);
    let stop = shutdown::listen(|| ())?;
    Ok(Started { config, metrics, stop })
}

/// Begins a worker, which runs until it is stopped: it says which settings it was given, and its shutdown is bounded.
///
/// # Errors
/// As [`command`].
pub(crate) fn worker(layers: &Layers, uses: Uses) -> Result<Started, Failure> {
    let loaded = settings::load(layers, uses)?;
    let config = loaded.config;
    let metrics = telemetry::install(&config)?;
    telemetry::warn_of(&loaded.misnamed);
    for setting in &loaded.changed {
        tracing::info!(key = %setting.key, value = %setting.value, place = %setting.place, "setting");
    }
    let stop = shutdown::listen(|| ())?;
    shutdown::bound(stop.clone(), config.shutdown_grace()).map_err(Failure::Reactor)?;
    Ok(Started { config, metrics, stop })
}
