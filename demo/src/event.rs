//! What the demo's threads tell its loop; the loop alone keeps the books.

use std::time::Instant;

use crate::error::DemoError;
use crate::record::Expected;
use crate::tally::Answer;
use crate::watch::Judged;

#[derive(Debug)]
pub(crate) enum Event {
    /// A record is about to be sent.
    Sent { number: u64, expected: Expected, at: Instant },
    /// Kafka did not take the record.
    NotSent { number: u64 },
    /// Every record is sent and delivered.
    AllSent,
    /// The reader saw a labelled event or a dead letter.
    Answered { answer: Answer, at: Instant },
    /// The reader has seen everything up to the end of both topics, after it was asked to.
    AllRead,
    /// The drift worker judged a window.
    Judged(Judged),
    /// The pipeline ended: it was asked to stop, or failed with an error, which its thread returns.
    PipelineEnded,
    /// A thread of the demo cannot go on.
    Failed(DemoError),
}
