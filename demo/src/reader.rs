//! The demo's other side: a `read_committed` consumer that sees what an application of the user's would see.
//!
//! It reads the labelled events and the dead letters of this run from their beginning, on a thread of its own, and turns
//! each into an [`Answer`]. It takes part in no group and commits nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use formats::{dead_letter, labeled};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{ClientConfig, ClientContext, Message, Offset, TopicPartitionList};
use schemas::{Header, Origin};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::error::DemoError;
use crate::event::Event;
use crate::sender::NUMBER_HEADER;
use crate::tally::{Answer, Outcome};
use crate::topics::Topics;

/// How long one poll waits; a wish to stop is heard in between.
const POLL: Duration = Duration::from_millis(100);
/// How long reading to the end may take once everything is written.
const FINISH_WITHIN: Duration = Duration::from_secs(30);
/// Characters of a text that are kept for the screen.
const TEXT_CHARACTERS: usize = 200;

/// Reads one topic; the labelled events and the dead letters have a reader each.
pub(crate) struct Reader {
    pub(crate) client: ClientConfig,
    pub(crate) topic: String,
    pub(crate) kind: Kind,
    pub(crate) events: SyncSender<Event>,
    /// Cancelled when everything is written: read up to the end, say [`Event::AllRead`], and finish.
    pub(crate) finish: CancellationToken,
}

/// What lies on the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    LabeledEvents,
    DeadLetters,
}

impl Reader {
    /// Reads on a thread of its own; the last event is [`Event::AllRead`] or [`Event::Failed`].
    ///
    /// # Errors
    /// When the client cannot be made.
    pub(crate) fn start(self) -> Result<thread::JoinHandle<()>, DemoError> {
        let mut client = self.client.clone();
        client
            .set("group.id", "labelstream-demo-reader") // required, unused: partitions are assigned by hand
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed") // only what is committed counts as an answer
            .set("enable.partition.eof", "true") // tells when everything is read
            .set("fetch.wait.max.ms", "50")
            .set("fetch.queue.backoff.ms", "5"); // the default of a second would count as latency
        let consumer: BaseConsumer<Quiet> = client.create_with_context(Quiet).map_err(DemoError::Client)?;
        thread::Builder::new()
            .name("demo-reader".to_owned())
            .spawn(move || {
                let last = match self.read(&consumer) {
                    Ok(()) => Event::AllRead,
                    Err(error) => Event::Failed(error),
                };
                self.events.send(last).ok(); // nobody listens when the demo is already over
            })
            .map_err(DemoError::Thread)
    }

    fn read(&self, consumer: &BaseConsumer<Quiet>) -> Result<(), DemoError> {
        let mut next: BTreeMap<i32, Offset> = Topics::partitions().map(|each| (each, Offset::Beginning)).collect();
        self.assign(consumer, &next)?;
        let mut finish_by = None;
        // Partitions whose end was reached since the wish to finish.
        let mut ended = BTreeSet::new();
        while ended.len() < next.len() {
            if finish_by.is_none() && self.finish.is_cancelled() {
                // An end that was reached before may lie before the last commit: look for it again from here.
                finish_by = Some(Instant::now() + FINISH_WITHIN);
                self.assign(consumer, &next)?;
            }
            if finish_by.is_some_and(|by| Instant::now() >= by) {
                return Err(DemoError::ReadEnd);
            }
            match consumer.poll(POLL) {
                None => {}
                Some(Ok(message)) => {
                    let at = Instant::now();
                    next.insert(message.partition(), Offset::Offset(message.offset() + 1));
                    let answer = self.answer(&message)?;
                    if self.events.send(Event::Answered { answer, at }).is_err() {
                        return Ok(()); // the demo is over
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) if finish_by.is_some() => {
                    ended.insert(partition);
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) => return Err(DemoError::Read(error)),
            }
        }
        Ok(())
    }

    fn assign(&self, consumer: &BaseConsumer<Quiet>, next: &BTreeMap<i32, Offset>) -> Result<(), DemoError> {
        let mut partitions = TopicPartitionList::new();
        for (partition, offset) in next {
            partitions.add_partition_offset(&self.topic, *partition, *offset).map_err(DemoError::Read)?;
        }
        consumer.assign(&partitions).map_err(DemoError::Read)
    }

    fn answer(&self, message: &BorrowedMessage<'_>) -> Result<Answer, DemoError> {
        let headers = headers(message);
        let number = headers
            .iter()
            .find(|header| header.name == NUMBER_HEADER)
            .and_then(|header| std::str::from_utf8(header.value.as_deref()?).ok()?.parse().ok());
        let (outcome, origin) = match self.kind {
            Kind::LabeledEvents => labeled(message.payload().unwrap_or_default())?,
            Kind::DeadLetters => {
                let mark = dead_letter::read_headers(&headers)?;
                (Outcome::DeadLetter(mark.reason), mark.origin)
            }
        };
        Ok(Answer { number, outcome, origin })
    }
}

/// Ends of partitions are news for the reader and no errors for the log.
struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::warn!(%error, reason, "librdkafka reported an error while reading the demo's output");
        }
    }
}

impl ConsumerContext for Quiet {}

/// The user's own member that the screen shows.
#[derive(Deserialize)]
struct Text {
    text: String,
}

fn labeled(payload: &[u8]) -> Result<(Outcome, Origin), DemoError> {
    let added = labeled::decode(payload).map_err(DemoError::LabeledEvent)?;
    let Text { text } = serde_json::from_slice(payload).map_err(DemoError::LabeledEvent)?;
    let outcome = Outcome::Labeled {
        label: added.label.map(|label| label.as_ref().to_owned()),
        score: added.score,
        text: text.chars().take(TEXT_CHARACTERS).collect(),
    };
    let source = added.source;
    Ok((outcome, Origin { topic: source.topic, partition: source.partition, offset: source.offset }))
}

fn headers(message: &BorrowedMessage<'_>) -> Vec<Header> {
    message
        .headers()
        .into_iter()
        .flat_map(Headers::iter)
        .map(|header| Header { name: header.key.to_owned(), value: header.value.map(<[u8]>::to_vec) })
        .collect()
}
