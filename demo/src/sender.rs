//! The demo's customers: a thread that sends records at the pace it is told, as an application of the user's would.
//!
//! Every record carries its number in a header. The books hear of a record before it is sent, so that its answer cannot
//! overtake it, and hear again if Kafka did not take it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use kafka::connection::Connection;
use kafka::error::ClientError;
use kafka::writer::{Writer, Written};
use tokio_util::sync::CancellationToken;

use crate::error::DemoError;
use crate::event::Event;
use crate::messages::Mix;
use crate::record::Records;

/// The header that holds a record's number.
pub(crate) const NUMBER_HEADER: &str = "demo-number";
/// The longest wait, so that a new pace or a stop takes effect soon.
const NAP: Duration = Duration::from_millis(20);
/// Records that the broker has not taken by then are given up.
const DELIVERED_WITHIN: Duration = Duration::from_secs(20);

/// The rate of sending, shared with the loop that adapts it.
#[derive(Clone, Debug)]
pub(crate) struct SharedPace {
    /// Records per second, as the bits of a float.
    bits: Arc<AtomicU64>,
}

impl SharedPace {
    pub(crate) fn new(records_per_second: f64) -> Self {
        Self { bits: Arc::new(AtomicU64::new(records_per_second.to_bits())) }
    }

    pub(crate) fn set(&self, records_per_second: f64) {
        self.bits.store(records_per_second.to_bits(), Ordering::Relaxed);
    }

    fn gap(&self) -> Duration {
        Duration::from_secs_f64(1.0 / f64::from_bits(self.bits.load(Ordering::Relaxed)))
    }
}

/// What to send, and until when.
pub(crate) struct Sender {
    pub(crate) connection: Connection,
    pub(crate) topic: String,
    pub(crate) records: Records,
    /// Send no more than this.
    pub(crate) records_max: Option<u64>,
    pub(crate) pace: SharedPace,
    pub(crate) events: SyncSender<Event>,
    /// Cancelled when the first record is answered: the others wait for it.
    pub(crate) flowing: CancellationToken,
    /// Cancelled when customers start to write of other things.
    pub(crate) changed: CancellationToken,
    /// Cancelled when nothing more shall be sent.
    pub(crate) stop: CancellationToken,
}

impl Sender {
    /// Sends on a thread of its own; the last event is [`Event::AllSent`] or [`Event::Failed`].
    ///
    /// # Errors
    /// When the client cannot be made.
    pub(crate) fn start(self) -> Result<thread::JoinHandle<()>, DemoError> {
        let events = self.events.clone();
        let not_taken = move |number| {
            events.send(Event::NotSent { number }).ok(); // the demo is over
        };
        let writer = Writer::connect(&self.connection, not_taken).map_err(DemoError::Client)?;
        thread::Builder::new()
            .name("demo-sender".to_owned())
            .spawn(move || self.run(&writer))
            .map_err(DemoError::Thread)
    }

    fn run(mut self, writer: &Writer) {
        let outcome = self.send_all(writer);
        let delivered = writer.flush(DELIVERED_WITHIN);
        let last = match outcome.and(delivered) {
            Ok(()) => Event::AllSent,
            Err(error) => Event::Failed(DemoError::Send(error)),
        };
        // Nobody listens any more only when the demo is already over.
        self.events.send(last).ok();
    }

    fn send_all(&mut self, writer: &Writer) -> Result<(), ClientError> {
        let mut due = Instant::now();
        for number in 0..self.records_max.unwrap_or(u64::MAX) {
            while let Some(wait) = due.checked_duration_since(Instant::now()) {
                if self.stop.is_cancelled() {
                    return Ok(());
                }
                thread::sleep(wait.min(NAP));
            }
            if self.stop.is_cancelled() {
                return Ok(());
            }
            self.send(writer, number)?;
            if number == 0 {
                self.await_first_answer();
            }
            // After a longer pause the missed records are skipped: the demo shows a stream, not bursts.
            due = (due + self.pace.gap()).max(Instant::now() - NAP);
        }
        Ok(())
    }

    /// The first record meets empty caches and a transaction that must be set up: the stream starts behind it, or the
    /// first second would tell of nothing else.
    fn await_first_answer(&self) {
        let deadline = Instant::now() + DELIVERED_WITHIN;
        while !self.flowing.is_cancelled() && !self.stop.is_cancelled() && Instant::now() < deadline {
            thread::sleep(NAP);
        }
    }

    fn send(&mut self, writer: &Writer, number: u64) -> Result<(), ClientError> {
        let mix = if self.changed.is_cancelled() { Mix::Changed } else { Mix::Usual };
        let record = self.records.draw(mix);
        let event = Event::Sent { number, expected: record.expected, at: Instant::now() };
        if self.events.send(event).is_err() {
            self.stop.cancel(); // the demo is over
            return Ok(());
        }
        let digits = number.to_string();
        let written = Written {
            topic: &self.topic,
            key: record.key.as_ref(),
            payload: record.payload.as_deref().map(AsRef::as_ref),
            header: (NUMBER_HEADER, digits.as_bytes()),
            number,
        };
        writer.send(written).inspect_err(|_| {
            self.events.send(Event::NotSent { number }).ok(); // see above
        })
    }
}
