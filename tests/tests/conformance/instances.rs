//! Static membership: an instance keeps its partitions over a restart, and a second process under its name wins.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use tests::names::unique;
use tests::records::create_topic;

use crate::clients::{PATIENCE, consumer};
use crate::on_each_broker;

/// A member under an instance name, not yet polled.
fn start(address: &str, group: &str, topic: &str, instance: &str) -> BaseConsumer {
    let settings = [("group.instance.id", instance), ("partition.assignment.strategy", "cooperative-sticky")];
    let member = consumer(address, group, &settings);
    member.subscribe(&[topic]).expect("subscribes");
    member
}

fn owned(member: &BaseConsumer) -> Vec<i32> {
    let assignment = member.assignment().expect("an assignment");
    let mut partitions: Vec<i32> = assignment.elements().iter().map(|element| element.partition()).collect();
    partitions.sort_unstable();
    partitions
}

/// Polls all until the condition holds; any error fails the check.
fn poll_until(members: &[&BaseConsumer], what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "in {PATIENCE:?} not: {what}");
        for member in members {
            member.poll(Duration::from_millis(10)).transpose().expect("no error");
        }
    }
}

#[test]
fn a_restarted_instance_gets_its_partitions_back_and_nobody_else_moves() {
    on_each_broker(|address| {
        let (topic, group) = (unique("static"), unique("group"));
        create_topic(address, &topic, 4);
        let one = start(address, &group, &topic, "one");
        let two = start(address, &group, &topic, "two");
        poll_until(&[&one, &two], "two halves", || owned(&one).len() == 2 && owned(&two).len() == 2);
        let (of_one, of_two) = (owned(&one), owned(&two));
        drop(one); // a static member does not leave when it closes
        let one = start(address, &group, &topic, "one");
        let mut kept = true;
        poll_until(&[&one, &two], "the first half again", || {
            kept &= owned(&two) == of_two;
            owned(&one) == of_one
        });
        assert!(kept, "the other member lost partitions over the restart");
    });
}

#[test]
fn an_instance_that_stays_away_loses_its_partitions() {
    on_each_broker(|address| {
        let (topic, group) = (unique("static"), unique("group"));
        create_topic(address, &topic, 4);
        let one = start(address, &group, &topic, "one");
        let two = start(address, &group, &topic, "two");
        poll_until(&[&one, &two], "two halves", || owned(&one).len() == 2 && owned(&two).len() == 2);
        drop(one);
        let before = Instant::now();
        poll_until(&[&two], "all partitions", || owned(&two).len() == 4);
        assert!(before.elapsed() > Duration::from_secs(3), "only once its session of 6 s was over");
    });
}

#[test]
fn a_second_process_under_the_same_name_fences_the_first() {
    on_each_broker(|address| {
        let (topic, group) = (unique("static"), unique("group"));
        create_topic(address, &topic, 2);
        let first = start(address, &group, &topic, "one");
        poll_until(&[&first], "all partitions", || owned(&first).len() == 2);
        let second = start(address, &group, &topic, "one");
        poll_until(&[&second], "all partitions", || owned(&second).len() == 2);
        let deadline = Instant::now() + PATIENCE;
        let error = loop {
            assert!(Instant::now() < deadline, "the first process was not told");
            if let Some(Err(error)) = first.poll(Duration::from_millis(50)) {
                break error;
            }
        };
        let (code, reason) = first.client().fatal_error().expect("being fenced is fatal");
        assert_eq!(code, RDKafkaErrorCode::FencedInstanceId, "{error}: {reason}");
    });
}
