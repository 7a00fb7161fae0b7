//! Dead letters back to the topics they came from, exactly once.
//!
//! It is a pipeline of its own: a consumer group, a transaction per batch, offsets in the same transaction. What it has
//! passed it does not see again: records of other reasons and records that are no dead letters are passed over, too. It
//! works up to the end that the dead-letter topic has when it starts, so what fails again is left for the next time.
//!
//! One record never stops it: a dead letter whose record is no longer where it was, or is refused by the topic that it
//! goes to, is told and passed over.

mod batch;
mod letter;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use kafka::consumer::KafkaSource;
use kafka::error::TransactError;
use kafka::identity::Identity;
use kafka::lease::Losses;
use kafka::originals::Originals;
use kafka::settings::UntilEnd;
use kafka::source::{Source, SourceEvent};
use kafka::transactor::{Published, Transactor};
use schemas::{Generation, Recovery};
use tokio_util::sync::CancellationToken;

use crate::error::WorkerError;
use crate::settings::Config;
use batch::Open;

pub use batch::Route;
pub use tally::{ReplayTally, write_report};

/// The largest record that goes back. What its topic takes is for the topic to say.
const RECORD_BYTES_MAX: usize = 128 << 20;
/// Reading one record again at its origin.
const ORIGINAL_WITHIN: Duration = Duration::from_secs(30);
/// The replica's name in the transactional id: two replays of one group at once would fence each other.
const INSTANCE: &str = "replay";

/// Reads the dead-letter topic as a member of a group of its own, and sends back what it finds.
pub struct Replay {
    source: KafkaSource,
    originals: Originals,
    /// `None` in a dry run.
    publisher: Option<Transactor>,
    rewinds_max: u32,
}

impl Replay {
    /// Joins the group and, unless nothing is to be changed, connects the publisher. `group` replaces the default name.
    ///
    /// # Errors
    /// When the dead-letter topic or a topic to write is missing, or the broker refuses.
    pub fn connect(config: &Config, group: Option<String>, dry_run: bool) -> Result<Self, WorkerError> {
        let topic = config.sink().dead_letter_topic().to_owned();
        let group = group.unwrap_or_else(|| format!("labelstream-replay-{topic}"));
        let until = if dry_run { UntilEnd::Delivered } else { UntilEnd::Committed };
        let source = config.source().clone().reading(vec![topic], group.clone()).until_end(until);
        let source = KafkaSource::start(config.connection(), source)?;
        let publisher = if dry_run {
            None
        } else {
            let identity = Identity { group, instance: INSTANCE.to_owned(), ..config.identity() };
            let transactor = config.sink().transactor().clone();
            let transactor = transactor.exactly_once().with_message_bytes_max(RECORD_BYTES_MAX);
            Some(Transactor::connect(transactor, identity, source.leases().lease_fn(), &[])?)
        };
        let originals = Originals::new(config.connection(), ORIGINAL_WITHIN)?;
        Ok(Self { source, originals, publisher, rewinds_max: config.supervision().rewinds_max })
    }

    /// What could not be read.
    pub fn losses(&self) -> Losses {
        self.source.leases().losses()
    }

    /// Replays up to the present end of the dead-letter topic, or until `stop`.
    ///
    /// # Errors
    /// When something happened that a rewind cannot fix.
    pub fn run(&mut self, route: &Route, stop: &CancellationToken) -> Result<ReplayTally, WorkerError> {
        let reactor =
            tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(WorkerError::Reactor)?;
        let (mut done, mut open, mut rewinds) = (ReplayTally::default(), Open::new(Generation::default()), 0);
        loop {
            let event = reactor.block_on(async {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => None,
                    event = self.source.next() => Some(event),
                }
            });
            let is_idle = match event.transpose()? {
                // Stopped: what is open was not published.
                None => return Ok(done),
                Some(SourceEvent::End) => {
                    done.add(open.tally);
                    return Ok(done);
                }
                Some(SourceEvent::Record(record, generation)) => {
                    open.sort(record, generation, route, &|origin| self.originals.read(origin))?;
                    false
                }
                Some(SourceEvent::Tick | SourceEvent::Drained { .. }) => true,
                Some(SourceEvent::Lost) => {
                    open = Open::new(open.ticket.generation());
                    if self.publisher.is_none() {
                        done = ReplayTally::default(); // nothing is committed: all of it is read again
                    }
                    continue;
                }
            };
            let is_due = open.is_full() || (is_idle && open.covers_any());
            if !is_due {
                continue;
            }
            let batch = std::mem::replace(&mut open, Open::new(Generation::default()));
            match self.publish(batch) {
                Ok(tally) => {
                    rewinds = 0;
                    done.add(tally);
                }
                Err(error) if error.recovery() == Recovery::Rewind && rewinds < self.rewinds_max => {
                    rewinds += 1;
                    tracing::warn!(%error, rewinds, "replay failed, restarting from committed offsets");
                    self.source.rewind()?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What is replayed for good; nothing when the records will be read again.
    fn publish(&mut self, open: Open) -> Result<ReplayTally, TransactError> {
        let mut tally = open.tally;
        let Some(publisher) = &mut self.publisher else { return Ok(tally) };
        let (published, refused) = publisher.forward_the_accepted(open.records, &open.ticket)?;
        if published == Published::Stale {
            return Ok(ReplayTally::default());
        }
        for refused in refused {
            let (reason, origin) = &open.letters[refused.place];
            if let Some(count) = tally.replayed.get_mut(&(Arc::clone(&refused.topic), *reason)) {
                *count -= 1;
            }
            tally.left.push(format!("{origin}: topic {} refuses it: {}", refused.topic, refused.rule));
        }
        Ok(tally)
    }
}
