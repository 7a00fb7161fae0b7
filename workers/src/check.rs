//! A check: tries everything that `classify` needs, one line each, and labels a few live records.
//!
//! It changes nothing that a worker or a reader could notice: no topic is created, no offset committed, no record
//! written. A step that needs a failed one is left out, so the first FAIL is the one to fix first.

pub mod error;
mod input;
mod labels;
mod model;
mod publishing;
mod report;
mod rules;
mod topics;

use std::io::Write;
use std::path::Path;

use service::settings::LoadedSettings;

use crate::settings::Config;
use error::CheckError;
use report::Report;

/// Runs every step and reports each to `out`. `file` is the settings file, `records` how many of the newest are labelled.
///
/// # Errors
/// [`CheckError::Failed`] when a step failed.
pub fn run(
    loaded: &LoadedSettings<Config>,
    file: Option<&Path>,
    records: usize,
    out: &mut dyn Write,
) -> Result<(), CheckError> {
    let config = &loaded.config;
    let mut report = Report::new(out);
    let file = file.map_or("no file".to_owned(), |file| format!("file {}", file.display()));
    report.ok("settings", &format!("{file}, {} set over the defaults", loaded.changed.len()))?;
    for setting in &loaded.changed {
        report.detail(&format!("{} = {} ({})", setting.key, setting.value, setting.place))?;
    }
    let model = model::model(config, &mut report)?;
    model::reference(config, model.as_ref(), &mut report)?;
    if let Some(topics) = topics::check(config, &mut report)? {
        publishing::check(config, &topics.outputs, &mut report)?;
        let records = input::check(config, &topics.input, records, &mut report)?;
        if let Some(model) = model.filter(|_| !records.is_empty()) {
            labels::check(config, model, records, &mut report)?;
        }
    }
    match report.failed() {
        0 => Ok(()),
        failed => Err(CheckError::Failed { failed }),
    }
}
