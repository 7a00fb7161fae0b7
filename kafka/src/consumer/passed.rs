//! Retention that passes the position while a partition is read: a slow worker is overtaken.
//!
//! A fetch below the log's start is refused, and librdkafka goes on at the first record that is left; of that it logs a
//! warning, before the next record comes. Then the poll thread asks where the logs begin, and tells what is gone as soon as
//! reading has come there: records that were fetched in time may still be on their way.

use rdkafka::consumer::Consumer;

use super::begin::slots;
use super::context::Positions;
use super::poller::Poller;
use crate::offsets::{Log, Slot};

impl Poller {
    /// Finds the partitions whose log begins after what was read of them. What fails is asked again.
    pub(super) fn look_for_passed(&mut self) {
        if !self.state.has_reset || self.state.generation.is_none() {
            return;
        }
        let logs = self.consumer.assignment().and_then(|assigned| match slots(&assigned) {
            assigned if assigned.is_empty() => Ok(Default::default()),
            assigned => self.logs(&assigned),
        });
        let logs = match logs {
            Ok(logs) => logs,
            Err(error) => return tracing::debug!(%error, "failed to read the start offsets of partitions"),
        };
        self.state.has_reset = false;
        for (slot, Log { first, .. }) in logs {
            if self.position(&slot).is_some_and(|position| position < first) {
                self.state.starts.log_begins(slot, first);
            }
        }
    }

    /// A record that does not follow what was read of its partition, up to `position`, since it was assigned or sought.
    pub(super) fn jumped(&mut self, topic: &str, partition: i32, position: Option<i64>, offset: i64) {
        let slot = (topic.to_owned(), partition);
        let Some(position) = position.or_else(|| self.state.starts.get(&slot)) else { return };
        let is_current = self.state.generation.is_some_and(|generation| self.leases.is_current(generation));
        if offset < position && is_current {
            // No seek of ours: librdkafka went back to the first record. Either the log ends before the position, or a
            // refusal of the offset before a seek of ours took effect after it. Nothing of this may be handed over.
            self.state.starts.went_back(slot, position);
            self.leases.end_generation(self.config.revoke_wait);
        } else if let Some(gap) = self.state.starts.jumped(&slot, position, offset) {
            self.tell(&slot, gap, offset);
        }
    }

    /// Takes note of partitions that are read to the end although no record came: all that was left of them is gone.
    pub(super) fn note_positions(&mut self, positions: &Positions) {
        if !self.state.starts.awaits_any() {
            return;
        }
        for (slot, offset) in &positions.fetched_to {
            if let Some(position) = self.position(slot)
                && let Some(gap) = self.state.starts.jumped(slot, position, *offset)
            {
                self.tell(slot, gap, *offset);
            }
        }
    }

    /// The next offset to be read; `None` before the start is found.
    pub(super) fn position(&self, slot: &Slot) -> Option<i64> {
        self.state.spans.get(slot).map(|span| span.next).or_else(|| self.state.starts.get(slot))
    }
}
