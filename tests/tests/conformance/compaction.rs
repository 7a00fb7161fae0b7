//! Topics that keep the newest value of every key: what a reader finds, and what a writer may not write.

use std::collections::BTreeMap;

use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use tests::names::unique;
use tests::records::{Record, produce, read_committed};

use crate::clients::{admin, admin_options, producer, send, wait};
use crate::on_each_broker;

/// Cleaned as eagerly as a broker can be asked to.
fn create_compacted(address: &str, policy: &str) -> Result<String, RDKafkaErrorCode> {
    let topic = unique("compacted");
    let wanted = NewTopic::new(&topic, 1, TopicReplication::Fixed(1))
        .set("cleanup.policy", policy)
        .set("segment.ms", "100")
        .set("min.cleanable.dirty.ratio", "0.01")
        .set("min.compaction.lag.ms", "0")
        .set("max.compaction.lag.ms", "100");
    let made = wait(admin(address).create_topics(&[wanted], &admin_options())).expect("an answer").remove(0);
    made.map_err(|(_, code)| code)
}

#[test]
fn a_reader_ends_with_the_newest_value_of_every_key() {
    on_each_broker(|address| {
        let topic = create_compacted(address, "compact").expect("it can be made");
        let mut expected = BTreeMap::new();
        for round in 0..30 {
            let records: Vec<_> = (0..50).map(|number| update(round, number)).collect();
            for Record { key, payload, .. } in records.clone() {
                match payload {
                    Some(payload) => expected.insert(key, payload),
                    None => expected.remove(&key),
                };
            }
            produce(address, &topic, &records);
        }
        let read = read_committed(address, &topic);
        assert!(read.is_sorted_by_key(|event| event.origin.offset), "what is left keeps its order");
        let last = read.last().expect("something is left");
        assert_eq!(last.origin.offset, 30 * 50 - 1, "what is left keeps its offset");
        let mut found = BTreeMap::new();
        for event in read {
            match event.payload {
                Some(payload) => found.insert(event.key, payload),
                None => found.remove(&event.key),
            };
        }
        assert_eq!(found, expected);
    });
}

/// 40 KB a round over ten keys, so that a broker has something to gain; every seventh record removes its key.
fn update(round: usize, number: usize) -> Record {
    let key = format!("key {}", number % 10);
    let payload = (number % 7 != 6).then(|| format!("{round} {number} {}", "x".repeat(1000)).into_bytes());
    Record { payload, ..Record::default() }.keyed(key)
}

#[test]
fn a_record_without_a_key_is_refused() {
    on_each_broker(|address| {
        let topic = create_compacted(address, "compact").expect("it can be made");
        let refused = send(&producer(address, &[]), &topic, 0, &["no key"]);
        assert_eq!(refused, [Err(RDKafkaErrorCode::InvalidRecord)]);
        assert_eq!(create_compacted(address, "forget").err(), Some(RDKafkaErrorCode::InvalidConfig));
    });
}
