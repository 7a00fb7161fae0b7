//! The thread that owns the consumer: polls it, hands records over, and goes back to the committed offsets when a
//! generation ends.
//!
//! It polls for as long as the source lives, also when nobody reads (`hand_over`). Records of an ended generation are
//! dropped here, and nothing of the next one is handed over before every partition stands at its committed offset.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use schemas::{Generation, RawEvent};
use tokio::sync::mpsc;

use super::chunk::{Chunk, Stall};
use super::context::{Context, Positions};
use super::drains::Drains;
use super::end::{EndWatch, SETTLE};
use super::spans::ReadSpans;
use super::starts::Starts;
use crate::lease::{Leases, PartitionProgress};
use crate::metrics;
use crate::reaction::Reaction;
use crate::read_error;
use crate::record::{TopicNames, raw_event};
use crate::settings::SourceConfig;
use crate::source::SourceError;

/// How long one poll waits for a record; also the longest that a stop goes unnoticed.
const POLL_WAIT: Duration = Duration::from_millis(50);
/// How long one poll waits while records are held for a reader that has enough to do: polling without a wait would take
/// the processor from the model.
const BUSY_WAIT: Duration = Duration::from_millis(5);
/// Between attempts to go back to the committed offsets while the broker does not answer.
const REWIND_RETRY: Duration = Duration::from_millis(200);

/// What the poll thread hands to the reader.
pub(super) enum Delivery {
    Records(Generation, Vec<RawEvent>),
    /// Ends of drained partitions, behind all records that were handed over.
    Drained(Generation, Vec<((Arc<str>, i32), i64)>),
    /// A generation ended while nothing was under way: wakes a reader that waits.
    Ended,
    /// Everything up to the end is done, as far as this generation's partitions go.
    End(Generation),
}

pub(super) struct Poller {
    pub(super) consumer: Arc<BaseConsumer<Context>>,
    /// What the consumer was made from.
    pub(super) client: ClientConfig,
    pub(super) config: SourceConfig,
    pub(super) leases: Arc<Leases>,
    pub(super) reader: mpsc::Sender<Delivery>,
    pub(super) stop: Arc<AtomicBool>,
    /// Grows with every turn of the thread: the reader sees that it lives.
    pub(super) turns: Arc<AtomicU64>,
    pub(super) state: State,
}

/// What changes while polling.
pub(super) struct State {
    /// The generation that records are read under; `None` until all partitions stand at their committed offsets.
    pub(super) generation: Option<Generation>,
    pub(super) spans: ReadSpans,
    pub(super) starts: Starts,
    /// librdkafka moved a position; which one is not known yet.
    pub(super) has_reset: bool,
    pub(super) chunk: Chunk,
    pub(super) stall: Option<Stall>,
    rewind_after: Instant,
    /// When the generation began to be read.
    pub(super) settled_at: Instant,
    /// False while the group decides, also after partitions were lost: nothing is known of what is ours.
    has_assignment: bool,
    pub(super) is_outage: bool,
    end: Option<EndWatch>,
    pub(super) drains: Drains,
    pub(super) topics: TopicNames,
}

impl State {
    pub(super) fn new(config: &SourceConfig) -> Self {
        Self {
            generation: None,
            spans: ReadSpans::default(),
            starts: Starts::default(),
            has_reset: false,
            chunk: Chunk::default(),
            stall: None,
            rewind_after: Instant::now(),
            settled_at: Instant::now(),
            has_assignment: false,
            is_outage: false,
            end: None,
            drains: Drains::default(),
            topics: TopicNames::new(&config.topics),
        }
    }
}

impl Poller {
    /// Polls until the source is dropped or an error ends the process.
    pub(super) fn run(mut self) -> Result<(), SourceError> {
        let Some(ends) = self.start()? else { return Ok(()) };
        if let Some(until) = self.config.until_end {
            self.state.end = Some(EndWatch::new(until, ends, Instant::now()));
        }
        let topics: Vec<&str> = self.config.topics.iter().map(String::as_str).collect();
        self.consumer.subscribe(&topics).map_err(|error| read_error::exit(self.what(), error.to_string()))?;
        while !self.stop.load(Ordering::Acquire) {
            self.turn();
            self.settle()?;
            if !self.hand_over() {
                continue;
            }
            self.poll()?;
            self.listen()?;
            self.look_for_passed();
            self.tell_drained();
            self.watch_end();
        }
        Ok(())
    }

    pub(super) fn what(&self) -> String {
        format!("topics {}", self.config.topics.join(", "))
    }

    /// Takes what is there, up to a full chunk; waits only when nothing is held already.
    fn poll(&mut self) -> Result<(), SourceError> {
        let consumer = Arc::clone(&self.consumer);
        let mut wait = match self.reader.capacity() {
            _ if self.state.chunk.is_empty() => POLL_WAIT,
            0 => BUSY_WAIT,
            _ => Duration::ZERO,
        };
        loop {
            match consumer.poll(wait) {
                None | Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
                Some(Ok(message)) => self.take(&message),
                Some(Err(error)) => return self.failed(&error),
            }
            if self.state.chunk.is_full(&self.config) || self.state.generation.is_none() {
                return Ok(());
            }
            wait = Duration::ZERO;
        }
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) {
        self.reachable();
        let state = &mut self.state;
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        if state.end.as_mut().is_some_and(|end| end.is_behind(topic, partition, offset)) {
            let position = state.spans.get(&(topic.to_owned(), partition)).map(|span| span.next);
            return self.jumped(topic, partition, position, offset);
        }
        let expected = state.spans.read(topic, partition, offset);
        if expected != Some(offset) {
            self.jumped(topic, partition, expected, offset);
        }
        let state = &mut self.state;
        if state.generation.is_some_and(|generation| self.leases.is_current(generation)) {
            state.chunk.push(raw_event(message, &state.topics));
        }
    }

