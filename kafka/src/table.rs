//! A compacted topic as a table in memory: the newest value of every key, kept up to date by a thread of its own.
//!
//! The consumer has partitions and no group: every process reads the whole topic from its beginning, as `read_committed`.
//! [`KafkaTable::catch_up`] waits for everything up to the high watermark of that moment. The last stable offset would
//! not do: a transaction that is committed, but whose marker is not written yet, is behind it. So records of open
//! transactions are waited for until they are settled, one way or the other.
//!
//! It holds bytes and does not know what they mean.

mod reader;
mod shared;

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use schemas::Recovery;

use crate::connection::Connection;
use crate::listener::Listener;
use crate::read_error;
use crate::settings::SourceConfig;
use crate::source::SourceError;
use reader::TableReader;
use shared::Shared;

pub use shared::Bytes;

/// How long a wait for the thread goes without looking whether it failed or the deadline is over.
const LOOK: Duration = Duration::from_millis(50);
/// Between looks at a closing thread.
const CLOSE_LOOK: Duration = Duration::from_millis(5);
/// A key whose value changed, with the newest one; `None` when it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: Bytes,
    pub value: Option<Bytes>,
}

/// A compacted topic in memory. Dropping it ends its thread within `source.close_wait_ms`.
pub struct KafkaTable {
    shared: Arc<Shared>,
    /// Asks for high watermarks: it alone reads uncommitted, and no record at all.
    watcher: BaseConsumer<Listener>,
    config: SourceConfig,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl KafkaTable {
    /// Starts to read `topic` as `source` reads its own. Brokers that cannot be reached are waited for.
    ///
    /// A table of more than `bytes_max` bytes, keys and overhead included, is an error: what is due to be removed was not.
    ///
    /// # Errors
    /// When librdkafka refuses the options. What else is wrong comes out of [`Self::catch_up`] and [`Self::check`].
    pub fn open(
        connection: &Connection,
        source: &SourceConfig,
        topic: &str,
        bytes_max: usize,
    ) -> Result<Self, SourceError> {
        let config = source.clone().reading(vec![topic.to_owned()], source.group());
        let refused = |error: KafkaError| {
            read_error::exit(format!("topic {topic} on {}", connection.brokers()), error.to_string())
        };
        let mut client = config.client(connection);
        // It only asks where partitions end; with its own statistics it would fill the log.
        let mut watching = client.clone();
        watching.set("isolation.level", "read_uncommitted").set("statistics.interval.ms", "0");
        let watcher = watching.create_with_context(Listener::default()).map_err(refused)?;
        // The end of a partition wakes the thread at once, and positions past what compaction took away come with the
        // statistics.
        client.set("enable.partition.eof", "true").set("statistics.interval.ms", "500");
        client.set("auto.offset.reset", "earliest");
        let consumer = client.create_with_context(Listener::default()).map_err(refused)?;
        let (shared, stop) = (Arc::new(Shared::default()), Arc::new(AtomicBool::new(false)));
        let reader = TableReader::new(consumer, config.clone(), Arc::clone(&shared), bytes_max, Arc::clone(&stop));
        let failed = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("kafka-table".to_owned())
            .spawn(move || {
                if let Err(error) = reader.run() {
                    failed.state.lock().failure = Some(error);
                }
            })
            .map_err(|error| read_error::exit(format!("topic {topic}"), format!("start its thread: {error}")))?;
        Ok(Self { shared, watcher, config, stop, thread: Some(thread) })
    }

    /// Waits until everything is applied that the topic holds at this moment, settled by commit or abort.
    ///
    /// `give_up` is asked now and then. False: it said so before the end was reached.
    ///
    /// # Errors
    /// When that takes longer than `wait` (worth a rewind: a dead process's transaction is settled by its time-out), or
    /// the thread ended.
    pub fn catch_up(&self, wait: Duration, give_up: impl Fn() -> bool) -> Result<bool, SourceError> {
        let deadline = Instant::now() + wait;
        let mut targets: Option<BTreeMap<i32, i64>> = None;
        loop {
            self.check()?;
            if give_up() {
                return Ok(false);
            }
            if targets.is_none() {
                targets = self.high_watermarks(deadline);
            }
            let mut state = self.shared.state.lock();
            let behind = match (&targets, &state.positions) {
                (Some(targets), Some(positions)) => behind(targets, positions),
                _ => Some("no answer from the brokers".to_owned()),
            };
            let Some(behind) = behind else { return Ok(true) };
            if Instant::now() >= deadline {
                let what = format!("topic {}", self.topic());
                let reason = format!("not caught up within {} ms: {behind}", wait.as_millis());
                return Err(SourceError::Broker { what, reason, recovery: Recovery::Rewind });
            }
            self.shared.moved.wait_for(&mut state, LOOK);
        }
    }

    /// Whether the thread still follows the topic.
    ///
    /// # Errors
    /// Why it ended, once; then that it is gone.
    pub fn check(&self) -> Result<(), SourceError> {
        if let Some(error) = self.shared.state.lock().failure.take() {
            return Err(error);
        }
        match &self.thread {
            Some(thread) if !thread.is_finished() => Ok(()),
            _ => Err(SourceError::PollThreadGone),
        }
    }

    /// Takes what changed since the last call: every key once, with its newest value, in the order of the keys.
    pub fn take_changes(&self) -> Vec<Change> {
        let mut state = self.shared.state.lock();
        let changed = mem::take(&mut state.changed);
        changed.into_iter().map(|key| Change { value: state.entries.get(&key).cloned(), key }).collect()
    }

    /// The newest value of a key.
    pub fn get(&self, key: &[u8]) -> Option<Bytes> {
        self.shared.state.lock().entries.get(key).cloned()
    }

    /// Every key that has a value, with it, in the order of the keys.
    pub fn entries(&self) -> Vec<(Bytes, Bytes)> {
        let state = self.shared.state.lock();
        state.entries.iter().map(|(key, value)| (Arc::clone(key), Arc::clone(value))).collect()
    }

    /// Bytes that keys and values take in memory, overhead included.
    pub fn bytes(&self) -> usize {
        self.shared.state.lock().bytes
    }

    /// Records read since the start: what a restart costs.
    pub fn records(&self) -> u64 {
        self.shared.state.lock().records
    }

    fn topic(&self) -> &str {
        self.config.topics().first().map_or("", String::as_str)
    }

    /// The high watermark of every partition; `None` while the partitions are not known or no broker answers.
    fn high_watermarks(&self, deadline: Instant) -> Option<BTreeMap<i32, i64>> {
        let partitions: Vec<_> = self.shared.state.lock().positions.as_ref()?.keys().copied().collect();
        let mut targets = BTreeMap::new();
        // Nothing is assigned to it: this only takes away what it has to tell of its connections.
        while self.watcher.poll(Duration::ZERO).is_some() {}
        for partition in partitions {
            let wait = self.config.request_wait.min(deadline.saturating_duration_since(Instant::now()));
            match self.watcher.fetch_watermarks(self.topic(), partition, wait.max(LOOK)) {
                // Nothing is left to read in an emptied partition, wherever its end is.
                Ok((low, high)) => targets.insert(partition, if low == high { 0 } else { high }),
                Err(error) => {
                    tracing::debug!(%error, partition, "failed to read a high watermark");
                    return None;
                }
            };
        }
        Some(targets)
    }
}

/// The first partition that is not where it should be, in words.
fn behind(targets: &BTreeMap<i32, i64>, positions: &BTreeMap<i32, i64>) -> Option<String> {
    targets.iter().find_map(|(partition, target)| {
        let position = positions.get(partition).copied().unwrap_or(0);
        (position < *target).then(|| format!("partition {partition} is read to {position} of {target}"))
    })
}

impl Drop for KafkaTable {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        let deadline = Instant::now() + self.config.close_wait;
        while !thread.is_finished() && Instant::now() < deadline {
            thread::sleep(CLOSE_LOOK);
        }
        if thread.is_finished() && thread.join().is_err() {
            tracing::error!("the thread that reads a table panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_names_the_partition() {
        let at = |offset| BTreeMap::from([(0, 5), (1, offset)]);
        assert_eq!(behind(&at(7), &at(7)), None);
        assert_eq!(behind(&at(7), &at(9)), None);
        assert_eq!(behind(&at(7), &at(6)).as_deref(), Some("partition 1 is read to 6 of 7"));
        assert_eq!(behind(&at(0), &BTreeMap::new()).as_deref(), Some("partition 0 is read to 0 of 5"));
    }
}
