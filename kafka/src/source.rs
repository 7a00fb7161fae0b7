//! Where events come from: the one trait that the pipeline reads through, in production and in simulation.

use std::future::Future;
use std::sync::Arc;

use schemas::{Generation, RawEvent, Recovery};

/// What a source has to tell. Closed: a reader handles every one.
#[derive(Debug)]
pub enum SourceEvent {
    /// The next record of its partition, and the generation that it was read under.
    Record(RawEvent, Generation),
    /// The partition is read to its end, and the offsets between its last record and `end` hold nothing to be seen:
    /// transaction markers and aborted records. To be committed behind all of its records, so that no lag stays.
    Drained { partition: (Arc<str>, i32), end: i64, generation: Generation },
    /// Nothing arrived for a while; a chance to look at the clock.
    Tick,
    /// Partitions were taken away, or the group's generation changed: what was read and is not yet published will be
    /// read again. The open batch must be dropped.
    Lost,
    /// Asked to work up to the present end: everything up to there is committed. A reader that stays in its group is
    /// told again when other partitions come.
    End,
}

/// Why a source cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The broker's answer ends this process: authorization, an unknown topic, fenced by a second process.
    #[error("read {what}: {reason}")]
    Broker { what: String, reason: String, recovery: Recovery },
    /// The poll thread ended, by a panic; its message is in the log.
    #[error("read from Kafka: the poll thread is gone")]
    PollThreadGone,
}

impl SourceError {
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Broker { recovery, .. } => *recovery,
            Self::PollThreadGone => Recovery::Exit,
        }
    }
}

/// A stream of records that can go back to what is committed.
pub trait Source {
    /// Waits for the next event.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future loses no event.
    ///
    /// # Errors
    /// See [`SourceError`]; its recovery says what to do.
    fn next(&mut self) -> impl Future<Output = Result<SourceEvent, SourceError>>;

    /// Goes back to the committed offsets under a new generation; events read before are void.
    ///
    /// # Errors
    /// When the committed offsets cannot be had within the configured time.
    fn rewind(&mut self) -> Result<(), SourceError>;
}
