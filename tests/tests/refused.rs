//! The whole program on records that Kafka takes and its outputs do not: none of them stops the stream, and what is made
//! for labels keeps them.

use std::time::{Duration, Instant};

use formats::{Amendments, dead_letter, labeled};
use kafka::clock::now_ms;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use schemas::Reason;
use tests::broker::{self, TestBroker};
use tests::names::unique;
use tests::process::Process;
use tests::records::{Record, await_committed, client, create_topic, create_topic_with, produce, read_committed};
use tests::workspace::{skip, tool};

const PATIENCE: Duration = Duration::from_secs(120);
const HOUR_MS: i64 = 3_600_000;
/// Kafka's default of `max.message.bytes`: a batch of one record, header included.
const KAFKA_BYTES_MAX: usize = 1_048_588;

struct Stage {
    brokers: String,
    input: String,
    output: String,
    dead_letters: String,
    group: String,
}

impl Stage {
    fn new(broker: &TestBroker) -> Self {
        Self {
            brokers: broker.address.clone(),
            input: unique("refused-in"),
            output: unique("refused-out"),
            dead_letters: unique("refused-dead"),
            group: unique("refused"),
        }
    }

    /// Works up to the end of the input and must succeed.
    fn classify(&self, more: &[&str]) -> Process {
        let topics = ["--input", &self.input, "--output", &self.output, "--dead-letter", &self.dead_letters];
        let arguments =
            [&["classify", "--until-end", "--brokers", &self.brokers][..], &topics, &["--group", &self.group]].concat();
        let rest = [&["--instance", "one", "--set", "http.enabled=false"][..], more].concat();
        let mut worker = Process::labelstream(&[arguments, rest].concat());
        worker.await_success(PATIENCE);
        worker
    }

    fn replay(&self, to: &str) -> String {
        let arguments = ["replay", "--brokers", &self.brokers, "--dead-letter", &self.dead_letters, "--to", to];
        let mut replay = Process::labelstream(&arguments);
        replay.await_success(PATIENCE);
        replay.stdout()
    }
}

fn cannot_run(test: &str) -> bool {
    let has_runtime = tool("onnxruntime").exists() || std::env::var_os("ORT_DYLIB_PATH").is_some();
    if !has_runtime {
        skip(test, "ONNX Runtime is not installed (make tools)");
    }
    !has_runtime
}

fn text(number: usize) -> Record {
    Record::of(format!("{{\"text\": \"My card number {number} has not arrived\"}}"))
}

/// An object of exactly so many bytes that does not compress.
fn large(bytes: usize) -> Record {
    let mut state = 88_172_645_463_325_252_u64;
    let mut payload = "{\"text\": \"My card has not arrived\", \"noise\": \"".to_owned();
    while payload.len() < bytes - 2 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        payload.push(char::from(b'#' + u8::try_from(state % 57).expect("below 57"))); // neither quote nor backslash
    }
    payload.push_str("\"}");
    Record::of(payload)
}

