//! The numbers of partitions of the topics that are written, and the one that a record goes to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

use crate::topic_state::state;

/// The numbers of partitions, looked up when first needed and again when they are old.
pub(crate) struct Partitions {
    known: HashMap<Arc<str>, (i32, Instant)>,
    age_max: Duration,
    wait: Duration,
}

impl Partitions {
    pub(crate) fn new(age_max: Duration, wait: Duration) -> Self {
        Self { known: HashMap::new(), age_max, wait }
    }

    /// The number of partitions of a topic.
    pub(crate) fn count<C: ClientContext>(&mut self, topic: &Arc<str>, client: &Client<C>) -> KafkaResult<i32> {
        let known = self.known.get(topic).copied();
        if let Some((count, since)) = known
            && since.elapsed() < self.age_max
        {
            return Ok(count);
        }
        let answer = state(client, topic, self.wait);
        let is_forbidden = answer.as_ref().is_ok_and(|state| state.is_forbidden);
        let count = match (answer.map(|state| state.partitions), known) {
            (Ok(Some(count)), _) => count,
            // An old number is better than none: a broker that is gone for a moment changes no partition.
            (_, Some((count, _))) => count,
            (Ok(None), None) if is_forbidden => return Err(KafkaError::MetadataFetch(Code::TopicAuthorizationFailed)),
            (Ok(None), None) => return Err(KafkaError::MetadataFetch(Code::UnknownTopicOrPartition)),
            (Err(error), None) => return Err(error),
        };
        self.known.insert(Arc::clone(topic), (count, Instant::now()));
        Ok(count)
    }
}

/// The partition of a topic with `count` partitions for a record that was read from partition `read`: the same number
/// where it exists, so that a partition's order and a key's place survive; else one that all its records share.
pub(crate) fn place(read: i32, count: i32) -> i32 {
    if read < count { read } else { read.rem_euclid(count.max(1)) }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_record_keeps_its_partition_where_it_exists() {
        for (read, count, expected) in [(0, 1, 0), (3, 4, 3), (3, 12, 3), (4, 4, 0), (7, 4, 3)] {
            assert_eq!(place(read, count), expected, "{read} of {count}");
        }
    }
}
