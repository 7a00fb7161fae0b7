//! Records from Kafka: a consumer on its own thread, behind [`Source`].
//!
//! The thread polls for as long as the source lives and hands records over through a queue of one chunk. While the queue
//! is full, fetched records stay where librdkafka keeps them. Records carry the generation that they were read under: a rebalance or a rewind begins a new
//! one, voids what was read and not published, and reading goes on at the committed offsets. [`Leases`] lets a publisher
//! publish under exactly the generation of its batch.
//!
//! Offsets travel with the labels, through the publisher. Only where reading of a partition begins is committed here,
//! before the first record is handed over.

mod begin;
mod chunk;
mod context;
mod drained;
mod drains;
mod end;
mod hand_over;
mod passed;
mod poller;
mod spans;
mod start;
mod starts;
mod takeover;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::consumer::BaseConsumer;
use schemas::{Generation, RawEvent};
use tokio::sync::mpsc;

use crate::connection::Connection;
use crate::lease::Leases;
use crate::read_error;
use crate::settings::SourceConfig;
use crate::source::{Source, SourceError, SourceEvent};
use context::Context;
use poller::{Delivery, Poller, State};
use takeover::Takeover;

/// How long [`KafkaSource`] waits for a record before it says that nothing came.
const TICK: Duration = Duration::from_millis(250);
/// Between looks at a closing poll thread.
const CLOSE_LOOK: Duration = Duration::from_millis(5);

/// A member of a consumer group. Dropping it leaves the group (a named instance keeps its place until the session
/// time-out) and takes at most `source.close_wait_ms`.
pub struct KafkaSource {
    deliveries: mpsc::Receiver<Delivery>,
    buffer: VecDeque<RawEvent>,
    /// Ends of drained partitions, behind what is buffered.
    drained: Vec<((Arc<str>, i32), i64)>,
    /// The generation of the buffer, and of what was handed out.
    generation: Generation,
    has_handed_out: bool,
    has_ended: bool,
    leases: Arc<Leases>,
    /// Why the thread ended.
    failure: Arc<Mutex<Option<SourceError>>>,
    stop: Arc<AtomicBool>,
    /// Turns of the poll thread, and how many there were at the last tick.
    turns: Arc<AtomicU64>,
    turns_seen: u64,
    thread: Option<JoinHandle<()>>,
    close_wait: Duration,
}

impl KafkaSource {
    /// Starts reading. Brokers that cannot be reached are waited for; what else is wrong comes out of
    /// [`Source::next`].
    ///
    /// # Errors
    /// When librdkafka refuses the options: `[kafka.properties]` that do not go together, unreadable certificates.
    pub fn start(connection: &Connection, config: SourceConfig) -> Result<Self, SourceError> {
        let leases = Leases::new();
        let (stop, failure) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
        let takeover = Takeover::new(&config, Arc::clone(&stop));
        let context = Context::new(Arc::clone(&leases), config.revoke_wait, connection.brokers(), takeover);
        let client = config.client(connection);
        let consumer: BaseConsumer<Context> = client
            .create_with_context(context)
            .map_err(|error| read_error::exit(format!("from {}", connection.brokers()), error.to_string()))?;
        let consumer = Arc::new(consumer);
        leases.attach(&consumer);
        let (reader, deliveries) = mpsc::channel(1);
        let turns = Arc::new(AtomicU64::new(0));
        let close_wait = config.close_wait;
        let poller = Poller {
            consumer,
            client,
            state: State::new(&config),
            config,
            leases: Arc::clone(&leases),
            reader,
            stop: Arc::clone(&stop),
            turns: Arc::clone(&turns),
        };
        let cause = Arc::clone(&failure);
        let run = move || {
            let Poller { consumer, reader, .. } = &poller;
            let (consumer, reader) = (Arc::clone(consumer), reader.clone());
            *cause.lock() = poller.run().err();
            // The reader hears of the end before the consumer closes, which may take a while.
            drop(reader);
            drop(consumer);
        };
        let thread = thread::Builder::new()
            .name("kafka-poll".to_owned())
            .spawn(run)
            .map_err(|error| read_error::exit("from Kafka".to_owned(), format!("start the poll thread: {error}")))?;
        Ok(Self {
            deliveries,
            buffer: VecDeque::new(),
            drained: Vec::new(),
            generation: Generation::default(),
            has_handed_out: false,
            has_ended: false,
            leases,
            failure,
            stop,
            turns,
            turns_seen: 0,
            thread: Some(thread),
            close_wait,
        })
    }

