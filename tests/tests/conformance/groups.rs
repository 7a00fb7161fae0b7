//! Groups that grow, shrink and start again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;
use tests::names::unique;
use tests::records::create_topic;

use crate::clients::{PATIENCE, code, consumer, positions, producer, read, send_ok};
use crate::on_each_broker;

const PARTITIONS: i32 = 6;
/// Between two looks at what the members have done.
const GLANCE: Duration = Duration::from_millis(5);

/// What a member's thread tells.
#[derive(Default)]
struct Told {
    owned: BTreeSet<i32>,
    /// What it owned all the time since the last [`Member::watch`].
    kept: BTreeSet<i32>,
}

/// A member on a thread of its own, as members are: its commit may have to wait until the others have joined again.
struct Member {
    told: Arc<Mutex<Told>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    /// Reads what it has, a record at a time, and commits each.
    fn start(consumer: BaseConsumer, topic: String, seen: Arc<Mutex<BTreeMap<String, usize>>>) -> Self {
        let (told, stop) = (Arc::<Mutex<Told>>::default(), Arc::<AtomicBool>::default());
        let (telling, stopped) = (Arc::clone(&told), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                work(&consumer, &topic, &seen);
                let mut told = telling.lock().expect("no panic holds it");
                told.owned = owned(&consumer);
                told.kept = &told.kept & &told.owned;
            }
        });
        Self { told, stop, thread: Some(thread) }
    }

    fn owned(&self) -> BTreeSet<i32> {
        assert!(self.thread.as_ref().is_some_and(|thread| !thread.is_finished()), "a member's thread failed");
        self.told.lock().expect("no panic holds it").owned.clone()
    }

    fn watch(&self) {
        let mut told = self.told.lock().expect("no panic holds it");
        told.kept = told.owned.clone();
    }

    fn kept(&self) -> BTreeSet<i32> {
        self.told.lock().expect("no panic holds it").kept.clone()
    }
}

impl Drop for Member {
    /// Leaves the group.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))), "a member's thread failed");
    }
}

fn owned(member: &BaseConsumer) -> BTreeSet<i32> {
    let assignment = member.assignment().expect("an assignment");
    assignment.elements().iter().map(|element| element.partition()).collect()
}

fn work(member: &BaseConsumer, topic: &str, seen: &Mutex<BTreeMap<String, usize>>) {
    let Some(polled) = member.poll(Duration::from_millis(5)) else { return };
    let message = polled.unwrap_or_else(|error| panic!("cannot read: {error}"));
    let value = String::from_utf8(message.payload().unwrap_or_default().to_vec()).expect("text");
    *seen.lock().expect("no panic holds it").entry(value).or_default() += 1;
    let next = positions(topic, &[(message.partition(), message.offset() + 1)]);
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

/// A group's members, and what they have read.
struct Crew<'a> {
    address: &'a str,
    topic: String,
    group: String,
    assignor: &'static str,
    members: Vec<Member>,
    /// How often each value was read.
    seen: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl<'a> Crew<'a> {
    fn new(address: &'a str, assignor: &'static str) -> Self {
        let (topic, group) = (unique("crew"), unique("group"));
        create_topic(address, &topic, PARTITIONS);
        Self { address, topic, group, assignor, members: Vec::new(), seen: Arc::default() }
    }

    fn hire(&mut self) {
        let settings = [("partition.assignment.strategy", self.assignor)];
        let member = consumer(self.address, &self.group, &settings);
        member.subscribe(&[&self.topic]).expect("subscribes");
        self.members.push(Member::start(member, self.topic.clone(), Arc::clone(&self.seen)));
    }

    /// Waits until the partitions are shared out evenly.
    fn settle(&self) {
        let share = usize::try_from(PARTITIONS).expect("few") / self.members.len();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let owned: Vec<BTreeSet<i32>> = self.members.iter().map(Member::owned).collect();
            let all: BTreeSet<i32> = owned.iter().flatten().copied().collect();
            if owned.iter().all(|partitions| partitions.len() == share) && all.len() == share * owned.len() {
                return;
            }
            assert!(Instant::now() < deadline, "{} members did not settle: {owned:?}", self.members.len());
            std::thread::sleep(GLANCE);
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

    /// Waits until all that was written is read. Every record is committed alone, which takes a busy broker long: only a
    /// crew that gets nothing new has failed.
    fn finish(&self, written: &BTreeSet<String>) {
        let (mut read, mut deadline) = (0, Instant::now() + PATIENCE);
        loop {
            let seen = self.seen.lock().expect("no panic holds it").len();
            if seen == written.len() {
                return;
            }
            if seen > read {
                (read, deadline) = (seen, Instant::now() + PATIENCE);
            }
            assert!(Instant::now() < deadline, "{seen} of {} values were read", written.len());
            std::thread::sleep(GLANCE);
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
    let again: usize = crew.seen.lock().expect("no panic holds it").values().map(|times| times - 1).sum();
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
        crew.members[0].watch();
        crew.hire();
        crew.settle();
        assert_eq!(crew.members[0].kept().len(), 3, "the first member went on with its own half all the time");
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
        while owned(&member).len() < 3 {
            assert!(Instant::now() < deadline, "the new partitions were not assigned");
            member.poll(Duration::from_millis(50)).transpose().expect("no error");
        }
    });
}
