//! What brokers say of partitions: where their logs begin and end, and what a group has committed. Any consumer may ask.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// A topic and its partition.
pub(crate) type Slot = (String, i32);

/// What a partition's log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    /// The first offset that can be read: everything before it was deleted.
    pub(crate) first: i64,
    /// The offset after the last record.
    pub(crate) end: i64,
}

pub(crate) fn list(slots: &[Slot]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(slots.len());
    for (topic, partition) in slots {
        list.add_partition(topic, *partition);
    }
    list
}

/// The committed offsets of the consumer's group. What an open transaction may still change is waited for, by a consumer
/// that reads what is committed.
pub(crate) fn committed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    asked: TopicPartitionList,
    wait: Duration,
) -> KafkaResult<BTreeMap<Slot, Option<i64>>> {
    let mut committed = BTreeMap::new();
    for element in consumer.committed_offsets(asked, wait)?.elements() {
        element.error()?;
        let offset = if let Offset::Offset(offset) = element.offset() { Some(offset) } else { None };
        committed.insert((element.topic().to_owned(), element.partition()), offset);
    }
    Ok(committed)
}

/// Where the logs of these partitions begin and end, without what open transactions hide: two questions to each leader.
pub(crate) fn logs<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    asked: &[Slot],
    wait: Duration,
) -> KafkaResult<BTreeMap<Slot, Log>> {
    let (firsts, ends) = (at(consumer, asked, Offset::Beginning, wait)?, at(consumer, asked, Offset::End, wait)?);
    let log = |(slot, first): (Slot, i64)| {
        let end = ends.get(&slot).copied()?;
        Some((slot, Log { first, end }))
    };
    Ok(firsts.into_iter().filter_map(log).collect())
}

/// Kafka finds the first and the last offset as it finds those of a time.
fn at<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    asked: &[Slot],
    place: Offset,
    wait: Duration,
) -> KafkaResult<BTreeMap<Slot, i64>> {
    let mut times = TopicPartitionList::with_capacity(asked.len());
    for (topic, partition) in asked {
        times.add_partition_offset(topic, *partition, place)?;
    }
    let mut found = BTreeMap::new();
    for element in consumer.offsets_for_times(times, wait)?.elements() {
        element.error()?;
        if let Offset::Offset(offset) = element.offset() {
            found.insert((element.topic().to_owned(), element.partition()), offset);
        }
    }
    Ok(found)
}
