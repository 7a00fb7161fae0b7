//! What librdkafka tells while it is polled: rebalances, statistics, errors. All of it runs on the poll thread.
//!
//! A rebalance ends the generation before partitions move, and stores the new group metadata before they are read. With
//! cooperative rebalancing an assignment of nothing new also means a new generation of the group, so it counts too.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::outage::Outage;
use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::takeover::Takeover;
use crate::lease::Leases;
use crate::listener::OFFSET;
use crate::metrics;
use crate::offsets::Slot;

pub(super) struct Context {
    leases: Arc<Leases>,
    revoke_wait: Duration,
    brokers: String,
    heard: Mutex<Heard>,
    /// Bytes fetched up to the last statistics.
    fetched_bytes: AtomicU64,
    outage: Mutex<Outage>,
    takeover: Takeover,
    /// The partitions that are ours. librdkafka is not asked for them: once a consumer that closes has given them up it may
    /// never answer.
    owned: Mutex<BTreeSet<Slot>>,
}

/// What was heard since the poll thread last asked.
#[derive(Default)]
pub(super) struct Heard {
    /// Partitions that were assigned or taken away: what was read of them before means nothing now.
    pub(super) moved: Vec<Slot>,
    /// Whether an assignment, maybe an empty one, or its end came last.
    pub(super) is_assigned: Option<bool>,
    /// The text of the last error event, which names topics that the error's code does not.
    pub(super) error: Option<String>,
    pub(super) statistics: Option<Positions>,
    /// librdkafka moved a position that the broker refused.
    pub(super) has_reset: bool,
    /// Another process runs under the name of this one.
    pub(super) is_replaced: bool,
}

/// Where fetching stands, from the statistics: the only view that counts transaction markers and aborted records.
pub(super) struct Positions {
    pub(super) heard_at: Instant,
    /// The next offset to fetch, of partitions whose fetched records were all handed to us.
    pub(super) fetched_to: BTreeMap<Slot, i64>,
    /// Those of them that stood at their last stable offset.
    pub(super) at_end: BTreeSet<Slot>,
    pub(super) is_connected: bool,
}

impl Context {
    pub(super) fn new(leases: Arc<Leases>, revoke_wait: Duration, brokers: &str, takeover: Takeover) -> Self {
        Self {
            leases,
            revoke_wait,
            brokers: brokers.to_owned(),
            heard: Mutex::default(),
            fetched_bytes: AtomicU64::new(0),
            outage: Mutex::default(),
            takeover,
            owned: Mutex::default(),
        }
    }

    /// The brokers that were asked to be reached, for messages.
    pub(super) fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The text of the last error event; empty when there was none.
    pub(super) fn take_error(&self) -> String {
        self.heard.lock().error.take().unwrap_or_default()
    }

    /// Why no broker answers, broker by broker.
    pub(super) fn cause(&self) -> Option<String> {
        self.outage.lock().cause()
    }

    /// A broker answered.
    pub(super) fn reachable(&self) {
        self.outage.lock().clear();
    }

    pub(super) fn take_heard(&self) -> Heard {
        mem::take(&mut *self.heard.lock())
    }

    pub(super) fn takeover(&self) -> &Takeover {
        &self.takeover
    }

    fn end_generation(&self, wait: Duration) {
        if !self.leases.end_generation(wait) && !wait.is_zero() {
            let waited_ms = wait.as_millis();
            tracing::warn!(waited_ms, "a rebalance stopped waiting for a publish in progress");
        }
    }

    fn moved(&self, partitions: &TopicPartitionList, is_assigned: bool) {
        let slots = partitions.elements().into_iter().map(|slot| (slot.topic().to_owned(), slot.partition()));
        let slots: Vec<Slot> = slots.collect();
        let mut owned = self.owned.lock();
        for slot in &slots {
            if is_assigned {
                owned.insert(slot.clone());
            } else {
                owned.remove(slot);
            }
        }
        drop(owned);
        let mut heard = self.heard.lock();
        heard.is_assigned = Some(is_assigned);
        heard.moved.extend(slots);
    }
}

/// What librdkafka waits for before it joins the group again.
fn confirm(consumer: &BaseConsumer<Context>, rebalance: &Rebalance<'_>) -> KafkaResult<()> {
    match (rebalance, consumer.rebalance_protocol()) {
        (Rebalance::Assign(partitions), RebalanceProtocol::Cooperative) => consumer.incremental_assign(partitions),
        (Rebalance::Assign(partitions), _) => consumer.assign(partitions),
        (Rebalance::Revoke(partitions), RebalanceProtocol::Cooperative) => consumer.incremental_unassign(partitions),
        _ => consumer.unassign(),
    }
}

