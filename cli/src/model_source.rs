//! The model package of the settings as a folder: fetched where it is an address.

use std::env;
use std::path::PathBuf;

use packages::fetch::{Fetched, fetch};
use packages::settings::Variables;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::settings::Config;

/// How the model is run, with its package where it now is.
///
/// # Errors
/// When the package cannot be fetched.
pub(crate) fn model(config: &Config, stop: &CancellationToken) -> Result<classifier::settings::Config, Failure> {
    let Fetched { folder, name, .. } = fetched(config, stop)?;
    Ok(config.model().clone().in_folder(folder, name))
}

/// The folder of the package.
///
/// # Errors
/// As [`model`].
pub(crate) fn folder(config: &Config, stop: &CancellationToken) -> Result<PathBuf, Failure> {
    Ok(fetched(config, stop)?.folder)
}

/// The variables of other tools, as their own clients read them.
///
/// # Errors
/// When a credential cannot be sent.
pub(crate) fn variables() -> Result<Variables, Failure> {
    Ok(Variables::read(|name| env::var(name).ok())?)
}

fn fetched(config: &Config, stop: &CancellationToken) -> Result<Fetched, Failure> {
    Ok(fetch(config.package(), config.packages(), &variables()?, stop)?)
}