#[test]
fn records_that_the_outputs_refuse_do_not_stop_the_stream() {
    if cannot_run("records_that_the_outputs_refuse_do_not_stop_the_stream") {
        return;
    }
    for broker in broker::all() {
        let stage = Stage::new(&broker);
        let any_time = i64::MAX.to_string();
        create_topic_with(&stage.brokers, &stage.input, 1, &[("message.timestamp.after.max.ms", &any_time)]);
        let padded = format!("{{\"text\": \"My card has not arrived\", \"padding\": \"{}\"}}", "x".repeat(1_019_924));
        assert_eq!(padded.len(), 1_019_974);
        // As large as Kafka takes: the batch's header and the record's own lengths come on top.
        let largest = large(KAFKA_BYTES_MAX - 61 - 12);
        let timed = |timestamp_ms| Record { timestamp_ms: Some(timestamp_ms), ..text(0) };
        let mut input = vec![text(0), Record::of(padded), text(2), largest.clone(), text(4)];
        input.extend([timed(now_ms() + 2 * HOUR_MS), text(6), timed(i64::MAX), timed(-5), timed(-1), text(10)]);
        produce(&stage.brokers, &stage.input, &input);
        let worker = stage.classify(&[]);
        worker.assert_quiet_log(&["labelled events became dead letters", "event times before 2000 or after 2100"]);

        let labels = await_committed(&stage.brokers, &stage.output, 7, PATIENCE);
        let offsets: Vec<_> = labels
            .iter()
            .map(|label| labeled::decode(label.payload.as_deref().expect("a payload")).expect("a label").source.offset)
            .collect();
        assert_eq!(offsets, [0, 2, 4, 6, 8, 9, 10]);
        let letters = await_committed(&stage.brokers, &stage.dead_letters, 4, PATIENCE);
        let mut found: Vec<_> = letters
            .iter()
            .map(|letter| {
                let mut found = dead_letter::read_headers(&letter.headers).expect("a dead letter");
                let amendments = Amendments::take(&mut found.headers);
                (found.origin.offset, found.reason, amendments.needs_origin(), amendments.timestamp_ms)
            })
            .collect();
        found.sort_unstable();
        let ahead = input[5].timestamp_ms;
        let expected = [
            (1, Reason::TooLarge, false, None),
            (3, Reason::TooLarge, true, None),
            (5, Reason::OutputRefused, false, ahead),
            (7, Reason::OutputRefused, false, Some(i64::MAX)),
        ];
        assert_eq!(found, expected, "{:?}", broker.kind);
        // A second start finds nothing to do.
        stage.classify(&[]);
        assert_eq!(read_committed(&stage.brokers, &stage.output).len(), 7);
        goes_back(&stage, &input, &any_time);
    }
}

/// A replay brings the records back as they were; what is refused or gone is told and passed over.
fn goes_back(stage: &Stage, input: &[Record], any_time: &str) {
    let mended = unique("mended");
    let settings = [("message.timestamp.after.max.ms", any_time), ("max.message.bytes", "2000000")];
    create_topic_with(&stage.brokers, &mended, 1, &settings);
    let report = stage.replay(&mended);
    assert!(report.contains("replayed 4 of the dead letters"), "{report}");
    let back = await_committed(&stage.brokers, &mended, 4, PATIENCE);
    let mut found: Vec<_> = back.iter().map(|record| (record.payload.clone(), record.timestamp_ms)).collect();
    found.sort();
    let mut expected: Vec<_> =
        [1, 3, 5, 7].map(|place: usize| (input[place].payload.clone(), input[place].timestamp_ms)).to_vec();
    expected.sort();
    for ((payload, time), (own, own_time)) in found.iter().zip(&expected) {
        assert!(payload == own, "{:?} bytes", payload.as_ref().map(Vec::len));
        assert!(own_time.is_none() || own_time == time, "{time:?} for {own_time:?}");
    }

    // Where the times are refused again: told, and the next run does not meet them again.
    let narrow = unique("narrow");
    create_topic(&stage.brokers, &narrow, 1);
    let group = ["--replay-group", &unique("again")];
    let arguments = ["replay", "--brokers", &stage.brokers, "--dead-letter", &stage.dead_letters, "--to", &narrow];
    let run = || {
        let mut replay = Process::labelstream(&[&arguments[..], &group[..]].concat());
        replay.await_success(PATIENCE);
        replay.stdout()
    };
    let report = run();
    assert!(report.contains("replayed 2 of the dead letters") && report.contains("2  not replayed:"), "{report}");
    assert!(report.contains("[0]@7: topic ") && report.contains("message.timestamp.after.max.ms"), "{report}");
    assert!(run().contains("replayed 0 of the dead letters"), "passed over is passed");
}

