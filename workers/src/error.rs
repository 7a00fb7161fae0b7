//! Why what a command runs cannot be put together or cannot go on.

use std::io;
use std::path::PathBuf;

use classifier::pipeline::PipelineError;
use drift::profile::ProfileError;
use drift::state::StateError;
use engine::error::LabelError;
use engine::load::LoadError;
use ingest::history::HistoryError;
use ingest::texts::TextFileError;
use kafka::error::TransactError;
use kafka::source::SourceError;
use packages::error::FetchError;
use service::settings::SettingsError;
use sink::scored::ScoredError;

/// What ended a command's work or kept it from starting. Its text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Model(#[from] LoadError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Publish(#[from] TransactError),
    #[error(transparent)]
    Classify(#[from] PipelineError),
    #[error(transparent)]
    Drift(#[from] drift::pipeline::PipelineError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error("read the history")]
    History(#[from] HistoryError),
    #[error(transparent)]
    Label(#[from] LabelError),
    #[error(transparent)]
    Texts(#[from] TextFileError),
    #[error(transparent)]
    Scored(#[from] ScoredError),
    #[error("start an event loop")]
    Reactor(#[source] io::Error),
    #[error(
        "compare with the profile of the model package {}: it has none; create one with labelstream drift calibrate \
         and name it with --reference, or choose --reference rolling, previous or seasonal", .package.display()
    )]
    NoProfile { package: PathBuf },
    #[error("read topic {topic}: it does not exist, or this user may not see it (source.topics)")]
    InputTopic { topic: String },
}

impl WorkerError {
    /// The exit code, as `labelstream --help` lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Model(_) | Self::Profile(_) | Self::NoProfile { .. } => SettingsError::EXIT_CODE,
            Self::Fetch(FetchError::Interrupted { .. }) => 130,
            Self::Fetch(error) if !error.is_passing() => SettingsError::EXIT_CODE,
            _ => 1,
        }
    }
}