impl ConsumerContext for Context {
    /// As rdkafka's own, but for a member that was replaced: it confirms nothing, so that it does not join again.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let rebalance = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Rebalance::Assign(partitions),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => Rebalance::Revoke(partitions),
            _ => Rebalance::Error(KafkaError::Rebalance(code.into())),
        };
        self.pre_rebalance(consumer, &rebalance);
        let is_lost = matches!(rebalance, Rebalance::Revoke(_)) && consumer.assignment_lost();
        if is_lost && self.takeover.is_complete(consumer) {
            self.heard.lock().is_replaced = true;
            return;
        }
        if let Err(error) = confirm(consumer, &rebalance) {
            tracing::warn!(%error, "failed to confirm a rebalance");
        }
        self.post_rebalance(consumer, &rebalance);
    }

    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                self.end_generation(self.revoke_wait);
                self.moved(partitions, true);
                self.takeover.joined();
                // The group cannot move on before the assignment is confirmed: this is the metadata of exactly this one.
                self.leases.renew(consumer.group_metadata());
                metrics::rebalanced("assign");
            }
            Rebalance::Revoke(partitions) => {
                // Lost partitions may already have another owner: there is nothing to wait for.
                // Partitions that are kept are read on when the assignment comes that follows every revocation.
                let lost = consumer.assignment_lost();
                self.leases.renew(None);
                self.end_generation(if lost { Duration::ZERO } else { self.revoke_wait });
                self.moved(partitions, false);
                metrics::rebalanced(if lost { "lost" } else { "revoke" });
            }
            Rebalance::Error(_) => {
                self.end_generation(Duration::ZERO);
                self.owned.lock().clear();
            }
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let owned = self.owned.lock().len();
        let generation = self.leases.generation().number();
        metrics::owns(generation, owned);
        let (kind, changed) = match rebalance {
            Rebalance::Assign(partitions) => ("assign", partitions.count()),
            Rebalance::Revoke(partitions) => ("revoke", partitions.count()),
            Rebalance::Error(_) => ("error", 0),
        };
        tracing::info!(kind, changed, owned, generation, "partitions rebalanced");
    }
}

/// Whether an error event tells of one broker, and not of how many are gone.
fn is_of_one_connection(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(Code::BrokerTransportFailure | Code::Resolve | Code::SSL | Code::OperationTimedOut | Code::Authentication)
    )
}

impl ClientContext for Context {
    /// Every failure also arrives as an event or a result, where it is judged; so only misuse, and a position that
    /// librdkafka changes by itself, is worth a warning here.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if level as u8 <= RDKafkaLogLevel::Warning as u8 && matches!(facility, "CONFWARN" | "MAXPOLL" | OFFSET) {
            self.heard.lock().has_reset |= facility == OFFSET;
            tracing::warn!(target: "librdkafka", facility, message);
        } else {
            tracing::debug!(target: "librdkafka", facility, message);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if is_of_one_connection(&error) {
            self.outage.lock().note(reason);
        }
        self.heard.lock().error = Some(reason.to_owned());
    }

    fn stats(&self, statistics: Statistics) {
        let fetched_bytes = u64::try_from(statistics.rxmsg_bytes).unwrap_or(0);
        let before = self.fetched_bytes.swap(fetched_bytes, Ordering::Relaxed);
        metrics::fetched(fetched_bytes.saturating_sub(before));
        let is_connected = statistics.brokers.values().any(|broker| broker.nodeid >= 0 && broker.state == "UP");
        let (mut fetched_to, mut at_end) = (BTreeMap::new(), BTreeSet::new());
        for (topic, partitions) in &statistics.topics {
            for partition in partitions.partitions.values().filter(|partition| partition.partition >= 0) {
                if partition.fetch_state != "active" {
                    continue;
                }
                // The statistics' own lag counts from offsets that this consumer committed: ours go by transaction.
                let all_handed_over = partition.fetchq_cnt == 0;
                let position = if all_handed_over { partition.next_offset } else { partition.app_offset };
                if position >= 0 && partition.ls_offset >= 0 {
                    metrics::lag(topic, partition.partition, (partition.ls_offset - position).max(0));
                }
                if all_handed_over {
                    let slot = (topic.clone(), partition.partition);
                    if partition.ls_offset >= 0 && partition.next_offset == partition.ls_offset {
                        at_end.insert(slot.clone());
                    }
                    fetched_to.insert(slot, partition.next_offset);
                }
            }
        }
        self.heard.lock().statistics = Some(Positions { heard_at: Instant::now(), fetched_to, at_end, is_connected });
    }
}
