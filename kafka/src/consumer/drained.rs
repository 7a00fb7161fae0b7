//! Partitions that are drained although their end lies behind the last record that was read.
//!
//! Transaction markers and aborted records take offsets that no reader sees. A group that commits only behind records
//! would keep a lag of these offsets for ever, and whoever scales by that lag would never come down to zero. So the reader
//! is told of such an end, behind all records of the partition; it is committed the same way as they are.
//! librdkafka's statistics say where fetching stands; [`super::drains::Drains`] decides.

use std::collections::BTreeMap;

use super::context::Positions;
use super::end::SETTLE;
use super::poller::{Delivery, Poller};
use crate::metrics;
use crate::offsets::Slot;

impl Poller {
    /// Takes note of partitions that are read to their ends. Statistics from before a rewind mean nothing, and what was
    /// deleted unread has to be told first.
    pub(super) fn look_for_drained(&mut self, positions: &Positions) {
        let mut drains = std::mem::take(&mut self.state.drains);
        let is_known = positions.heard_at >= self.state.settled_at + SETTLE;
        let ends = if is_known && !self.state.has_reset && !self.state.starts.awaits_any() {
            let end = |slot: &Slot| positions.fetched_to.get(slot).map(|end| (slot.clone(), *end));
            positions.at_end.iter().filter_map(end).collect()
        } else {
            BTreeMap::new()
        };
        drains.heard(ends, |slot| self.position(slot));
        self.state.drains = drains;
    }

    /// Tells the reader of drained partitions once it has taken all records that came before.
    pub(super) fn tell_drained(&mut self) {
        let current = self.state.generation.filter(|generation| self.leases.is_current(*generation));
        let Some(generation) = current.filter(|_| self.state.drains.is_any_due()) else { return };
        if !self.state.chunk.is_empty() || self.reader.capacity() == 0 {
            return;
        }
        let mut drains = std::mem::take(&mut self.state.drains);
        let ends = drains.take(|slot| self.position(slot));
        self.state.drains = drains;
        if ends.is_empty() {
            return;
        }
        for ((topic, partition), end) in &ends {
            metrics::drained();
            tracing::debug!(topic, partition, end, "partition drained: its end is behind its last record");
        }
        let named = |((topic, partition), end): (Slot, i64)| ((self.state.topics.get(&topic), partition), end);
        self.send(Delivery::Drained(generation, ends.into_iter().map(named).collect()));
    }
}
