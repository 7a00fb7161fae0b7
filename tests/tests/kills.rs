//! The whole system under `kill -9`: two workers, one of them killed again and again, a third that comes and goes.
//!
//! Every record must come out exactly once, as a label or a dead letter, in its partition's order, with its key, headers
//! and timestamp. `make test` kills 20 times on each broker; `make test-kills` runs the long one on real text.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use formats::{dead_letter, labeled};
use schemas::{Header, Origin, RawEvent};
use tests::broker::{self, TestBroker};
use tests::names::unique;
use tests::process::Process;
use tests::records::{Record, await_committed, create_topics, produce, read_committed};
use tests::transactions::{self, Ending, await_no_lag};
use tests::workspace;

const PARTITIONS: i32 = 4;
const STARTED: &str = "worker started";
const PATIENCE: Duration = Duration::from_secs(120);

/// The names of one campaign on one broker.
struct Stage {
    brokers: String,
    input: String,
    output: String,
    dead_letters: String,
    group: String,
    guarantee: &'static str,
    session_timeout_ms: u32,
}

impl Stage {
    fn new(broker: &TestBroker) -> Self {
        let stage = Self {
            brokers: broker.address.clone(),
            input: unique("kills-in"),
            output: unique("kills-out"),
            dead_letters: unique("kills-dead"),
            group: unique("kills"),
            guarantee: "exactly_once",
            session_timeout_ms: 6000,
        };
        create_topics(&stage.brokers, &[&stage.input, &stage.output, &stage.dead_letters], PARTITIONS);
        stage
    }

    fn worker(&self, instance: &str) -> Process {
        Process::labelstream(&[
            "classify",
            "--brokers",
            &self.brokers,
            "--input",
            &self.input,
            "--output",
            &self.output,
            "--dead-letter",
            &self.dead_letters,
            "--group",
            &self.group,
            "--instance",
            instance,
            "--set",
            "http.enabled=false",
            "--set",
            &format!("source.session_timeout_ms={}", self.session_timeout_ms),
            "--set",
            &format!("sink.guarantee={}", self.guarantee),
        ])
    }
}

/// How hard a campaign is.
struct Plan {
    kills: usize,
    /// Records written each second while workers are killed.
    per_second: usize,
    /// The longest pause between two kills.
    pause_max: Duration,
}

impl Plan {
    /// A pause of 1/8 up to the whole of `pause_max`, in no step with anything.
    fn pause(&self, kill: usize) -> Duration {
        let eighth = self.pause_max / 8;
        eighth + (self.pause_max - eighth).mul_f64((kill as f64 * 0.618_034).fract())
    }
}

/// A record that can be told apart from every other; every 50th is a dead letter.
fn record(number: usize, text: &str) -> Record {
    let payload = if number.is_multiple_of(50) {
        format!("{{\"id\": {number}, no text")
    } else {
        format!("{{\"id\": {number}, \"text\": {}}}", serde_json::Value::from(text))
    };
    let header = |name: &str, value: Option<String>| Header { name: name.into(), value: value.map(String::into_bytes) };
    Record {
        partition: Some(i32::try_from(number).expect("few records") % PARTITIONS),
        key: Some(format!("key-{}", number % 17).into_bytes()),
        payload: Some(payload.into_bytes()),
        headers: vec![
            header("trace", Some(format!("t-{number}"))),
            header("repeated", Some("one".into())),
            header("repeated", None),
        ],
        timestamp_ms: Some(1_700_000_000_000 + i64::try_from(number).expect("few records")),
    }
}

/// Kills one of two workers as planned, at moments that no clock of theirs knows, while a third comes and goes.
fn kill_again_and_again(stage: &Stage, plan: &Plan) -> Vec<Process> {
    let names = ["a", "b"];
    let mut workers: Vec<_> = names.iter().map(|name| stage.worker(name)).collect();
    for worker in &mut workers {
        worker.await_text(STARTED, PATIENCE);
    }
    let mut third = None;
    for kill in 0..plan.kills {
        let victim = kill % 2;
        thread::sleep(plan.pause(kill));
        workers[victim].kill();
        workers[victim] = stage.worker(names[victim]);
        match kill % 7 {
            2 => third = Some(stage.worker("c")),
            5 => {
                if let Some(mut leaving) = third.take() {
                    leaving.signal("TERM");
                    leaving.await_success(PATIENCE);
                }
            }
            _ => {}
        }
        workers[victim].await_text(STARTED, PATIENCE);
    }
    workers.extend(third);
    workers
}

fn by_origin(events: Vec<RawEvent>) -> BTreeMap<Origin, RawEvent> {
    events.into_iter().map(|event| (event.origin.clone(), event)).collect()
}

