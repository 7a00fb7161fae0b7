//! Who is kept out: zombies of every kind.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer;
use rdkafka::topic_partition_list::Offset;
use tests::names::unique;
use tests::records::create_topic;

use crate::clients::{
    PATIENCE, code, committed, consumer, is_fatal, must_abort, positions, read, read_nothing, reader, send, send_ok,
    transactional,
};
use crate::on_each_broker;

#[test]
fn a_second_producer_fences_the_first() {
    on_each_broker(|address| {
        let (topic, id) = (unique("fenced"), unique("x"));
        create_topic(address, &topic, 1);
        let zombie = transactional(address, &id, "60000");
        zombie.begin_transaction().expect("begins");
        send_ok(&zombie, &topic, 0, &["zombie"]);
        let heir = transactional(address, &id, "60000");
        let refused = zombie.commit_transaction(PATIENCE).expect_err("its transaction was taken away");
        assert!(is_fatal(&refused), "{refused}");
        assert!(matches!(code(&refused), RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced), "{refused}");
        heir.begin_transaction().expect("begins");
        send_ok(&heir, &topic, 0, &["heir"]);
        heir.commit_transaction(PATIENCE).expect("commits");
        let committed = reader(address, &topic, &[(0, Offset::Beginning)], &[]);
        assert_eq!(read(&committed, 1), ["heir"]);
        read_nothing(&committed);
    });
}

#[test]
fn a_fenced_producer_cannot_write() {
    on_each_broker(|address| {
        let (topic, id) = (unique("fenced"), unique("x"));
        create_topic(address, &topic, 1);
        let zombie = transactional(address, &id, "60000");
        zombie.begin_transaction().expect("begins");
        send_ok(&zombie, &topic, 0, &["zombie"]);
        let _heir = transactional(address, &id, "60000");
        let results = send(&zombie, &topic, 0, &["again"]);
        assert!(results[0].is_err(), "{results:?}");
        let committed = reader(address, &topic, &[(0, Offset::Beginning)], &[]);
        read_nothing(&committed);
    });
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    on_each_broker(|address| {
        let topic = unique("late");
        create_topic(address, &topic, 1);
        let committed = reader(address, &topic, &[(0, Offset::Beginning)], &[]);
        let slow = transactional(address, &unique("x"), "2000");
        let before = Instant::now();
        slow.begin_transaction().expect("begins");
        send_ok(&slow, &topic, 0, &["too late"]);
        let prompt = transactional(address, &unique("y"), "30000");
        prompt.begin_transaction().expect("begins");
        send_ok(&prompt, &topic, 0, &["in time"]);
        prompt.commit_transaction(PATIENCE).expect("commits");
        assert_eq!(read(&committed, 1), ["in time"], "held back until the time-out");
        assert!(before.elapsed() >= Duration::from_secs(2), "after {:?}", before.elapsed());
        let refused = slow.commit_transaction(PATIENCE).expect_err("it was aborted");
        assert!(is_fatal(&refused) || must_abort(&refused), "{refused}");
        read_nothing(&committed);
    });
}

/// A member that owns all of the topic's partitions.
fn member(address: &str, group: &str, topic: &str, settings: &[(&str, &str)]) -> BaseConsumer {
    let member = consumer(address, group, settings);
    member.subscribe(&[topic]).expect("subscribes");
    let deadline = Instant::now() + PATIENCE;
    while member.assignment().expect("an assignment").count() == 0 {
        assert!(Instant::now() < deadline, "no partitions were assigned");
        if let Some(Err(error)) = member.poll(Duration::from_millis(50)) {
            panic!("cannot join: {error}");
        }
    }
    member
}

/// Commits offset 1 of partition 0 in a transaction, with the member's metadata of before.
fn commit_with(
    address: &str,
    topic: &str,
    metadata: &rdkafka::consumer::ConsumerGroupMetadata,
) -> Result<(), KafkaError> {
    let writer = transactional(address, &unique("x"), "30000");
    writer.begin_transaction()?;
    send_ok(&writer, topic, 0, &["out"]);
    let sent = writer.send_offsets_to_transaction(&positions(topic, &[(0, 1)]), metadata, PATIENCE);
    if sent.is_err() {
        writer.abort_transaction(PATIENCE)?;
        return sent;
    }
    writer.commit_transaction(PATIENCE)
}

#[test]
fn offsets_of_an_older_generation_are_refused() {
    on_each_broker(|address| {
        let (topic, group) = (unique("in"), unique("group"));
        create_topic(address, &topic, 2);
        let first = member(address, &group, &topic, &[]);
        let old = first.group_metadata().expect("metadata");
        commit_with(address, &topic, &old).expect("the present generation may commit");
        assert_eq!(committed(&first, &topic, 0), Some(1));
        let second = consumer(address, &group, &[]);
        second.subscribe(&[&topic]).expect("subscribes");
        let deadline = Instant::now() + PATIENCE;
        while second.assignment().expect("an assignment").count() == 0 {
            assert!(Instant::now() < deadline, "the second member got nothing");
            for member in [&first, &second] {
                member.poll(Duration::from_millis(20)).transpose().expect("no error while rebalancing");
            }
        }
        let refused = commit_with(address, &topic, &old).expect_err("an older generation");
        assert_eq!((code(&refused), must_abort(&refused)), (RDKafkaErrorCode::IllegalGeneration, true), "{refused}");
    });
}

#[test]
fn offsets_of_a_member_that_left_are_refused() {
    on_each_broker(|address| {
        let (topic, group) = (unique("in"), unique("group"));
        create_topic(address, &topic, 1);
        let gone = member(address, &group, &topic, &[]);
        let old = gone.group_metadata().expect("metadata");
        drop(gone);
        let refused = commit_with(address, &topic, &old).expect_err("not a member any more");
        assert_eq!((code(&refused), must_abort(&refused)), (RDKafkaErrorCode::UnknownMemberId, true), "{refused}");
    });
}

#[test]
fn offsets_of_a_replaced_instance_are_refused() {
    on_each_broker(|address| {
        let (topic, group) = (unique("in"), unique("group"));
        create_topic(address, &topic, 1);
        let instance = [("group.instance.id", "one")];
        let first = member(address, &group, &topic, &instance);
        let old = first.group_metadata().expect("metadata");
        let _second = member(address, &group, &topic, &instance);
        let refused = commit_with(address, &topic, &old).expect_err("another process is this instance now");
        assert!(
            is_fatal(&refused) || code(&refused) == RDKafkaErrorCode::FencedInstanceId,
            "{refused}: {:?}",
            code(&refused)
        );
    });
}
