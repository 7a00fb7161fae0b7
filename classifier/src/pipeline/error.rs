//! Why a pipeline ended, by the stage that ended first.

use std::any::Any;
use std::fmt;

use formats::EncodeError;
use kafka::error::TransactError;
use kafka::source::SourceError;
use schemas::Recovery;
use service::panics;
use service::supervision::TooManyRewinds;

use engine::error::LabelError;

/// The stages of a pipeline, each on a thread of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Read,
    Label,
    Publish,
}

impl Stage {
    /// The word in messages, metrics and `/health`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Label => "label",
            Self::Publish => "publish",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Label(#[from] LabelError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Publish(#[from] TransactError),
    /// A bug of ours: the process must not go on with parts in an unknown state.
    #[error("run the {stage} stage: it panicked: {message}")]
    Panicked { stage: Stage, message: String },
    #[error("start the reader's event loop")]
    Reactor(#[source] std::io::Error),
    #[error(transparent)]
    TooManyRewinds(#[from] TooManyRewinds<PipelineError>),
}

impl PipelineError {
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Source(error) => error.recovery(),
            Self::Label(error) => error.recovery(),
            Self::Publish(error) => error.recovery(),
            Self::Encode(_) | Self::Panicked { .. } | Self::Reactor(_) | Self::TooManyRewinds(_) => Recovery::Exit,
        }
    }

    pub(crate) fn panicked(stage: Stage, panic: &(dyn Any + Send)) -> Self {
        Self::Panicked { stage, message: panics::message(panic) }
    }
}