    /// Judges an error: waits it out, or ends the process.
    pub(super) fn failed(&mut self, error: &KafkaError) -> Result<(), SourceError> {
        let reason = self.consumer.context().take_error();
        match read_error::exit_or(error, &reason, &self.config)? {
            Reaction::CallAgain if self.state.is_outage => {}
            Reaction::Ignore => tracing::debug!(%error, reason, "connection lost"),
            Reaction::CallAgain => {
                self.state.is_outage = true;
                metrics::outage();
                let reason = self.consumer.context().cause().unwrap_or(reason);
                tracing::warn!(brokers = self.consumer.context().brokers(), %error, reason, "no broker can be reached; waiting");
            }
            _ => {
                self.state.drains.doubt();
                tracing::warn!(%error, reason, "librdkafka reported an error and continues");
            }
        }
        Ok(())
    }

    pub(super) fn reachable(&mut self) {
        if self.state.is_outage {
            self.state.is_outage = false;
            self.consumer.context().reachable();
            tracing::info!("brokers can be reached again");
        }
    }

    /// Takes note of what the callbacks heard during the poll.
    fn listen(&mut self) -> Result<(), SourceError> {
        let heard = self.consumer.context().take_heard();
        if heard.is_replaced {
            return Err(read_error::replaced(&self.config));
        }
        for slot in &heard.moved {
            self.state.spans.forget(slot);
            self.state.starts.forget(slot);
            metrics::lag(&slot.0, slot.1, 0); // its owner reports it from now on
        }
        self.state.has_reset |= heard.has_reset;
        self.state.has_assignment = heard.is_assigned.unwrap_or(self.state.has_assignment);
        if let Some(positions) = heard.statistics {
            if positions.is_connected {
                self.reachable();
            }
            self.note_positions(&positions);
            if self.config.tells_ends {
                self.tell_ends(&positions);
            }
            if self.config.tells_drained {
                self.look_for_drained(&positions);
            }
            if let Some(end) = &mut self.state.end {
                end.heard(positions);
            }
        }
        Ok(())
    }

    /// Tells which partitions are read to their ends. Statistics from before a rewind mean nothing.
    fn tell_ends(&self, positions: &Positions) {
        let is_settled = positions.heard_at >= self.state.settled_at + SETTLE;
        let progress = positions.fetched_to.keys().map(|slot| {
            let read_to = self.state.spans.get(slot).map(|span| span.next);
            let progress = PartitionProgress { read_to, is_at_end: is_settled && positions.at_end.contains(slot) };
            ((self.state.topics.get(&slot.0), slot.1), progress)
        });
        self.leases.progressed(progress);
    }

    /// After the end of a generation: drops what was read, and goes back to the committed offsets.
    fn settle(&mut self) -> Result<(), SourceError> {
        if self.state.generation.is_some_and(|generation| self.leases.is_current(generation)) {
            return Ok(());
        }
        let now = Instant::now();
        if self.state.generation.take().is_some() {
            // A full queue needs no waking: its reader will see that the generation is over.
            self.send(Delivery::Ended);
            self.state.rewind_after = now;
        }
        self.state.chunk = Chunk::default();
        self.end_stall();
        if !self.state.has_assignment || now < self.state.rewind_after {
            return Ok(());
        }
        let generation = self.leases.generation();
        match self.begin(generation) {
            Ok(assigned) => {
                self.leases.settled(assigned);
                self.consumer.context().takeover().learn(&self.consumer);
                self.state.generation = Some(generation);
                self.state.settled_at = Instant::now();
                self.state.drains = Drains::default();
                if let Some(end) = &mut self.state.end {
                    end.unsettle(Instant::now());
                }
            }
            Err(error) => {
                self.state.rewind_after = Instant::now() + REWIND_RETRY;
                self.not_begun(&error)?;
            }
        }
        Ok(())
    }

    /// Tells the reader once when the end is reached.
    fn watch_end(&mut self) {
        let now = Instant::now();
        if self.state.generation.is_none() || !self.state.chunk.is_empty() || !self.state.has_assignment {
            return;
        }
        if !self.state.end.as_mut().is_some_and(|end| end.is_due(now)) {
            return;
        }
        let committed = self.consumer.assignment().and_then(|assignment| {
            if assignment.count() == 0 { Ok(BTreeMap::new()) } else { self.committed(assignment) }
        });
        let reached = match (&self.state.end, committed) {
            (Some(end), Ok(committed)) => end.is_reached(&committed, &self.state.spans, now),
            _ => false,
        };
        if reached
            && self.reader.capacity() > 0
            && let Some(generation) = self.state.generation
        {
            self.send(Delivery::End(generation));
            if let Some(end) = &mut self.state.end {
                end.told();
            }
        }
    }
}
