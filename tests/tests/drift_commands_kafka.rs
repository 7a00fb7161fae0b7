//! The drift commands on Kafka: a live run up to the end, the same range replayed and calibrated, and no trace of either.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;
use tests::broker::{self, TestBroker};
use tests::folder::files;
use tests::labeled::{HOUR_MS, LabeledStream, START_MS};
use tests::names::unique;
use tests::process::Process;
use tests::records::{Record, client, create_topic, produce, read_committed};

const PARTITIONS: i32 = 3;
const PATIENCE: Duration = Duration::from_secs(90);
const HOURS: i64 = 10;

/// A topic of labelled events with a change in its middle, and folders of one test.
struct Stage {
    broker: TestBroker,
    topic: String,
    group: String,
    folder: TempDir,
}

impl Stage {
    fn new(broker: TestBroker) -> Self {
        let stage = Self {
            broker,
            topic: unique("drift-labels"),
            group: unique("drift"),
            folder: TempDir::new().expect("a temporary folder"),
        };
        create_topic(&stage.broker.address, &stage.topic, PARTITIONS);
        let history = LabeledStream::new(4).hours(START_MS, HOURS / 2, &LabeledStream::USUAL).hours(
            START_MS + HOURS / 2 * HOUR_MS,
            HOURS / 2,
            &LabeledStream::CHANGED,
        );
        let record = |(place, (time_ms, event)): (usize, &(i64, String))| Record {
            partition: Some(i32::try_from(place).expect("a few thousand") % PARTITIONS),
            timestamp_ms: Some(*time_ms),
            ..Record::of(event.as_str())
        };
        let mut records: Vec<_> = history.events().iter().enumerate().map(record).collect();
        // Kept out, counted, and never fatal.
        records.push(Record { partition: Some(0), timestamp_ms: Some(START_MS), ..Record::of("no event") });
        produce(&stage.broker.address, &stage.topic, &records);
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a drift command to its end, which must be good, and returns what it printed.
    fn drift(&self, command: &[&str], more: &[&str]) -> Process {
        let mut arguments = vec!["drift"];
        arguments.extend(command);
        arguments.extend(["--brokers", &self.broker.address, "--input", &self.topic, "--granularity", "1h"]);
        arguments.extend(["--set", "http.enabled=false"]);
        arguments.extend(more);
        let mut process = Process::labelstream(&arguments);
        process.await_success(PATIENCE);
        process.assert_quiet_log(&[]);
        process
    }

    /// Runs the worker up to the end of the topic and returns its log.
    fn live(&self, reports: &str, reference: &[&str]) -> String {
        let reports = self.path(reports);
        let reports = reports.to_str().expect("a path of letters");
        let mut more = vec!["--group", &self.group, "--instance", "one", "--until-end", "--reports", reports];
        more.extend(reference);
        self.drift(&[], &more).stderr()
    }
}

fn assert_same(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in one {
        assert!(*bytes == other[name], "{name} differs");
    }
}

/// Groups that the broker knows, by a part of their name.
fn groups(address: &str, part: &str) -> usize {
    let reader: BaseConsumer = client(address).create().expect("a consumer");
    let list = reader.fetch_group_list(None, PATIENCE).expect("the broker answers");
    list.groups().iter().filter(|group| group.name().contains(part)).count()
}

#[test]
fn a_replay_writes_the_bytes_of_the_live_run_and_leaves_no_trace() {
    for broker in broker::all() {
        let stage = Stage::new(broker);
        let rolling = ["--reference", "rolling", "--set", "reference.windows_min=2"];
        let log = stage.live("live", &rolling);
        let told: Vec<_> = log.lines().filter(|line| line.contains("window reported")).collect();
        assert_eq!(told.len(), usize::try_from(HOURS).expect("a few"), "{log}");
        // The change is an hour old: seen a second time, and not yet a part of what is usual.
        let second =
            told.iter().find(|line| line.contains("window=2026-05-01T06:00:00Z")).expect("each window is told");
        for field in ["granularity=\"PT1H\"", "verdict=drift", "reason="] {
            assert!(second.contains(field), "no {field} in {second}");
        }
        let live = files(&stage.path("live"));
        let windows = live.keys().filter(|name| name.starts_with("drift/")).count();
        assert_eq!(windows, usize::try_from(HOURS).expect("a few"), "{:?}", live.keys());

        let state = read_committed(&stage.broker.address, &format!("{}-drift-state", stage.topic)).len();
        let again = stage.path("again");
        let mut more = vec!["--reports", again.to_str().expect("a path of letters")];
        more.extend(rolling);
        let said = stage.drift(&["replay", "--from", "2026-05-01", "--to", "2026-05-02"], &more).stdout();
        assert!(said.contains("10 windows: ") && said.contains(" drift "), "{said}");
        assert_same(&files(&again), &live);

        let part = stage.path("part");
        let mut more = vec!["--reports", part.to_str().expect("a path of letters")];
        more.extend(rolling);
        stage.drift(&["replay", "--from", "2026-05-01T06:00", "--to", "2026-05-01T08:00"], &more);
        let wanted = |name: &&String| name.contains("w=0600") || name.contains("w=0700");
        let of_range = live.iter().filter(|(name, _)| wanted(name)).map(|(name, bytes)| (name.clone(), bytes.clone()));
        assert_same(&files(&part), &of_range.collect());

        let after = read_committed(&stage.broker.address, &format!("{}-drift-state", stage.topic)).len();
        assert_eq!(after, state, "a replay wrote to the state topic");
        assert_eq!(groups(&stage.broker.address, "labelstream-range"), 0, "a replay joined a group");
    }
}

#[test]
fn a_profile_of_the_quiet_hours_finds_the_change_in_the_live_run() {
    let stage = Stage::new(broker::devbroker());
    let profile = stage.path("quiet.profile");
    let profile = profile.to_str().expect("a path of letters");
    let range = ["calibrate", "--from", "2026-05-01", "--to", "2026-05-01T05:00", "--out", profile];
    let said = stage.drift(&range, &[]).stdout();
    assert!(said.contains("1,000 records of 2026-05-01 00:00 to 05:00 UTC, model toy 1"), "{said}");
    stage.live("live", &["--reference", profile]);
    let reports = stage.path("live");
    let arguments = ["drift", "explain", "latest", "--reports", reports.to_str().expect("a path of letters")];
    let mut explained = Process::labelstream(&arguments);
    explained.await_success(PATIENCE);
    let page = explained.stdout();
    assert!(page.contains("toy, 2026-05-01 09:00 to 10:00 UTC  drift"), "{page}");
    assert!(page.contains("since 2026-05-01 05:00 UTC, 5 windows of 1 h in a row"), "{page}");
}

#[test]
fn a_topic_that_is_not_there_is_named() {
    let broker = broker::devbroker();
    let absent = ["drift", "replay", "--from", "-1h", "--brokers", &broker.address, "--input", "no-such-topic"];
    let mut process = Process::labelstream(&[&absent[..], &["--reference", "rolling"]].concat());
    let status = process.await_exit(PATIENCE);
    assert_eq!(status.code(), Some(1));
    assert!(process.stderr().contains("topic no-such-topic: it does not exist"), "{}", process.stderr());
    let backwards = ["drift", "replay", "--from", "-1h", "--to", "-2h", "--brokers", &broker.address];
    let mut process = Process::labelstream(&[&backwards[..], &["--reference", "rolling"]].concat());
    assert_eq!(process.await_exit(PATIENCE).code(), Some(2));
    assert!(process.stderr().contains("--from must be before --to"), "{}", process.stderr());
}
