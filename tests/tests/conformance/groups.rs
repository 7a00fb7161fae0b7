//! Groups that grow, shrink and start again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;
use tests::names::unique;
use tests::records::create_topic;

use crate::clients::{PATIENCE, code, consumer, positions, producer, read, send_ok};
use crate::on_each_broker;

const PARTITIONS: i32 = 6;

/// Members polled in turn by one thread, and what they have read.
struct Crew<'a> {
    address: &'a str,
    topic: String,
    group: String,
    assignor: &'static str,
    members: Vec<BaseConsumer>,
    /// How often each value was read.
    seen: BTreeMap<String, usize>,
}

impl<'a> Crew<'a> {
    fn new(address: &'a str, assignor: &'static str) -> Self {
        let (topic, group) = (unique("crew"), unique("group"));
        create_topic(address, &topic, PARTITIONS);
        Self { address, topic, group, assignor, members: Vec::new(), seen: BTreeMap::new() }
    }

    fn hire(&mut self) {
        let settings = [("partition.assignment.strategy", self.assignor)];
        let member = consumer(self.address, &self.group, &settings);
        member.subscribe(&[&self.topic]).expect("subscribes");
        self.members.push(member);
    }

    fn owned(member: &BaseConsumer) -> BTreeSet<i32> {
        let assignment = member.assignment().expect("an assignment");
        assignment.elements().iter().map(|element| element.partition()).collect()
    }

    /// Each member reads what it has and commits it.
    fn work(&mut self) {
        for member in &self.members {
            let Some(polled) = member.poll(Duration::from_millis(5)) else { continue };
            let message = polled.unwrap_or_else(|error| panic!("cannot read: {error}"));
            let value = String::from_utf8(message.payload().unwrap_or_default().to_vec()).expect("text");
            *self.seen.entry(value).or_default() += 1;
            let next = positions(&self.topic, &[(message.partition(), message.offset() + 1)]);
            // Refused while the group rebalances: then the record is read once more, by its next owner.
            if let Err(error) = member.commit(&next, CommitMode::Sync) {
                let expected = [
                    RDKafkaErrorCode::RebalanceInProgress,
                    RDKafkaErrorCode::IllegalGeneration,
                    RDKafkaErrorCode::UnknownMemberId,
                    RDKafkaErrorCode::AssignmentLost,
                ];
                assert!(expected.contains(&code(&error)), "{error}");
            }
        }
    }

    /// Works until the partitions are shared out evenly; asserts that `kept` never loses what it keeps.
    fn settle(&mut self) {
        let share = usize::try_from(PARTITIONS).expect("few") / self.members.len();
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.work();
            let owned: Vec<BTreeSet<i32>> = self.members.iter().map(Self::owned).collect();
            let all: BTreeSet<i32> = owned.iter().flatten().copied().collect();
            if owned.iter().all(|partitions| partitions.len() == share) && all.len() == share * owned.len() {
                return;
            }
            assert!(Instant::now() < deadline, "{} members did not settle: {owned:?}", self.members.len());
        }
    }

    fn write(&self, name: &str, count: usize) -> BTreeSet<String> {
        let producer = producer(self.address, &[]);
        let mut written = BTreeSet::new();
        for partition in 0..PARTITIONS {
            let values: Vec<String> = (0..count).map(|index| format!("{name} {partition} {index}")).collect();
            send_ok(&producer, &self.topic, partition, &values);
            written.extend(values);
        }
        written
    }

    fn finish(&mut self, written: &BTreeSet<String>) {
        // Every record is committed alone, which takes a busy broker long: only a crew that gets nothing new has failed.
        let (mut read, mut deadline) = (self.seen.len(), Instant::now() + PATIENCE);
        while written.iter().any(|value| !self.seen.contains_key(value)) {
            if self.seen.len() > read {
                (read, deadline) = (self.seen.len(), Instant::now() + PATIENCE);
            }
            assert!(Instant::now() < deadline, "{} of {} values were read", self.seen.len(), written.len());
            self.work();
        }
    }
}

fn one_two_three_two(address: &str, assignor: &'static str) {
    let mut crew = Crew::new(address, assignor);
    let mut written = crew.write("start", 20);
    for _ in 0..3 {
        crew.hire();
        crew.settle();
        written.extend(crew.write(&format!("with {}", crew.members.len()), 20));
    }
    drop(crew.members.remove(0));
    crew.settle();
    written.extend(crew.write("in the end", 20));
    crew.finish(&written);
    let again: usize = crew.seen.values().map(|times| times - 1).sum();
    // A record may be read twice only if its commit fell into a rebalance: at most one per member and rebalance.
    assert!(again <= 9, "{again} records were read twice");
}

