//! The settings of the whole program: one section per part, each checked by the crate that uses it, then held together.
//!
//! `default.toml` beside this crate's sources declares every key, `engine` those of `[model]` and `packages` its own. What
//! two parts must agree on is checked here, because only here are both known.

mod drift;
mod relations;
mod run;
pub mod scaling;
pub mod uses;
mod written;

use std::time::Duration;

use ::drift::labels::settings::LabelsConfig;
use ::drift::pipeline::settings::StateConfig;
use ::drift::reference::settings::ReferenceConfig;
use ::drift::verdict::settings::VerdictConfig;
use classifier::pipeline::{Limits, Supervision};
use formats::{DecodeConfig, Decoder};
use kafka::connection::Connection;
use kafka::identity::Identity;
use kafka::settings::SourceConfig;
use packages::address::Address;
use packages::settings::PackagesConfig;
use schemas::Problem;
use service::http::HttpConfig;
use service::settings::{Layers, LoadedSettings, SettingsError};
use service::telemetry::LogConfig;
use sink::reports::ReportsConfig;
use sink::settings::SinkConfig;

use crate::package_path;
use drift::{check_drift, check_labels};
use relations::{publish_max, relations};
use run::RunConfig;
use scaling::ScalingConfig;
use uses::Uses;
use written::{Settings, check};

pub use drift::DriftConfig;

/// Every key with its default and what it means; `[model]` and `[packages]` are in their crates.
pub fn defaults() -> String {
    let own = include_str!("../default.toml");
    format!("{own}\n{}\n{}", engine::settings::DEFAULTS, packages::settings::DEFAULTS)
}

/// Reads all layers over [`defaults`] and checks the sections that a command uses.
///
/// # Errors
/// [`SettingsError::Invalid`] with every problem at once.
pub fn load(layers: &Layers, uses: Uses) -> Result<LoadedSettings<Config>, SettingsError> {
    service::settings::load(&defaults(), layers, uses, |settings| Config::check(settings, uses))
}

/// Settings that passed every check.
#[derive(Clone, Debug)]
pub struct Config {
    connection: Connection,
    source: SourceConfig,
    decode: DecodeConfig,
    model: engine::settings::Config,
    package: Address,
    packages: PackagesConfig,
    batch: Limits,
    sink: SinkConfig,
    publish_max: Duration,
    drift: DriftConfig,
    state: StateConfig,
    reference: ReferenceConfig,
    verdict: VerdictConfig,
    labels: Option<LabelsConfig>,
    reports: ReportsConfig,
    scaling: ScalingConfig,
    run: RunConfig,
    http: HttpConfig,
    log: LogConfig,
}

impl Config {
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The instance is always set: the host name stands in.
    pub fn source(&self) -> &SourceConfig {
        &self.source
    }

    /// Finds texts for the layout in which events are published.
    pub fn decoder(&self) -> Decoder {
        Decoder::new(self.decode.clone(), self.sink.layout())
    }

    /// How the model is run; see [`Self::package`] for where it is.
    pub fn model(&self) -> &engine::settings::Config {
        &self.model
    }

    /// Where the model package is; a folder is found where it is relative to the program.
    pub fn package(&self) -> &Address {
        &self.package
    }

    /// How packages that are elsewhere are fetched.
    pub fn packages(&self) -> &PackagesConfig {
        &self.packages
    }

    pub fn limits(&self) -> Limits {
        self.batch
    }

    pub fn sink(&self) -> &SinkConfig {
        &self.sink
    }

    /// What the drift worker reads and counts.
    pub fn drift(&self) -> &DriftConfig {
        &self.drift
    }

    /// The topic that holds what is counted.
    pub fn state(&self) -> &StateConfig {
        &self.state
    }

    /// What windows are compared with.
    pub fn reference(&self) -> &ReferenceConfig {
        &self.reference
    }

    /// What counts as drift.
    pub fn verdict(&self) -> &VerdictConfig {
        &self.verdict
    }

    /// Where true labels come from; `None` where there are none.
    pub fn labels(&self) -> Option<&LabelsConfig> {
        self.labels.as_ref()
    }

