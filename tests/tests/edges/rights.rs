//! A right that is denied is one sentence: who may not do what, and what to grant. Never its consequence, a purged record.

use std::time::Instant;

use devbroker::{Denial, Resource, Right};
use kafka::error::TransactError;
use kafka::transactor::config::Guarantee;
use schemas::{Batch, DeadLetter, Reason, Recovery};
use tests::broker::{self, TestBroker};
use tests::rights::{self, AclKafka};

use crate::events;
use crate::harness::Stage;

/// Denies on whichever broker it is.
fn deny(broker: &TestBroker, acls: Option<&AclKafka>, resource: Resource, name: &str, right: Right) {
    match (&broker.devbroker, acls) {
        (Some(devbroker), _) => devbroker.deny(Denial { resource, name: name.to_owned(), right }),
        (None, Some(acls)) => acls.deny(resource, name, right),
        (None, None) => panic!("a broker that can deny"),
    }
}

/// The error of publishing a label and dead letters under a denied right, after one batch that went well; and the error of
/// publishing once more: by then the client itself refuses what the broker has denied.
fn publish_denied(stage: &Stage, deny: impl FnOnce()) -> [TransactError; 2] {
    stage.produce(4);
    let (mut reader, mut publisher) = (stage.reader("one"), stage.publisher("one"));
    publisher.lease_from(&reader);
    let (events, generation) = reader.take(4);
    publisher.publish(events::batch(events[..1].to_vec(), generation)).expect("nothing is denied yet");
    deny();
    [(); 2].map(|()| {
        let batch = Batch::read(events[1..].to_vec(), generation).try_map(|event| {
            if event.origin.offset % 2 == 1 {
                return Err(DeadLetter::new(event, Reason::Empty, "for the test"));
            }
            Ok(events::labeled(event))
        });
        publisher.publish(batch).expect_err("a right is missing")
    })
}

fn brokers_that_deny() -> Vec<(TestBroker, Option<AclKafka>)> {
    let mut brokers = vec![(broker::devbroker(), None)];
    if let Some(acls) = rights::apache_kafka_with_acls() {
        brokers.push((acls.broker(), Some(acls)));
    }
    brokers
}

#[test]
fn a_denied_right_is_told_with_its_thing_and_its_user_and_not_as_a_purged_record() {
    for (broker, acls) in brokers_that_deny() {
        for guarantee in [Guarantee::ExactlyOnce, Guarantee::AtLeastOnce] {
            let stage = || {
                let mut stage = Stage::new(&broker, 1);
                stage.guarantee = guarantee;
                stage
            };
            let check = |stage: &Stage, resource, name: &str, right, expected: &[&str]| {
                let started = Instant::now();
                for error in publish_denied(stage, || deny(&broker, acls.as_ref(), resource, name, right)) {
                    let text = error.to_string();
                    for part in expected.iter().chain(&["User:ANONYMOUS"]) {
                        assert!(text.contains(part), "{:?} {guarantee:?}: no {part:?} in {text:?}", broker.kind);
                    }
                    assert!(!text.contains("Purged"), "{text}");
                    assert_eq!(error.recovery(), Recovery::Exit, "{text}");
                    println!("{:?} {guarantee:?} after {:?}: {text}", broker.kind, started.elapsed());
                }
            };
            let one = stage();
            let grant = format!("may not write to topic {0}; grant it Write and Describe on topic {0}", one.output);
            check(&one, Resource::Topic, &one.output.clone(), Right::Write, &[&grant]);
            let two = stage();
            let grant = format!("grant it Write and Describe on topic {}", two.dead_letters);
            check(&two, Resource::Topic, &two.dead_letters.clone(), Right::Write, &[&grant]);
            let three = stage();
            let group = three.identity("one").group;
            check(&three, Resource::Group, &group, Right::Read, &[&format!("grant it Read on consumer group {group}")]);
            if guarantee == Guarantee::ExactlyOnce {
                let four = stage();
                let id = four.identity("one").transactional_id();
                let grant = format!("grant it Write and Describe on transactional id {id}");
                check(&four, Resource::TransactionalId, &id, Right::Write, &[&grant]);
            }
        }
    }
}
