//! How much librdkafka fetches ahead, in bytes that count headers and over all partitions.
//!
//! Its own bounds on the queue of fetched records count payloads alone, and hold for each partition once partitions have
//! queues of their own. So the one queue of all partitions is kept, it is refilled only when it is nearly empty, and what
//! bounds it is the size of a broker's answer, where everything counts. The answer's size is that of the wire: records
//! that are compressed take more when they are unpacked.

use rdkafka::config::ClientConfig;

/// Answers that fit into the bound: one broker is asked for this part of it at a time, so that the answers of a few
/// brokers, or one that unpacks to a few times its size, stay below it.
const ANSWERS: usize = 8;
/// A partition may fill half an answer, and never more than librdkafka's default: a broker cuts the last batch off where
/// the limit is, and a small limit would waste much of it.
const PARTITION_BYTES_MAX: usize = 1 << 20;
/// The queue is refilled when it holds fewer records. Waiting until it is empty would add `fetch.queue.backoff.ms` to
/// records that come one by one; more of them would be more memory, as this counts records of any size.
const REFILL_BELOW: usize = 10;
/// librdkafka refuses `fetch.max.bytes` below its `message.max.bytes`, which means nothing to a consumer.
const MESSAGE_BYTES_MAX: usize = 1_000_000;

/// Sets the options that bound what is fetched ahead to about `bytes_max` (at least 1 MiB).
pub(crate) fn bound(client: &mut ClientConfig, bytes_max: usize) {
    let answer = (bytes_max / ANSWERS).min(i32::MAX as usize / 2);
    let mut set = |name: &str, value: usize| {
        client.set(name, value.to_string());
    };
    set("message.max.bytes", answer.min(MESSAGE_BYTES_MAX));
    set("fetch.max.bytes", answer);
    set("max.partition.fetch.bytes", (answer / 2).min(PARTITION_BYTES_MAX));
    set("queued.min.messages", REFILL_BELOW);
    // Of payloads alone: large records are refilled earlier than by their number.
    set("queued.max.messages.kbytes", (answer >> 12).max(1));
    // A queue that is not nearly empty is looked at again after 5 ms. The default of 1 s made reading 2.5 to 4.5 times
    // slower.
    set("fetch.queue.backoff.ms", 5);
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::{BaseConsumer, DefaultConsumerContext};

    use super::*;

    #[test]
    fn librdkafka_takes_every_bound() {
        for bytes_max in [1 << 20, 16 << 20, 1 << 30, usize::MAX] {
            let mut client = ClientConfig::new();
            bound(client.set("group.id", "prefetch"), bytes_max);
            let made = client.create_with_context::<_, BaseConsumer<_>>(DefaultConsumerContext);
            assert!(made.is_ok(), "{bytes_max}: {:?}", made.err());
        }
    }
}