/// Compares what came out with what went in, record by record.
fn verify(stage: &Stage, within: Duration) -> usize {
    let input = by_origin(read_committed(&stage.brokers, &stage.input));
    let dead_count =
        input.values().filter(|event| serde_json::from_slice::<serde::de::IgnoredAny>(payload(event)).is_err()).count();
    let labeled = await_committed(&stage.brokers, &stage.output, input.len() - dead_count, within);
    let dead = await_committed(&stage.brokers, &stage.dead_letters, dead_count, within);
    assert_eq!(
        labeled.len() + dead.len(),
        input.len(),
        "every record once: labels {}, dead letters {}",
        labeled.len(),
        dead.len()
    );

    let mut seen = BTreeMap::new();
    let mut newest = BTreeMap::new();
    for event in &labeled {
        let added = labeled::decode(payload(event)).expect("a labelled event");
        let origin =
            Origin { topic: added.source.topic, partition: added.source.partition, offset: added.source.offset };
        assert_eq!(event.origin.partition, origin.partition, "the partition number survives");
        let before = newest.insert(origin.partition, origin.offset);
        assert!(
            before < Some(origin.offset),
            "order of partition {}: {before:?}, then {}",
            origin.partition,
            origin.offset
        );
        survives(&input[&origin], event, 4);
        assert_eq!(seen.insert(origin.clone(), ()), None, "{origin} came out twice");
    }
    for event in &dead {
        let found = dead_letter::read_headers(&event.headers).expect("a dead letter");
        survives(&input[&found.origin], event, dead_letter::DEAD_LETTER_HEADERS.len());
        assert_eq!(payload(&input[&found.origin]), payload(event), "the original bytes");
        assert_eq!(seen.insert(found.origin.clone(), ()), None, "{} came out twice", found.origin);
    }
    assert_eq!(seen.len(), input.len());
    input.len()
}

fn payload(event: &RawEvent) -> &[u8] {
    event.payload.as_deref().unwrap_or_default()
}

fn survives(input: &RawEvent, output: &RawEvent, added_headers: usize) {
    assert_eq!(output.key, input.key);
    assert_eq!(output.timestamp_ms, input.timestamp_ms);
    assert_eq!(output.headers.len(), input.headers.len() + added_headers);
    assert_eq!(output.headers[..input.headers.len()], input.headers);
}

/// Feeds texts at this rate until told to stop; the number fed.
fn feed(stage: &Stage, texts: &mut impl Iterator<Item = String>, per_second: usize, stop: &AtomicBool) -> usize {
    const TICK: Duration = Duration::from_millis(100);
    let started = Instant::now();
    let mut fed = 0;
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(TICK);
        let due = usize::try_from(started.elapsed().as_millis()).expect("minutes") * per_second / 1000;
        let records: Vec<_> = texts.by_ref().take(due - fed).zip(fed..).map(|(text, n)| record(n, &text)).collect();
        if records.is_empty() && due > fed {
            break; // no texts are left
        }
        fed += records.len();
        produce(&stage.brokers, &stage.input, &records);
        // Aborted records and a marker, which take offsets that no worker sees.
        if records.iter().any(|record| record.timestamp_ms.is_some_and(|time| time % 100 < 2)) {
            let partition = i32::try_from(fed).expect("few records") % PARTITIONS;
            transactions::produce(&stage.brokers, &stage.input, partition, &["aborted"], Ending::Aborted);
        }
    }
    fed
}

/// Ends the feeding, also when the killing fails.
struct StopWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn campaign(broker: &TestBroker, plan: &Plan, texts: &mut (impl Iterator<Item = String> + Send)) {
    let stage = Stage::new(broker);
    let stop = AtomicBool::new(false);
    let mut workers = thread::scope(|scope| {
        let feeding = scope.spawn(|| feed(&stage, texts, plan.per_second, &stop));
        let stops = StopWhenDropped(&stop);
        let workers = kill_again_and_again(&stage, plan);
        drop(stops);
        let fed = feeding.join().expect("the producer ends well");
        assert!(fed > plan.kills, "the stream went on while workers were killed: {fed} records");
        workers
    });
    for partition in 0..PARTITIONS {
        transactions::produce(&stage.brokers, &stage.input, partition, &["aborted"], Ending::Aborted);
    }
    let records = verify(&stage, PATIENCE + plan.pause_max);
    await_no_lag(&stage.brokers, &stage.group, &stage.input, PARTITIONS, PATIENCE);
    assert_eq!(verify(&stage, PATIENCE), records, "a drained partition costs no record and repeats none");
    for worker in &mut workers {
        worker.signal("TERM");
        worker.await_success(PATIENCE);
    }
    println!("{:?}: {records} records, {} kills, 0 duplicates, 0 lost", broker.kind, plan.kills);
}

