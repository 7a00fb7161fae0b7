//! The demo's other side: a `read_committed` consumer that sees what an application of the user's would see.
//!
//! It reads the labelled events and the dead letters of this run from their beginning, on a thread of its own, and turns
//! each into an [`Answer`]. It takes part in no group and commits nothing.

use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use formats::{dead_letter, labeled};
use kafka::connection::Connection;
use kafka::follower::Follower;
use schemas::{Origin, RawEvent};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::error::DemoError;
use crate::event::Event;
use crate::sender::NUMBER_HEADER;
use crate::tally::{Answer, Output};
use crate::topics::Topics;

/// How long one poll waits; between polls the reader checks whether to stop.
const POLL: Duration = Duration::from_millis(100);
/// How long reading to the end may take once everything is written.
const FINISH_WITHIN: Duration = Duration::from_secs(30);
/// Characters of a text that are kept for the screen.
const TEXT_CHARACTERS: usize = 200;

/// Reads one topic; the labelled events and the dead letters have a reader each.
pub(crate) struct Reader {
    pub(crate) connection: Connection,
    pub(crate) topic: String,
    pub(crate) kind: OutputTopic,
    pub(crate) events: SyncSender<Event>,
    /// Cancelled when everything is written: read up to the end, say [`Event::AllRead`], and finish.
    pub(crate) finish: CancellationToken,
}

/// What the topic contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputTopic {
    LabeledEvents,
    DeadLetters,
}

impl Reader {
    /// Reads on a thread of its own; the last event is [`Event::AllRead`] or [`Event::Failed`].
    ///
    /// # Errors
    /// When the client cannot be made.
    pub(crate) fn start(self) -> Result<thread::JoinHandle<()>, DemoError> {
        let follower =
            Follower::open(&self.connection, &self.topic, Topics::partitions()).map_err(DemoError::Client)?;
        thread::Builder::new()
            .name("demo-reader".to_owned())
            .spawn(move || {
                let last = match self.read(follower) {
                    Ok(()) => Event::AllRead,
                    Err(error) => Event::Failed(error),
                };
                self.events.send(last).ok(); // nobody listens when the demo is already over
            })
            .map_err(DemoError::Thread)
    }

    fn read(&self, mut follower: Follower) -> Result<(), DemoError> {
        let mut finish_by = None;
        while finish_by.is_none() || !follower.is_at_ends() {
            if finish_by.is_none() && self.finish.is_cancelled() {
                finish_by = Some(Instant::now() + FINISH_WITHIN);
                follower.seek_ends().map_err(DemoError::Read)?;
            }
            if finish_by.is_some_and(|by| Instant::now() >= by) {
                return Err(DemoError::ReadEnd);
            }
            if let Some(record) = follower.next(POLL).map_err(DemoError::Read)? {
                let at = Instant::now();
                let answer = self.answer(&record)?;
                if self.events.send(Event::Answered { answer, at }).is_err() {
                    return Ok(()); // the demo is over
                }
            }
        }
        Ok(())
    }

    fn answer(&self, record: &RawEvent) -> Result<Answer, DemoError> {
        let number = record
            .headers
            .iter()
            .find(|header| header.name == NUMBER_HEADER)
            .and_then(|header| std::str::from_utf8(header.value.as_deref()?).ok()?.parse().ok());
        let (output, origin) = match self.kind {
            OutputTopic::LabeledEvents => labeled(record.payload.as_deref().unwrap_or_default())?,
            OutputTopic::DeadLetters => {
                let mark = dead_letter::read_headers(&record.headers)?;
                (Output::DeadLetter(mark.reason), mark.origin)
            }
        };
        Ok(Answer { number, output, origin })
    }
}

/// The user's own member that the screen shows.
#[derive(Deserialize)]
struct Text {
    text: String,
}

fn labeled(payload: &[u8]) -> Result<(Output, Origin), DemoError> {
    let added = labeled::decode(payload).map_err(DemoError::LabeledEvent)?;
    let Text { text } = serde_json::from_slice(payload).map_err(DemoError::LabeledEvent)?;
    let output = Output::Labeled {
        label: added.label.map(|label| label.as_ref().to_owned()),
        score: added.score,
        text: text.chars().take(TEXT_CHARACTERS).collect(),
    };
    let source = added.source;
    Ok((output, Origin { topic: source.topic, partition: source.partition, offset: source.offset }))
}