#[test]
fn a_claim_check_whose_record_is_gone_is_told_and_passed_over() {
    if cannot_run("a_claim_check_whose_record_is_gone_is_told_and_passed_over") {
        return;
    }
    for broker in broker::all() {
        let stage = Stage::new(&broker);
        create_topic_with(&stage.brokers, &stage.input, 1, &[("max.message.bytes", "3000000")]);
        produce(&stage.brokers, &stage.input, &[large(2_000_000), text(1)]);
        stage.classify(&[]);
        let admin: AdminClient<DefaultClientContext> = client(&stage.brokers).create().expect("an admin");
        let mut delete = rdkafka::TopicPartitionList::new();
        delete.add_partition_offset(&stage.input, 0, rdkafka::Offset::Offset(1)).expect("an offset");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(admin.delete_records(&delete, &AdminOptions::new())).expect("deleted");
        let report = stage.replay(&stage.input);
        assert!(report.contains("replayed 0") && report.contains("no longer exists"), "{report}");
        assert!(report.contains(&format!("{}[0]@0", stage.input)), "{report}");
    }
}

#[test]
fn labels_of_an_old_backfill_stay_in_the_topics_that_are_made_for_them() {
    if cannot_run("labels_of_an_old_backfill_stay_in_the_topics_that_are_made_for_them") {
        return;
    }
    for mut broker in broker::all() {
        if broker.devbroker.is_some() {
            // Kafka's own default, which the tests' brokers leave out for other tests' sake.
            let config = devbroker::Config { retention: Some(Duration::from_secs(7 * 86_400)), ..Default::default() };
            let started = devbroker::Broker::start_blocking(config).expect("a free port");
            broker = TestBroker { address: started.address().to_string(), devbroker: Some(started), ..broker };
        }
        let stage = Stage::new(&broker);
        let (forever, week) = ([("retention.ms", "-1")], [("retention.ms", "604800000")]);
        create_topic_with(&stage.brokers, &stage.input, 2, &forever);
        let control = unique("control");
        create_topic_with(&stage.brokers, &control, 1, &week);
        let old = |number: usize| Record {
            partition: Some(i32::try_from(number % 2).expect("0 or 1")),
            timestamp_ms: Some(now_ms() - 30 * 24 * HOUR_MS),
            ..if number % 10 == 9 { Record::of("no json") } else { text(number) }
        };
        let input: Vec<_> = (0..40).map(old).collect();
        produce(&stage.brokers, &stage.input, &input);
        produce(&stage.brokers, &control, &[Record { partition: None, ..old(1) }]);
        stage.classify(&["--set", "sink.guarantee=at_least_once"]);
        let deadline = Instant::now() + PATIENCE;
        while !read_committed(&stage.brokers, &control).is_empty() {
            assert!(Instant::now() < deadline, "the broker lets nothing go, so the test shows nothing");
            std::thread::sleep(Duration::from_millis(200));
        }
        let labels = read_committed(&stage.brokers, &stage.output);
        let letters = read_committed(&stage.brokers, &stage.dead_letters);
        assert_eq!((labels.len(), letters.len()), (36, 4), "{:?}", broker.kind);
        assert!(labels.iter().all(|label| label.timestamp_ms < Some(now_ms() - 29 * 24 * HOUR_MS)));
        assert_eq!([&stage.output, &stage.dead_letters].map(|topic| retention(&stage.brokers, topic)), ["-1", "-1"]);

        let other = Stage { output: unique("week"), dead_letters: unique("day"), group: unique("other"), ..stage };
        let set = ["sink.create_retention_ms=604800000", "sink.create_dead_letter_retention_ms=86400000"];
        other.classify(&["--set", set[0], "--set", set[1]]);
        let found = [&other.output, &other.dead_letters].map(|topic| retention(&other.brokers, topic));
        assert_eq!(found, ["604800000", "86400000"]);
    }
}

fn retention(brokers: &str, topic: &str) -> String {
    let admin: AdminClient<DefaultClientContext> = client(brokers).create().expect("an admin");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let asked = [ResourceSpecifier::Topic(topic)];
    let answer = runtime.block_on(admin.describe_configs(&asked, &AdminOptions::new())).expect("an answer").remove(0);
    let described = answer.expect("it exists");
    let found = described.entries.iter().find(|entry| entry.name == "retention.ms");
    found.and_then(|entry| entry.value.clone()).expect("every topic has it")
}
