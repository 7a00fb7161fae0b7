//! The beginning of a generation: every partition stands where its reading begins before the first record is handed over.
//!
//! librdkafka begins by itself at the committed offset, else at the first record. Here the same is found out in the open:
//! what the log no longer holds is told, and a start that differs from what is committed is committed. So `latest` means
//! one moment for good, also for a worker that dies before its first batch is done.
//!
//! That commit is the only one outside of the publisher. It names the group's generation, so a member that was replaced
//! is refused. And it is made before anything of the partition was handed over in this ownership, while no transaction
//! of ours can cover it; one of the previous owner is waited for, because committed offsets are asked for as stable ones.

use std::collections::BTreeMap;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use schemas::Generation;

use super::poller::Poller;
use super::starts::{self, Gap, Start};
use crate::lease::{Assigned, PartitionProgress};
use crate::listener::Listener;
use crate::metrics;
use crate::offsets::{self, Log, Slot, list};
use crate::read_error;
use crate::source::SourceError;

/// A partition whose reading begins, or begins again.
struct Beginning {
    slot: Slot,
    committed: Option<i64>,
    log: Log,
    start: Start,
    /// It became ours since the last time.
    is_new: bool,
}

impl Poller {
    /// Puts every partition of the generation where its reading begins.
    pub(super) fn begin(&mut self, generation: Generation) -> KafkaResult<Assigned> {
        let assigned = slots(&self.consumer.assignment()?);
        let is_open = |slot: &&Slot| self.state.starts.get(slot).is_none() || self.state.spans.get(slot).is_some();
        let open: Vec<Slot> = assigned.iter().filter(is_open).cloned().collect();
        let mut ends = BTreeMap::new();
        if !open.is_empty() {
            let beginnings = self.find_starts(&open)?;
            self.go_to(&beginnings)?;
            self.commit_starts(&beginnings)?;
            for Beginning { slot, log, start, .. } in beginnings {
                ends.insert((self.state.topics.get(&slot.0), slot.1), log.end);
                if let Some(gap) = start.gap {
                    self.tell(&slot, gap, start.offset);
                }
                self.state.starts.found(slot, start.offset);
            }
        }
        let partitions = assigned.into_iter().map(|(topic, partition)| (self.state.topics.get(&topic), partition));
        Ok(Assigned {
            generation,
            partitions: partitions.map(|slot| (slot, PartitionProgress::default())).collect(),
            ends,
        })
    }

    /// What keeps a generation from beginning is tried again, unless it ends the process.
    pub(super) fn not_begun(&self, error: &KafkaError) -> Result<(), SourceError> {
        tracing::debug!(%error, "failed to find the start offsets");
        // New partitions are not known to all brokers at once. When a topic is deleted, librdkafka reports it.
        if error.rdkafka_error_code() == Some(Code::UnknownTopicOrPartition) {
            return Ok(());
        }
        read_error::exit_or(error, "", &self.config).map(drop)
    }

    fn find_starts(&self, open: &[Slot]) -> KafkaResult<Vec<Beginning>> {
        let (committed, logs) = (self.committed(list(open))?, self.logs(open)?);
        let mut beginnings = Vec::with_capacity(open.len());
        for slot in open {
            let (is_new, committed) = (self.state.starts.get(slot).is_none(), committed.get(slot).copied().flatten());
            let Some(mut log) = logs.get(slot).copied() else { continue };
            // Without a commit, a rewind goes back to the first record read: `latest` would skip what came since.
            let read_from = self.state.spans.get(slot).filter(|_| !is_new).map(|span| span.first);
            let wanted = committed.or(read_from).or_else(|| self.state.starts.end_at_start(slot));
            let before = self.state.starts.position_before(slot);
            if wanted.max(before) > Some(log.end) {
                // An open transaction may begin before what is committed: the end that counts is the very last one.
                log.end = self.uncommitted()?.fetch_watermarks(&slot.0, slot.1, self.config.request_wait)?.1;
            }
            let start = match before.filter(|before| *before > log.end) {
                Some(from) => Start { offset: log.first, gap: Some(Gap::BeyondEnd { from, end: log.end }) },
                None => starts::find(wanted, log),
            };
            beginnings.push(Beginning { slot: slot.clone(), committed, log, start, is_new });
        }
        Ok(beginnings)
    }

