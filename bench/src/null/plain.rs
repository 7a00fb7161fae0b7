//! The least that reads from Kafka and writes to it exactly once: what librdkafka's own consumer and producer take.
//!
//! The settings are the stream's where they matter: compression, no linger, acknowledged by all, `read_committed`.
//! Acknowledgements are awaited before offsets and commit, as the stream does: rdkafka's commit waits for them in slices of
//! 100 ms.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tests::names::unique;
use tests::records::{client, create_topics};

use super::span::Span;
use crate::stream::{PARTITIONS, PATIENCE};

const LOOK: Duration = Duration::from_micros(200);
/// One poll of the consumer.
const POLL: Duration = Duration::from_millis(100);

/// Consumes all records and produces each again, in transactions of so many records.
pub(super) fn records_per_second(
    address: &str,
    input: &str,
    records: usize,
    per_transaction: usize,
) -> Result<f64, Box<dyn Error>> {
    let (output, group) = (unique("bench-plain-out"), unique("bench-plain"));
    create_topics(address, &[&output], PARTITIONS);
    let consumer: BaseConsumer = client(address)
        .set("group.id", &group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .create()?;
    let producer: BaseProducer = client(address)
        .set("transactional.id", &group)
        .set("linger.ms", "0")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .create()?;
    producer.init_transactions(PATIENCE)?;
    consumer.subscribe(&[input])?;
    let (mut committed, mut span) = (0, Span::new());
    loop {
        let mut next = TopicPartitionList::new();
        producer.begin_transaction()?;
        let due = per_transaction.min(records - committed);
        for _ in 0..due {
            let message = next_record(&consumer)?;
            let mut record = BaseRecord::to(&output)
                .partition(message.partition())
                .key(message.key().unwrap_or_default())
                .payload(message.payload().unwrap_or_default());
            while let Err((error, back)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(rdkafka::types::RDKafkaErrorCode::QueueFull) {
                    return Err(error.into());
                }
                producer.poll(LOOK);
                record = back;
            }
            note(&mut next, input, message.partition(), message.offset() + 1)?;
        }
        while producer.in_flight_count() > 0 {
            producer.poll(Duration::ZERO);
            thread::sleep(LOOK);
        }
        let member = consumer.group_metadata().ok_or("not a member of the group")?;
        producer.send_offsets_to_transaction(&next, &member, PATIENCE)?;
        producer.commit_transaction(PATIENCE)?;
        committed += due;
        if let Some(rate) = span.committed(committed, records) {
            return Ok(rate);
        }
    }
}

/// The next record; a poll may come back early without one, after a rebalance for example.
fn next_record(consumer: &BaseConsumer) -> Result<BorrowedMessage<'_>, Box<dyn Error>> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(message) = consumer.poll(POLL) {
            return Ok(message?);
        }
    }
    Err("no record came".into())
}

/// Where a partition goes on.
fn note(next: &mut TopicPartitionList, topic: &str, partition: i32, offset: i64) -> Result<(), Box<dyn Error>> {
    match next.find_partition(topic, partition) {
        Some(mut known) => known.set_offset(Offset::Offset(offset))?,
        None => next.add_partition_offset(topic, partition, Offset::Offset(offset))?,
    }
    Ok(())
}
