//! A range of topics, read once from a moment to their present ends: by assignment, without a group, without a trace.
//!
//! For commands that look at the past. Nothing is committed and no member of any group notices. Kafka finds the beginning
//! by the records' own timestamps.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::RawEvent;

use crate::connection::Connection;
use crate::listener::Listener;
use crate::prefetch;
use crate::reaction::ErrorKind;
use crate::read_error::exit;
use crate::record::{TopicNames, raw_event};
use crate::source::SourceError;

/// One poll; a caller that wants to stop waits that long.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// What is fetched ahead of each topic: what a worker takes by default.
const PREFETCH_BYTES_MAX: usize = 16 << 20;
/// A consumer needs the name of a group even where it joins none.
const GROUP: &str = "labelstream-range";

/// What a range has to tell.
#[derive(Debug)]
pub enum RangeEvent {
    Record(RawEvent),
    /// The partition is read up to the end that it had at the start.
    End(Arc<str>, i32),
    /// Nothing arrived for a moment.
    Waiting,
}

/// A range that is being read. Records of a partition come in order; partitions interleave.
pub struct TopicRange {
    readers: Vec<Reader>,
    /// Whose turn it is.
    turn: usize,
    /// Partitions whose end was reached and is to be told.
    ended: Vec<(Arc<str>, i32)>,
    records: i64,
    wait: Duration,
    heard: Instant,
}

/// One topic. It has a consumer of its own, because the event at the end of a partition names only the partition's number.
struct Reader {
    names: TopicNames,
    topic: Arc<str>,
    /// Its listener is silent: the ends of partitions are no errors.
    consumer: BaseConsumer<Listener>,
    spans: Vec<Span>,
    /// Partitions that are not at their end.
    open: BTreeSet<i32>,
}

/// Offsets of one partition: `start <= offset < end`.
#[derive(Clone, Copy)]
struct Span {
    partition: i32,
    start: i64,
    end: i64,
}

impl TopicRange {
    /// Finds where each partition begins (the first record with a timestamp of `from_ms` or later; the first of all
    /// without it) and ends, and assigns them. `wait` bounds each answer of the broker, and a silence while reading.
    ///
    /// # Errors
    /// When a topic is missing or the broker does not answer.
    pub fn open(
        connection: &Connection,
        topics: &[String],
        from_ms: Option<i64>,
        wait: Duration,
    ) -> Result<Self, SourceError> {
        let readers = topics.iter().map(|topic| Reader::open(connection, topic, from_ms, wait));
        let readers: Vec<_> = readers.collect::<Result<_, _>>()?;
        let ended = readers.iter().flat_map(Reader::empty).collect();
        Ok(Self { readers, turn: 0, ended, records: 0, wait, heard: Instant::now() })
    }

    /// Every partition of the topics.
    pub fn partitions(&self) -> impl Iterator<Item = (Arc<str>, i32)> + '_ {
        self.readers
            .iter()
            .flat_map(|reader| reader.spans.iter().map(|span| (Arc::clone(&reader.topic), span.partition)))
    }

    /// Records read, and an upper bound of all: offsets have gaps.
    pub fn progress(&self) -> (i64, i64) {
        let spans = self.readers.iter().flat_map(|reader| &reader.spans);
        (self.records, spans.map(|span| (span.end - span.start).max(0)).sum())
    }

    /// The next event; `None` when every partition is at its end. Waits for a moment at most.
    ///
    /// # Errors
    /// When the broker refuses, or says nothing for longer than the wait that was given.
    pub fn next_event(&mut self) -> Result<Option<RangeEvent>, SourceError> {
        if let Some((topic, partition)) = self.ended.pop() {
            return Ok(Some(RangeEvent::End(topic, partition)));
        }
        let count = self.readers.len();
        let turn =
            (self.turn..self.turn + count).map(|turn| turn % count).find(|turn| !self.readers[*turn].open.is_empty());
        let Some(turn) = turn else { return Ok(None) };
        self.turn = turn + 1;
        let reader = &mut self.readers[turn];
        let Some(heard) = reader.poll()? else {
            if self.heard.elapsed() > self.wait {
                let reason = format!("no record and no end for {} s", self.wait.as_secs());
                return Err(exit(format!("topic {}", reader.topic), reason));
            }
            return Ok(Some(RangeEvent::Waiting));
        };
        self.heard = Instant::now();
        self.ended.extend(heard.ended.map(|partition| (Arc::clone(&reader.topic), partition)));
        self.records += i64::from(heard.record.is_some());
        Ok(Some(heard.record.map_or(RangeEvent::Waiting, RangeEvent::Record)))
    }
}

/// What one poll brought.
#[derive(Default)]
struct Heard {
    record: Option<RawEvent>,
    /// The partition that came to its end.
    ended: Option<i32>,
}