#[test]
fn every_record_once_under_twenty_kills() {
    let plan = Plan { kills: 20, per_second: 60, pause_max: Duration::from_millis(1200) };
    for broker in broker::all() {
        let mut texts = (0..).map(|number| format!("my card number {number} did not arrive, where is it?"));
        campaign(&broker, &plan, &mut texts);
    }
}

/// A stopped worker is replaced under its own name, and wakes up within its session: SIGSTOP, as of a frozen container or a paused machine.
fn replaced_while_stopped(broker: &TestBroker, guarantee: &'static str, session_timeout: Duration, stopped: Duration) {
    /// Few enough for a slow machine to keep up, and never none.
    const PER_ROUND: usize = 4;
    let session_timeout_ms = u32::try_from(session_timeout.as_millis()).expect("a short time");
    let stage = Stage { guarantee, session_timeout_ms, ..Stage::new(broker) };
    let texts = |from: usize| {
        let record = |number| record(number, &format!("my card number {number} did not arrive, where is it?"));
        (from..from + PER_ROUND).map(record).collect::<Vec<_>>()
    };
    let stop = AtomicBool::new(false);
    let (mut zombie, mut successor) = thread::scope(|scope| {
        let stops = StopWhenDropped(&stop);
        let mut zombie = stage.worker("same");
        zombie.await_text(STARTED, PATIENCE);
        scope.spawn(|| {
            // Without end, so that the zombie is stopped, and wakes up, in the middle of something.
            for round in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                produce(&stage.brokers, &stage.input, &texts(round * PER_ROUND));
                thread::sleep(Duration::from_millis(100));
            }
        });
        await_committed(&stage.brokers, &stage.output, 1, PATIENCE);
        zombie.signal("STOP");
        let stopped_at = Instant::now();
        let mut successor = stage.worker("same");
        successor.await_text(STARTED, PATIENCE);
        let before = read_committed(&stage.brokers, &stage.output).len();
        await_committed(&stage.brokers, &stage.output, before + 1, PATIENCE);
        thread::sleep(stopped.saturating_sub(stopped_at.elapsed()));
        zombie.signal("CONT");
        let status = zombie.await_exit(PATIENCE);
        assert_eq!(status.code(), Some(1), "{}", zombie.stderr());
        let said = "a second process runs under the instance name same";
        assert!(zombie.stderr().contains(said), "{}", zombie.stderr());
        drop(stops);
        (zombie, successor)
    });
    if guarantee == "exactly_once" {
        verify(&stage, PATIENCE);
    }
    successor.signal("TERM");
    successor.await_success(PATIENCE);
    successor.assert_quiet_log(&[]);
    zombie.kill();
}

#[test]
fn a_stopped_worker_that_was_replaced_ends_and_its_successor_goes_on_undisturbed() {
    for broker in broker::all() {
        for guarantee in ["exactly_once", "at_least_once"] {
            println!("{:?}, {guarantee}", broker.kind);
            replaced_while_stopped(&broker, guarantee, Duration::from_secs(90), Duration::ZERO);
        }
    }
}

/// After the session time-out a member joins again by itself, which would take the name back.
#[test]
fn a_worker_that_was_stopped_for_longer_than_its_session_and_replaced_ends_too() {
    for broker in broker::all() {
        for guarantee in ["exactly_once", "at_least_once"] {
            println!("{:?}, {guarantee}", broker.kind);
            replaced_while_stopped(&broker, guarantee, Duration::from_secs(6), Duration::from_secs(10));
        }
    }
}

/// Real text of real length, for about `LABELSTREAM_KILL_MINUTES` (10).
#[test]
#[ignore = "takes minutes and needs the optional data sets: make test-kills"]
fn every_record_once_on_real_text() {
    let Some(mut texts) = tests::dataset::texts("throughput_mix/stream.jsonl.gz") else {
        return workspace::skip("the long campaign", "../shared/datasets/throughput_mix is not here");
    };
    let Some(kafka) = broker::apache_kafka() else { return };
    let number = |name: &str, usual: u32| std::env::var(name).map_or(usual, |text| text.parse().expect("a number"));
    let minutes = number("LABELSTREAM_KILL_MINUTES", 10);
    let kills = 20;
    // A pause is 9/16 of the longest on average.
    let pause_max = Duration::from_secs(60) * minutes * 16 / 9 / kills;
    let per_second = number("LABELSTREAM_KILL_RATE", 100) as usize;
    let plan = Plan { kills: kills as usize, per_second, pause_max };
    campaign(&kafka, &plan, &mut texts);
}