#[test]
fn one_two_three_two_members_with_range() {
    on_each_broker(|address| one_two_three_two(address, "range"));
}

#[test]
fn one_two_three_two_members_with_cooperative_sticky() {
    on_each_broker(|address| one_two_three_two(address, "cooperative-sticky"));
}

#[test]
fn cooperative_members_keep_what_they_keep() {
    on_each_broker(|address| {
        let mut crew = Crew::new(address, "cooperative-sticky");
        crew.hire();
        crew.settle();
        crew.hire();
        let mut smallest = Crew::owned(&crew.members[0]);
        let deadline = Instant::now() + PATIENCE;
        while Crew::owned(&crew.members[1]).len() < 3 {
            assert!(Instant::now() < deadline, "the second member got nothing");
            crew.work();
            smallest = smallest.intersection(&Crew::owned(&crew.members[0])).copied().collect();
        }
        assert_eq!(smallest.len(), 3, "the first member went on with its own half all the time");
    });
}

#[test]
fn a_group_goes_on_where_it_was() {
    on_each_broker(|address| {
        let (topic, group) = (unique("resume"), unique("group"));
        create_topic(address, &topic, 1);
        let values: Vec<String> = (0..10).map(|index| index.to_string()).collect();
        // One batch, so that the group stops in the middle of it.
        send_ok(&producer(address, &[("linger.ms", "200")]), &topic, 0, &values);
        for expected in [&values[..4], &values[4..7], &values[7..]] {
            let member = consumer(address, &group, &[]);
            member.subscribe(&[&topic]).expect("subscribes");
            let read: Vec<String> = (0..expected.len()).flat_map(|_| read(&member, 1)).collect();
            assert_eq!(read, expected);
            let next: i64 = read.last().and_then(|value| value.parse().ok()).map_or(0, |last: i64| last + 1);
            member.commit(&positions(&topic, &[(0, next)]), CommitMode::Sync).expect("commits");
        }
    });
}

#[test]
fn members_must_share_an_assignor() {
    on_each_broker(|address| {
        let mut crew = Crew::new(address, "range");
        crew.hire();
        crew.settle();
        let settings = [("partition.assignment.strategy", "cooperative-sticky")];
        let stranger = consumer(address, &crew.group, &settings);
        stranger.subscribe(&[&crew.topic]).expect("subscribes");
        let deadline = Instant::now() + PATIENCE;
        let error = loop {
            assert!(Instant::now() < deadline, "the stranger was not refused");
            crew.work();
            if let Some(Err(error)) = stranger.poll(Duration::from_millis(20)) {
                break error;
            }
        };
        assert_eq!(code(&error), RDKafkaErrorCode::InconsistentGroupProtocol, "{error}");
    });
}

#[test]
fn session_timeouts_have_a_limit() {
    on_each_broker(|address| {
        let topic = unique("patient");
        create_topic(address, &topic, 1);
        let settings = [("session.timeout.ms", "1800001"), ("max.poll.interval.ms", "1900000")];
        let member = consumer(address, &unique("group"), &settings);
        member.subscribe(&[&topic]).expect("subscribes");
        let error = member.poll(PATIENCE).expect("an answer in time").expect_err("above group.max.session.timeout.ms");
        assert_eq!(code(&error), RDKafkaErrorCode::InvalidSessionTimeout, "{error}");
    });
}

#[test]
fn a_grown_topic_is_shared_out_anew() {
    on_each_broker(|address| {
        let (topic, group) = (unique("grown"), unique("group"));
        create_topic(address, &topic, 1);
        let member = consumer(address, &group, &[("topic.metadata.refresh.interval.ms", "300")]);
        member.subscribe(&[&topic]).expect("subscribes");
        send_ok(&producer(address, &[]), &topic, 0, &["before"]);
        assert_eq!(read(&member, 1), ["before"]);
        let grown = rdkafka::admin::NewPartitions::new(&topic, 3);
        crate::clients::wait(
            crate::clients::admin(address).create_partitions(&[grown], &crate::clients::admin_options()),
        )
        .expect("an answer")
        .into_iter()
        .for_each(|result| assert!(result.is_ok(), "{result:?}"));
        let deadline = Instant::now() + PATIENCE;
        while Crew::owned(&member).len() < 3 {
            assert!(Instant::now() < deadline, "the new partitions were not assigned");
            member.poll(Duration::from_millis(50)).transpose().expect("no error");
        }
    });
}