impl Reader {
    fn open(connection: &Connection, topic: &str, from_ms: Option<i64>, wait: Duration) -> Result<Self, SourceError> {
        let failed = |error: KafkaError| exit(format!("topic {topic}"), error.to_string());
        let consumer: BaseConsumer<Listener> =
            client(connection).create_with_context(Listener::default()).map_err(failed)?;
        let names = TopicNames::new(&[topic.to_owned()]);
        let mut spans = Vec::new();
        for partition in 0..partitions_of(&consumer, topic, wait)? {
            let (start, end) = consumer.fetch_watermarks(topic, partition, wait).map_err(failed)?;
            spans.push(Span { partition, start, end });
        }
        if let Some(from_ms) = from_ms {
            find_starts(&consumer, topic, &mut spans, from_ms, wait).map_err(failed)?;
        }
        let left: Vec<_> = spans.iter().filter(|span| span.start < span.end).collect();
        let mut assigned = TopicPartitionList::with_capacity(left.len());
        for span in &left {
            assigned.add_partition_offset(topic, span.partition, Offset::Offset(span.start)).map_err(failed)?;
        }
        consumer.assign(&assigned).map_err(failed)?;
        let open = left.iter().map(|span| span.partition).collect();
        Ok(Self { topic: names.get(topic), names, consumer, spans, open })
    }

    /// Partitions without anything to read.
    fn empty(&self) -> impl Iterator<Item = (Arc<str>, i32)> + '_ {
        let empty = self.spans.iter().filter(|span| !self.open.contains(&span.partition));
        empty.map(|span| (Arc::clone(&self.topic), span.partition))
    }

    /// `None` when nothing arrived.
    fn poll(&mut self) -> Result<Option<Heard>, SourceError> {
        let message = match self.consumer.poll(POLL_WAIT) {
            None => return Ok(None),
            Some(Ok(message)) => message,
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                let ended = self.open.remove(&partition).then_some(partition);
                return Ok(Some(Heard { record: None, ended }));
            }
            // librdkafka reconnects by itself, within the wait.
            Some(Err(error)) if ErrorKind::of_error(&error) == ErrorKind::Unreachable => return Ok(None),
            Some(Err(error)) => return Err(exit(format!("topic {}", self.topic), refused(&error))),
        };
        let partition = message.partition();
        let end = self.spans.iter().find(|span| span.partition == partition).map_or(0, |span| span.end);
        let record = (message.offset() < end).then(|| raw_event(&message, &self.names));
        let is_at_end = message.offset() + 1 >= end && self.open.remove(&partition);
        Ok(Some(Heard { record, ended: is_at_end.then_some(partition) }))
    }
}

/// A consumer that leaves no trace.
pub(crate) fn client(connection: &Connection) -> ClientConfig {
    let mut client = connection.client();
    prefetch::bound(&mut client, PREFETCH_BYTES_MAX);
    client
        .set("group.id", GROUP)
        // Nothing may be committed by looking.
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // The same records as a worker would see.
        .set("isolation.level", "read_committed")
        // The end of a partition may be a transaction marker, which is never read: ask for an event at the end instead.
        .set("enable.partition.eof", "true")
        // A range must be complete: a deleted offset is an error, not a reason to continue at the end.
        .set("auto.offset.reset", "error")
        // A misspelt topic must be an error and not a new topic.
        .set("allow.auto.create.topics", "false");
    client
}

fn partitions_of(consumer: &BaseConsumer<Listener>, topic: &str, wait: Duration) -> Result<i32, SourceError> {
    let what = || format!("topic {topic}");
    let metadata = consumer.fetch_metadata(Some(topic), wait).map_err(|error| exit(what(), error.to_string()))?;
    let found =
        metadata.topics().iter().find(|found| found.name() == topic).map_or(0, |found| found.partitions().len());
    match i32::try_from(found) {
        Ok(count @ 1..) => Ok(count),
        _ => Err(exit(what(), "it does not exist, or this user may not see it".to_owned())),
    }
}

/// Moves each start to the first record of the moment; partitions without one have nothing to read.
fn find_starts(
    consumer: &BaseConsumer<Listener>,
    topic: &str,
    spans: &mut [Span],
    from_ms: i64,
    wait: Duration,
) -> Result<(), KafkaError> {
    let mut asked = TopicPartitionList::with_capacity(spans.len());
    for span in spans.iter() {
        asked.add_partition_offset(topic, span.partition, Offset::Offset(from_ms.max(0)))?;
    }
    let answer = consumer.offsets_for_times(asked, wait)?;
    for span in spans {
        let element = answer.find_partition(topic, span.partition);
        let found = element.map(|element| element.error().map(|()| element.offset())).transpose()?;
        span.start = match found {
            Some(Offset::Offset(offset)) => offset.clamp(span.start, span.end),
            _ => span.end,
        };
    }
    Ok(())
}

/// Why the range cannot be read to its end.
fn refused(error: &KafkaError) -> String {
    if error.rdkafka_error_code() == Some(Code::AutoOffsetReset) {
        return "records of the range were deleted (retention or DeleteRecords) while it was read; begin later, or start \
                again"
            .to_owned();
    }
    error.to_string()
}
