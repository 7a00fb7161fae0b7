//! The drift worker put together, as `drift` and `demo` run it, and the comparer that its replays share with it.

use std::sync::Arc;

use drift::compare::Comparer;
use drift::observation::Observer;
use drift::pipeline::Setup;
use drift::profile::Profile;
use drift::reference::ReferenceKind;
use engine::load::LoadError;
use engine::package::{Choice, Package, ReferenceFile};
use tokio_util::sync::CancellationToken;

use crate::error::WorkerError;
use crate::model_source;
use crate::settings::Config;

/// What a worker of these settings is made from.
///
/// # Errors
/// When there is no profile to compare with, or it cannot be read.
pub fn setup<'a>(config: &'a Config, until_end: bool, stop: &CancellationToken) -> Result<Setup<'a>, WorkerError> {
    let drift = config.drift();
    Ok(Setup {
        connection: config.connection(),
        source: drift.source().clone(),
        transactor: config.sink().transactor().clone(),
        identity: config.drift_identity(),
        windows: Arc::new(drift.windows().clone()),
        state: config.state(),
        reports: config.reports(),
        batch: config.limits().batch,
        observer: Observer::new(drift.observer().clone()),
        comparer: comparer(config, stop)?,
        labels: config.labels().cloned(),
        until_end,
    })
}

/// The comparer that the settings ask for, with its profile where the reference is a fixed one.
///
/// # Errors
/// When there is no such profile, or it cannot be read.
pub fn comparer(config: &Config, stop: &CancellationToken) -> Result<Comparer, WorkerError> {
    let profile = match config.reference().kind() {
        ReferenceKind::Fixed => Some(Arc::new(profile(config, stop)?)),
        _ => None,
    };
    let granularities = config.drift().windows().granularities();
    Ok(Comparer::new(config.reference().clone(), config.verdict().clone(), granularities, profile))
}

fn profile(config: &Config, stop: &CancellationToken) -> Result<Profile, WorkerError> {
    if let Some(file) = config.reference().profile() {
        return Ok(Profile::read(file)?);
    }
    let folder = model_source::folder(config, stop)?;
    let packaged = Package::open_chosen(&folder, Choice { name: None, model_file: config.model().file() })
        .map_err(LoadError::Package)?
        .drift_reference;
    let Some(ReferenceFile { file, content }) = packaged else {
        return Err(WorkerError::NoProfile { package: folder });
    };
    Ok(Profile::parse(&file, &content)?)
}
