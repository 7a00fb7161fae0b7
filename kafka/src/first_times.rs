//! The times of first records, read by assignment. The first record of a partition stands for all that follow: they came in
//! this order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::offsets::Slot;

/// One poll while records are fetched.
const POLL_WAIT: Duration = Duration::from_millis(50);

/// The times of the first records at or behind these offsets, in milliseconds since 1970 UTC, of the partitions that answer
/// within `wait`. `None` where the record has no time, or only transaction markers and aborted records lie there.
///
/// The consumer must ask for an event at the end of a partition; afterwards it has nothing assigned.
pub(crate) fn first_times<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    starts: &[(Slot, i64)],
    wait: Duration,
) -> KafkaResult<BTreeMap<Slot, Option<i64>>> {
    let mut assigned = TopicPartitionList::with_capacity(starts.len());
    for ((topic, partition), start) in starts {
        assigned.add_partition_offset(topic, *partition, Offset::Offset(*start))?;
    }
    consumer.assign(&assigned)?;
    let topics: BTreeSet<&str> = starts.iter().map(|((topic, _), _)| topic.as_str()).collect();
    let mut open: BTreeSet<Slot> = starts.iter().map(|(slot, _)| slot.clone()).collect();
    let mut times = BTreeMap::new();
    let deadline = Instant::now() + wait;
    while !open.is_empty() && Instant::now() < deadline {
        let (slot, time) = match consumer.poll(POLL_WAIT) {
            Some(Ok(message)) => {
                let time = message.timestamp().to_millis().filter(|time| *time > 0);
                ((message.topic().to_owned(), message.partition()), time)
            }
            // The event names no topic: with several, nothing is known of the partition, and it is not waited for.
            Some(Err(KafkaError::PartitionEOF(partition))) => match topics.first() {
                Some(topic) if topics.len() == 1 => (((*topic).to_owned(), partition), None),
                _ => {
                    open.retain(|(_, own)| *own != partition);
                    continue;
                }
            },
            _ => continue,
        };
        if open.remove(&slot) {
            times.insert(slot, time);
        }
    }
    consumer.assign(&TopicPartitionList::new())?;
    Ok(times)
}