    /// Seeks the partitions that are, or will be, read from another offset.
    fn go_to(&mut self, beginnings: &[Beginning]) -> KafkaResult<()> {
        let (mut seeks, mut is_rewind) = (TopicPartitionList::new(), false);
        for Beginning { slot, committed, log, start, is_new } in beginnings {
            let is_read = self.state.spans.get(slot).is_some();
            let target = match self.state.spans.target(slot, Some(start.offset)) {
                Some(target) => Some(target),
                // librdkafka begins at the committed offset or, without a valid one, at the first record.
                None if !is_read && (committed.is_none() && start.offset != log.first || start.is_beyond_end()) => {
                    Some(start.offset)
                }
                // All of it is committed: reading goes on where it is, with its prefetch.
                None => {
                    if is_read {
                        self.state.spans.rewound(slot, start.offset);
                    }
                    None
                }
            };
            if let Some(target) = target {
                seeks.add_partition_offset(&slot.0, slot.1, Offset::Offset(target))?;
                is_rewind |= !is_new;
            }
        }
        if seeks.count() == 0 {
            return Ok(());
        }
        if is_rewind {
            metrics::rewound();
        }
        let sought = self.consumer.seek_partitions(seeks, self.config.request_wait)?;
        for element in sought.elements() {
            element.error()?;
            if let Offset::Offset(offset) = element.offset() {
                self.state.spans.rewound(&(element.topic().to_owned(), element.partition()), offset);
            }
        }
        Ok(())
    }

    /// Commits the starts that differ from what is committed, of partitions that have just become ours.
    fn commit_starts(&self, beginnings: &[Beginning]) -> KafkaResult<()> {
        if !self.config.commits_starts {
            return Ok(());
        }
        let mut starts = TopicPartitionList::new();
        for Beginning { slot, committed, start, is_new, .. } in beginnings {
            if *committed != Some(start.offset) && (*is_new || start.is_beyond_end()) {
                starts.add_partition_offset(&slot.0, slot.1, Offset::Offset(start.offset))?;
            }
        }
        if starts.count() == 0 { Ok(()) } else { self.consumer.commit(&starts, CommitMode::Sync) }
    }

    /// Tells what is gone, and that reading goes on all the same.
    pub(super) fn tell(&mut self, slot: &Slot, gap: Gap, offset: i64) {
        let (topic, partition) = (slot.0.as_str(), slot.1);
        match gap {
            Gap::Deleted { from, to } => {
                let Some(lost) = self.lose(slot, from, to) else { return };
                tracing::warn!(
                    topic,
                    partition,
                    committed = from,
                    offset,
                    lost,
                    "records were deleted before they were read: retention or DeleteRecords passed the committed \
                     offset; reading continues at the first remaining record"
                );
            }
            Gap::Passed { from, to } => {
                let Some(lost) = self.lose(slot, from, to) else { return };
                tracing::warn!(
                    topic,
                    partition,
                    position = from,
                    offset,
                    lost,
                    "records were deleted before they were read: this worker is slower than the topic's retention, or \
                     DeleteRecords passed it; reading continues at the first remaining record"
                );
            }
            Gap::BeyondEnd { from, end } => {
                self.state.starts.is_another_log(slot);
                metrics::begun_again(topic);
                self.leases.begun_again();
                tracing::warn!(
                    topic,
                    partition,
                    committed = from,
                    end,
                    offset,
                    "the committed offset is beyond the end of the log: the topic was recreated, or truncated by an \
                     unclean leader election; reading restarts at the first record"
                );
            }
        }
    }

    /// Counts deleted offsets; `None` when all of them were told before.
    fn lose(&mut self, slot: &Slot, from: i64, to: i64) -> Option<u64> {
        let lost = self.state.starts.tell(slot, from, to);
        if lost == 0 {
            return None;
        }
        metrics::lost(&slot.0, lost);
        self.leases.lost(lost);
        Some(lost)
    }

    /// The committed offsets of the group. What an open transaction may still change is waited for.
    pub(super) fn committed(&self, asked: TopicPartitionList) -> KafkaResult<BTreeMap<Slot, Option<i64>>> {
        offsets::committed(&*self.consumer, asked, self.config.request_wait)
    }

    /// Where the logs of these partitions begin and end, without what open transactions hide.
    pub(super) fn logs(&self, asked: &[Slot]) -> KafkaResult<BTreeMap<Slot, Log>> {
        offsets::logs(&*self.consumer, asked, self.config.request_wait)
    }

    /// A client that sees what transactions have not settled yet. It joins no group and is needed for a moment, rarely.
    pub(super) fn uncommitted(&self) -> KafkaResult<BaseConsumer<Listener>> {
        let mut client = self.client.clone();
        client.remove("group.instance.id");
        client.set("isolation.level", "read_uncommitted").set("statistics.interval.ms", "0");
        client.create_with_context(Listener::default())
    }
}

impl Start {
    fn is_beyond_end(self) -> bool {
        matches!(self.gap, Some(Gap::BeyondEnd { .. }))
    }
}

pub(super) fn slots(list: &TopicPartitionList) -> Vec<Slot> {
    list.elements().into_iter().map(|element| (element.topic().to_owned(), element.partition())).collect()
}
