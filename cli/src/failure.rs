//! Why a command failed, and what the process returns for it.

use std::io;
use std::path::PathBuf;

use demo::error::DemoError;
use drift::calibrate::CalibrateError;
use drift::profile::ProfileError;
use engine::load::LoadError;
use explain::search::SearchError;
use kafka::lease::Losses;
use packages::error::FetchError;
use service::http::{AskError, HttpError};
use service::settings::SettingsError;
use service::shutdown::ShutdownError;
use service::telemetry::TelemetryError;
use sink::reports::StoreError;
use workers::check::error::CheckError;
use workers::error::WorkerError;

/// What ended a command. Its text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Worker(#[from] WorkerError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("start the broker")]
    Broker(#[from] devbroker::StartError),
    #[error(transparent)]
    Model(#[from] LoadError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("ask the worker: http.listen has port 0, so only its log says where it listens; name that by --address")]
    NoAddress,
    /// The answer on stdout says why.
    #[error("get 200 from {path}: the worker answers {status}")]
    Unwell { path: &'static str, status: u16 },
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The report on stdout says which.
    #[error("use the model package {folder}: its golden texts have other scores on this machine")]
    GoldenTexts { folder: String },
    #[error(transparent)]
    Check(CheckError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Drift(#[from] drift::pipeline::PipelineError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Every record was refused, or nearly every one for its time.
    #[error("use {place}: {why}")]
    NothingUsable { place: String, why: String },
    #[error(transparent)]
    Calibrate(#[from] CalibrateError),
    #[error("label the texts of {}: {reasons}; is --text the text column?", .file.display())]
    NothingToScore { file: PathBuf, reasons: String },
    #[error("read the range: --from must be before --to")]
    EmptyRange,
    #[error("read every record: {}; the warnings in the log say where; all remaining records were processed", lost(.0))]
    Lost(Losses),
    #[error("continue: asked to stop")]
    Interrupted,
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error("write the page {}", .file.display())]
    Page { file: PathBuf, source: io::Error },
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error(transparent)]
    Signals(#[from] ShutdownError),
    #[error("start the watchdog thread")]
    Watchdog(#[source] io::Error),
    #[error("start an event loop")]
    Reactor(#[source] io::Error),
    #[error("write to standard error")]
    Stderr(#[source] io::Error),
    #[error("write to standard output")]
    Stdout(#[source] io::Error),
}

impl Failure {
    /// The exit code, as `labelstream --help` lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Worker(error) => error.exit_code(),
            Self::Demo(error) => error.exit_code(),
            Self::Settings(_) | Self::Model(_) | Self::GoldenTexts { .. } | Self::Profile(_) => {
                SettingsError::EXIT_CODE
            }
            Self::EmptyRange => 2,
            Self::Lost(_) => 3,
            Self::Interrupted => 130,
            Self::Fetch(FetchError::Interrupted { .. }) => 130,
            Self::Fetch(error) if !error.is_passing() => SettingsError::EXIT_CODE,
            // The reader of our output has seen enough, as in `labelstream ... | head`.
            Self::Stdout(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            _ => 1,
        }
    }
}

/// Fails a run that worked up to the end, when records were gone before it came to them.
///
/// # Errors
/// [`Failure::Lost`].
pub(crate) fn refuse_losses(losses: Losses) -> Result<(), Failure> {
    if losses == Losses::default() { Ok(()) } else { Err(Failure::Lost(losses)) }
}

fn lost(losses: &Losses) -> String {
    let Losses { records, begun_again } = losses;
    let deleted = format!(
        "{records} {} deleted before they were read (raise retention.ms of the topic, or run more often)",
        if *records == 1 { "was" } else { "were" }
    );
    let another = format!(
        "{begun_again} {} recreated or truncated, and read from the first record",
        if *begun_again == 1 { "partition was" } else { "partitions were" }
    );
    let said = [(*records > 0).then_some(deleted), (*begun_again > 0).then_some(another)];
    said.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
