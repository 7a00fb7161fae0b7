//! Why a drift pipeline ended, by the stage that ended first.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use kafka::error::TransactError;
use kafka::source::SourceError;
use schemas::Recovery;
use service::panics;
use service::supervision::TooManyRewinds;
use sink::reports::StoreError;

use crate::state::{StateError, TopicPartition};

/// The stages of a pipeline, each on a thread of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Read,
    Count,
    Report,
}

impl Stage {
    /// The word in messages, metrics and `/health`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Count => "count",
            Self::Report => "report",
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
    /// Of the labelled topics, or of the state topic.
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Publish(#[from] TransactError),
    /// At the start; a store that fails later is waited for.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state topic holds what this version cannot read.
    #[error(transparent)]
    State(#[from] StateError),
    /// A labelled topic is gone, or may not be seen.
    #[error("find topic {topic}: it does not exist, or this user may not see it")]
    TopicGone { topic: String },
    /// What is counted is of a log that is no longer there: to go on would leave its new records out.
    #[error(
        "continue with partition {of}: the state topic {state} has counts up to offset {counted}, but the partition \
         ends at {end}: its topic was recreated or truncated; give this job another drift.group and state.topic"
    )]
    AnotherLog { of: TopicPartition, counted: i64, end: i64, state: Arc<str> },
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
            Self::Publish(error) => error.recovery(),
            Self::Store(_) => Recovery::Exit,
            Self::State(error) => error.recovery(),
            Self::TopicGone { .. }
            | Self::AnotherLog { .. }
            | Self::Panicked { .. }
            | Self::Reactor(_)
            | Self::TooManyRewinds(_) => Recovery::Exit,
        }
    }

    pub(super) fn panicked(stage: Stage, panic: &(dyn Any + Send)) -> Self {
        Self::Panicked { stage, message: panics::message(panic) }
    }
}