    /// Where drift reports are kept.
    pub fn reports(&self) -> &ReportsConfig {
        &self.reports
    }

    /// What those who scale the workers are told.
    pub fn scaling(&self) -> ScalingConfig {
        self.scaling
    }

    /// Who publishes: the replica that also reads.
    pub fn identity(&self) -> Identity {
        Identity {
            connection: self.connection.clone(),
            group: self.source.group().to_owned(),
            instance: self.source.instance().unwrap_or_default().to_owned(),
        }
    }

    /// As [`Self::identity`], for the drift worker: another group, and so another transactional id.
    pub fn drift_identity(&self) -> Identity {
        Identity { group: self.drift.source().group().to_owned(), ..self.identity() }
    }

    /// From the first signal to the end of the process.
    pub fn shutdown_grace(&self) -> Duration {
        self.run.shutdown_grace
    }

    pub fn supervision(&self) -> Supervision {
        self.run.supervision
    }

    /// How long a stage may have work and not go on, beside the waits that its settings grant it.
    pub fn stall_max(&self) -> Duration {
        self.run.stall_max
    }

    /// The longest that publishing one batch may take, every wait and attempt at its bound.
    pub fn publish_max(&self) -> Duration {
        self.publish_max
    }

    pub fn http(&self) -> HttpConfig {
        self.http
    }

    pub fn log(&self) -> &LogConfig {
        &self.log
    }
}

impl Config {
    /// Checks the sections in `uses`; the others hold their defaults, and what is said about them is another command's affair.
    fn check(mut settings: Settings, uses: Uses) -> Result<Self, Vec<Problem>> {
        let host_name = || gethostname::gethostname().into_string().ok();
        settings.source.instance = settings.source.instance.or_else(host_name);
        let mut problems = relations(&settings);
        let drift = check_drift(&settings, &mut problems);
        let labels = check_labels(&settings, &mut problems);
        let package = package(&mut settings, &mut problems);
        let publish_max = publish_max(&settings.sink);
        let Settings { kafka, source, decode, model, packages, batch, sink, reports, scaling, run, http, log, .. } =
            settings;
        let state = check(settings.state, &mut problems);
        let reference = check(settings.reference, &mut problems);
        let verdict = check(settings.verdict, &mut problems);
        let packages = check(packages, &mut problems);
        let connection = check(kafka, &mut problems);
        let source = check(source, &mut problems);
        let decode = check(decode, &mut problems);
        let model = check(model, &mut problems);
        let batch = check(batch, &mut problems);
        let sink = check(sink, &mut problems);
        let reports = check(reports, &mut problems);
        let scaling = check(scaling, &mut problems);
        let run = check(run, &mut problems);
        let http = check(http, &mut problems);
        let log = check(log, &mut problems);
        problems.retain(|problem| uses.iter().any(|section| problem.key.split('.').next() == Some(section)));
        let all = (|| {
            Some(Self {
                connection: connection?,
                source: source?,
                decode: decode?,
                model: model?,
                batch: batch?,
                sink: sink?,
                publish_max,
                package: package?,
                packages: packages?,
                drift: drift?,
                state: state?,
                reference: reference?,
                verdict: verdict?,
                labels: labels?,
                reports: reports?,
                scaling: scaling?,
                run: run?,
                http: http?,
                log: log?,
            })
        })();
        all.filter(|_| problems.is_empty()).ok_or(problems)
    }
}

/// The address in `model.package`; of a folder, the path where it is found.
fn package(settings: &mut Settings, problems: &mut Vec<Problem>) -> Option<Address> {
    let written = &mut settings.model.package;
    if written.as_os_str().is_empty() {
        return None; // the check of the section says so
    }
    match Address::parse(&written.to_string_lossy(), settings.packages.allow_http) {
        Ok(Address::Folder(folder)) => {
            *written = package_path::resolve(&folder);
            Some(Address::Folder(written.clone()))
        }
        Ok(address) => Some(address),
        Err(expected) => {
            problems.push(Problem::new("model.package", expected));
            None
        }
    }
}
