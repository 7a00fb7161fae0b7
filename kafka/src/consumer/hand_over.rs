//! From the poll thread to the reader: the records that wait for it, and what happens while it is busy.
//!
//! A busy reader is waited for without polling: what librdkafka has fetched stays in its queue, and it fetches no more
//! before that queue is read. To pause the partitions instead would throw the queue away and fetch it again, once per
//! batch of a slow model. Once a second the consumer is polled all the same, for rebalances and for
//! `max.poll.interval.ms`. Such a poll may bring one record, so the chunk grows beyond its bounds while a reader takes
//! minutes; when it has grown by [`super::chunk::GROWTH_RECORDS_MAX`] or half of what may be fetched ahead, the partitions are paused.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use tokio::sync::mpsc::error::TrySendError;

use super::chunk::Stall;
use super::poller::{Delivery, Poller};
use crate::metrics;

/// Between polls while the reader is busy: a rebalance is held up by at most this, and one record is read in each.
const SERVE_INTERVAL: Duration = Duration::from_secs(1);
/// How long the thread sleeps at a time while the reader is busy; also the longest that a stop or a rewind goes unnoticed.
const PARK: Duration = Duration::from_millis(50);

impl Poller {
    /// Hands the records over when the reader has room. False: do not poll now.
    pub(super) fn hand_over(&mut self) -> bool {
        let Some(generation) = self.state.generation.filter(|_| !self.state.chunk.is_empty()) else { return true };
        if self.reader.capacity() == 0 {
            return !self.state.chunk.is_full(&self.config) || self.stall();
        }
        let chunk = std::mem::take(&mut self.state.chunk);
        metrics::handed_over(chunk.records.len(), chunk.content_bytes);
        self.send(Delivery::Records(generation, chunk.records));
        self.end_stall();
        true
    }

    /// Sends where there is room: this is the only sender, so room that was seen stays.
    pub(super) fn send(&self, delivery: Delivery) {
        if let Err(TrySendError::Closed(_)) = self.reader.try_send(delivery) {
            self.stop.store(true, Ordering::Release);
        }
    }

    /// Waits a moment for the reader. True: poll once.
    fn stall(&mut self) -> bool {
        let now = Instant::now();
        let stall = self.state.stall.get_or_insert(Stall { since: now, served_at: now, paused: None });
        if now.duration_since(stall.served_at) < SERVE_INTERVAL.min(self.config.max_poll_interval / 4) {
            // The reader unparks this thread when it takes what waits.
            thread::park_timeout(PARK);
            return false;
        }
        stall.served_at = now;
        if stall.paused.is_none() && self.state.chunk.is_overgrown(&self.config) {
            let paused = self.consumer.assignment().and_then(|partitions| {
                self.consumer.pause(&partitions)?;
                Ok(partitions)
            });
            match paused {
                Ok(partitions) => stall.paused = Some(partitions),
                Err(error) => tracing::debug!(%error, "failed to pause partitions"),
            }
        }
        true
    }

    /// Resumes what was paused, whoever owns it by now: librdkafka keeps a pause beyond the assignment, and a partition
    /// that came back would never be read again.
    pub(super) fn end_stall(&mut self) {
        let Some(stall) = self.state.stall.take() else { return };
        metrics::paused(stall.since.elapsed());
        if let Some(partitions) = stall.paused
            && let Err(error) = self.consumer.resume(&partitions)
        {
            tracing::warn!(%error, "failed to resume partitions");
        }
    }
}
