//! One loader for the settings of the whole program, which reports every problem at once with the place to fix it.
//!
//! Order, later wins: embedded defaults, settings file, environment (`LABELSTREAM__KAFKA__BROKERS`), flags, `--set`.
//! The defaults declare every key with its type, so an unknown key is a problem and not an accident. A key is first held
//! against its type alone, then all of them against each other by the crate that uses them: that crate
//! knows keys and not files, so the loader adds where each was set. A secret can be named by a file:
//! `kafka.sasl_password_file` stands for `kafka.sasl_password`.

mod error;
mod layers;
mod merge;
mod place;
mod shape;
mod unit;
mod value_type;

use schemas::Problem;
use serde::de::DeserializeOwned;

pub use error::{Mistake, SettingsError};
pub use layers::{DEFAULT_FILE, Flag, Layers, Misnamed, SettingsFile};
pub use merge::Setting;
pub use place::Place;

use merge::Merged;
use shape::Shape;

/// Settings that passed every check.
#[derive(Debug)]
pub struct LoadedSettings<C> {
    pub config: C,
    /// Every key that was set over its default, sorted; secrets are masked.
    pub changed: Vec<Setting>,
    /// Variables of the environment that stand for no key, and nearly do: they changed nothing.
    pub misnamed: Vec<Misnamed>,
}

/// Reads the sections in `uses` from `layers` over `defaults` as `S`, then has them checked.
///
/// A command is not stopped by what another one needs: of sections that are not in `uses` only the names are held against
/// what exists, and `check` is given their defaults.
///
/// # Errors
/// [`SettingsError::Invalid`] with every problem: unknown keys, wrong types, values out of range, broken relations.
pub fn load<S: DeserializeOwned, C>(
    defaults: &str,
    layers: &Layers,
    uses: &[&str],
    check: impl FnOnce(S) -> Result<C, Vec<Problem>>,
) -> Result<LoadedSettings<C>, SettingsError> {
    let shape = Shape::parse(defaults)?;
    let mut merged = Merged::new::<S>(&shape, uses)?;
    let entries = layers.entries(&mut merged.mistakes);
    for entry in entries {
        merged.add::<S>(entry);
    }
    merged.read_secret_files();
    let checked = check(merged.settings::<S>()?);
    let problems = checked.as_ref().err().map_or(&[][..], Vec::as_slice);
    for problem in problems {
        merged.blame(problem);
    }
    match checked {
        Ok(config) if merged.mistakes.is_empty() => {
            Ok(LoadedSettings { config, changed: merged.changed(), misnamed: layers.misnamed(&shape) })
        }
        _ => Err(SettingsError::Invalid(merged.mistakes)),
    }
}

/// The keys that `defaults` declares, sorted: for tests that hold documentation against them.
///
/// # Errors
/// [`SettingsError::Defaults`] when they are not TOML.
pub fn declared_keys(defaults: &str) -> Result<Vec<String>, SettingsError> {
    Ok(Shape::parse(defaults)?.keys().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests;
