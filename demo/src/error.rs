//! Why the demo cannot go on, or ended with sums that do not agree.

use std::io;

use formats::dead_letter::NotADeadLetter;
use kafka::error::{ClientError, TransactError};
use service::shutdown::ShutdownError;
use sink::reports::StoreError;
use workers::error::WorkerError;

use crate::messages::TemplateError;

/// What ended the demo. Its text fits "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(transparent)]
    Worker(#[from] WorkerError),
    #[error("start the broker")]
    Broker(#[from] devbroker::StartError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Signals(#[from] ShutdownError),
    #[error("write to standard error")]
    Stderr(#[source] io::Error),
    #[error("write to standard output")]
    Stdout(#[source] io::Error),
    #[error(transparent)]
    Templates(#[from] TemplateError),
    #[error("reach Kafka for the demo")]
    Client(#[source] ClientError),
    #[error("create or delete the demo's topics")]
    Topics(#[source] TransactError),
    #[error("join the demo's consumer group: the broker does not admit the worker")]
    NotJoined,
    #[error("send the demo's messages")]
    Send(#[source] ClientError),
    #[error("read the demo's labelled events")]
    Read(#[source] ClientError),
    #[error("read the demo's labelled events to their end: the broker does not answer")]
    ReadEnd,
    #[error("parse a labelled event")]
    LabeledEvent(#[source] serde_json::Error),
    #[error("parse a dead letter")]
    DeadLetter(#[from] NotADeadLetter),
    #[error("start a thread of the demo")]
    Thread(#[source] io::Error),
    #[error("run the demo's worker: it panicked")]
    WorkerPanicked,
    #[error("run the demo's sender and readers: one panicked")]
    ClientPanicked,
    #[error("run the demo's drift worker: it panicked")]
    DriftPanicked,
    #[error("draw the demo's screen")]
    Screen(#[source] io::Error),
    #[error("finish the demo: stopped by a second signal")]
    Interrupted,
    /// The summary above says which sum.
    #[error("account for every record: the counts above do not add up")]
    Sums,
}

impl DemoError {
    /// The exit code, as `labelstream --help` lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Worker(error) => error.exit_code(),
            Self::Interrupted => 130,
            // The reader of our output has seen enough, as in `labelstream demo | head`.
            Self::Stdout(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            _ => 1,
        }
    }
}
