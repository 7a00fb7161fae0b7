//! Why a command failed, and what the process returns for it.

use std::io;

use ingest::settings::SettingsError;
use ingest::shutdown::ShutdownError;

/// What ended a command. Its text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("start the broker")]
    Broker(#[from] devbroker::StartError),
    #[error(transparent)]
    Demo(#[from] crate::demo::DemoError),
    #[error(transparent)]
    Signals(#[from] ShutdownError),
    #[error("start an event loop")]
    Reactor(#[source] io::Error),
    #[error("write to standard output")]
    Stdout(#[source] io::Error),
}

impl Failure {
    /// The exit code, as `labelstream --help` lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) => SettingsError::EXIT_CODE,
            // The reader of our output has seen enough, as in `labelstream ... | head`.
            Self::Stdout(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            _ => 1,
        }
    }
}