    /// The generation of what was handed out last, the end included.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// What a publisher asks for the right to publish a batch.
    pub fn leases(&self) -> Arc<Leases> {
        Arc::clone(&self.leases)
    }

    /// Drops what is buffered of an ended generation. True: the reader holds records of it.
    fn has_lost(&mut self) -> bool {
        if self.leases.is_current(self.generation) {
            return false;
        }
        self.generation = self.leases.generation();
        self.buffer.clear();
        self.drained.clear();
        self.has_ended = false;
        std::mem::take(&mut self.has_handed_out)
    }

    /// Whether the poll thread has gone round since the last tick. One that has not is busy with the broker, or hangs:
    /// then nothing arrived, and the watchdog sees that the reader waits.
    fn has_turned(&mut self) -> bool {
        let turns = self.turns.load(Ordering::Relaxed);
        std::mem::replace(&mut self.turns_seen, turns) != turns
    }

    fn accept(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Records(generation, records) if generation == self.generation => self.buffer = records.into(),
            Delivery::Drained(generation, ends) if generation == self.generation => self.drained = ends,
            Delivery::End(generation) => self.has_ended = generation == self.generation,
            Delivery::Records(..) | Delivery::Drained(..) | Delivery::Ended => {}
        }
        if let Some(thread) = &self.thread {
            thread.thread().unpark(); // it may wait for the room that is now there
        }
    }
}

impl Source for KafkaSource {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        loop {
            if self.has_lost() {
                return Ok(SourceEvent::Lost);
            }
            if let Some(record) = self.buffer.pop_front() {
                self.has_handed_out = true;
                return Ok(SourceEvent::Record(record, self.generation));
            }
            if let Some((partition, end)) = self.drained.pop() {
                return Ok(SourceEvent::Drained { partition, end, generation: self.generation });
            }
            if std::mem::take(&mut self.has_ended) {
                return Ok(SourceEvent::End);
            }
            match tokio::time::timeout(TICK, self.deliveries.recv()).await {
                Err(_) if self.has_turned() => return Ok(SourceEvent::Tick),
                Err(_) => {}
                Ok(None) => return Err(self.failure.lock().take().unwrap_or(SourceError::PollThreadGone)),
                Ok(Some(delivery)) => {
                    // A generation may have begun while we waited: its records must find the buffer ready.
                    let lost = self.has_lost();
                    self.accept(delivery);
                    if lost {
                        return Ok(SourceEvent::Lost);
                    }
                }
            }
        }
    }

    /// Returns at once: the poll thread goes back, and waits for the broker if it must, before the next record.
    fn rewind(&mut self) -> Result<(), SourceError> {
        if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(self.failure.lock().take().unwrap_or(SourceError::PollThreadGone));
        }
        self.leases.end_generation(Duration::ZERO);
        self.generation = self.leases.generation();
        self.buffer.clear();
        self.drained.clear();
        (self.has_handed_out, self.has_ended) = (false, false);
        Ok(())
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.deliveries.close();
        let Some(thread) = self.thread.take() else { return };
        thread.thread().unpark();
        let deadline = Instant::now() + self.close_wait;
        while !thread.is_finished() && Instant::now() < deadline {
            thread::sleep(CLOSE_LOOK);
        }
        if !thread.is_finished() {
            let waited_ms = self.close_wait.as_millis();
            tracing::warn!(waited_ms, "the consumer did not close in time; its session will time out");
        } else if thread.join().is_err() {
            tracing::error!("the poll thread panicked");
        }
    }
}
