//! What people feed the input topics besides text: deletions, frames of schema registries, times in another unit; and dead
//! letters that other tools have touched. Each on devbroker and on Apache Kafka.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use formats::dead_letter;
use schemas::{Header, RawEvent};
use tests::broker;
use tests::names::unique;
use tests::process::{Process, free_port, labelstream};
use tests::records::{Record, create_topics, produce, read_committed};
use tests::workspace::{skip, tool};

const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the model can run here; says so where it cannot.
fn has_model(test: &str) -> bool {
    let is_there = tool("onnxruntime").exists() || std::env::var_os("ORT_DYLIB_PATH").is_some();
    if !is_there {
        skip(test, "ONNX Runtime is not installed (make tools)");
    }
    is_there
}

fn run(arguments: &[&str]) -> Output {
    let output = Command::new(labelstream()).args(arguments).stdin(Stdio::null()).output();
    output.unwrap_or_else(|error| panic!("labelstream {arguments:?} did not start: {error}"))
}

#[track_caller]
fn says(output: &Output, code: i32, expected: &[&str]) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout:\n{out}\nstderr:\n{err}");
    for text in expected {
        assert!(out.contains(text) || err.contains(text), "nothing says {text:?}:\nstdout:\n{out}\nstderr:\n{err}");
    }
}

/// A record of partition 0.
fn keyed(key: &str, payload: Option<&[u8]>) -> Record {
    Record {
        partition: Some(0),
        key: Some(key.as_bytes().to_vec()),
        payload: payload.map(<[u8]>::to_vec),
        headers: vec![Header { name: "trace".to_owned(), value: Some(b"4bf92f".to_vec()) }],
        timestamp_ms: None,
    }
}

fn text(header: &str, record: &RawEvent) -> String {
    let found =
        record.headers.iter().find(|own| own.name == header).unwrap_or_else(|| panic!("no {header}: {record:?}"));
    String::from_utf8_lossy(found.value.as_deref().unwrap_or_default()).into_owned()
}

/// Key, and whether there is a payload.
fn keys(records: &[RawEvent]) -> Vec<(String, bool)> {
    let key = |record: &RawEvent| String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
    records.iter().map(|record| (key(record), record.payload.is_some())).collect()
}

/// One deletion of a row is Debezium's change event and a tombstone. The last record of a key is what a compacted output
/// keeps, so that tombstones must keep their place among the labels.
#[test]
fn deletions_are_skipped_forwarded_or_dead_letters_by_topic_and_in_order() {
    if !has_model("deletions_are_skipped_forwarded_or_dead_letters_by_topic_and_in_order") {
        return;
    }
    let row = |text: &str| format!("{{\"before\":null,\"after\":{{\"text\":\"{text}\"}},\"op\":\"c\"}}").into_bytes();
    let deleted: &[u8] = b"{\"before\":{\"text\":\"old\"},\"after\":null,\"op\":\"d\"}";
    for broker in broker::all() {
        let address = broker.address.as_str();
        let [skipped, forwarded, refused, output, dead] =
            ["skip", "forward", "refuse", "out", "dead"].map(|name| unique(&format!("feed-{name}")));
        create_topics(address, &[&skipped, &forwarded, &refused, &output, &dead], 1);
        for topic in [&skipped, &forwarded, &refused] {
            let records = [
                keyed("a", Some(&row("where is my card"))),
                keyed("a", Some(deleted)),
                keyed("a", None),
                keyed("b", None),
                keyed("b", Some(&row("how do i change my pin"))),
            ];
            produce(address, topic, &records);
        }
        let (input, group) = ([skipped.as_str(), &forwarded, &refused].join(","), unique("feed"));
        let by_topic = format!("decode.tombstones_by_topic={forwarded}=forward,{refused}=dead_letter");
        let arguments = ["classify", "--until-end", "--brokers", address, "--input", &input, "--output", &output];
        let more = ["--dead-letter", &dead, "--group", &group, "--instance", "one", "--set", "http.enabled=false"];
        let decode = ["--set", "decode.text_pointer=/after/text", "--set", &by_topic];
        let ended = run(&[&arguments[..], &more[..], &decode[..]].concat());
        says(&ended, 0, &["labeled=6 dead_letters=3 tombstones=6"]);

        let out = read_committed(address, &output);
        let from = |topic: &str| {
            let is_from = |record: &&RawEvent| match &record.payload {
                Some(payload) => String::from_utf8_lossy(payload).contains(&format!("\"topic\":\"{topic}\"")),
                None => topic == forwarded,
            };
            keys(&out.iter().filter(is_from).cloned().collect::<Vec<_>>())
        };
        let own = |pairs: &[(&str, bool)]| pairs.iter().map(|(key, is)| ((*key).to_owned(), *is)).collect::<Vec<_>>();
        assert_eq!(from(&skipped), own(&[("a", true), ("b", true)]), "{:?}", broker.kind);
        let kept = own(&[("a", true), ("a", false), ("a", false), ("b", false), ("b", true)]);
        assert_eq!(from(&forwarded), kept, "{:?}", broker.kind);
        assert_eq!(from(&refused), own(&[("a", true), ("b", true)]), "{:?}", broker.kind);
        let gone = out.iter().find(|record| record.payload.is_none()).expect("a tombstone");
        assert_eq!(gone.headers, keyed("a", None).headers, "its own headers and no label");
        let reasons: Vec<_> =
            read_committed(address, &dead).iter().map(|one| text(dead_letter::REASON_HEADER, one)).collect();
        assert_eq!(reasons, ["no_text", "empty", "empty"], "{:?}", broker.kind);

        // The drift worker passes them over, and counts what is there.
        let (reports, drift_group) = (tempfile::tempdir().expect("a temporary folder"), unique("feed-drift"));
        let place = reports.path().display().to_string();
        let drift = ["drift", "--until-end", "--brokers", address, "--input", &output, "--reference", "rolling"];
        let more = ["--reports", &place, "--group", &drift_group, "--instance", "one", "--set", "http.enabled=false"];
        let ended = run(&[&drift[..], &more[..]].concat());
        says(&ended, 0, &["records=9"]);
        let err = String::from_utf8_lossy(&ended.stderr);
        assert!(!err.contains("refused"), "{err}");
        let replayed =
            run(&["drift", "replay", "--from", "-1d", "--brokers", address, "--input", &output, "--reports", &place]);
        says(&replayed, 0, &["9 records read, 3 without a payload (tombstones), skipped"]);
    }
}

#[test]
fn frames_and_times_of_another_century_are_called_out() {
    if !has_model("frames_and_times_of_another_century_are_called_out") {
        return;
    }
    for broker in broker::all() {
        let address = broker.address.as_str();
        let [input, output, dead] = ["in", "out", "dead"].map(|name| unique(&format!("feed-{name}")));
        create_topics(address, &[&input, &output, &dead], 1);
        let framed = |value: &[u8]| [&[0], &100_001_u32.to_be_bytes()[..], value].concat();
        produce(
            address,
            &input,
            &[
                keyed("json", Some(&framed(b"{\"text\":\"hi\"}"))),
                keyed("avro", Some(&framed(b"\x02\xff\x0e"))),
                keyed("late", Some(b"{\"text\":\"where is my card\",\"at\":1795395723}")),
            ],
        );
        let group = unique("feed");
        let common = ["--brokers", address, "--input", &input, "--output", &output, "--dead-letter", &dead];
        let more = ["--group", &group, "--instance", "one", "--set", "decode.event_time_pointer=/at"];
        let fits = "about 1970; in seconds it would be between 2000 and 2100";
        let framed = "dead letter (schema_framed): the payload begins with the frame of a schema registry (byte 0, then schema id 100001)";
        let checked = run(&[&["check"][..], &common, &more].concat());
        says(&checked, 0, &[framed, "note  event times: 1 of 1 are before 2000 or after 2100, such as ", fits]);
        let classify = ["classify", "--until-end", "--set", "http.enabled=false"];
        let ended = run(&[&classify[..], &common, &more].concat());
        says(&ended, 0, &["labeled=1 dead_letters=2", "WARN", fits, "decode.event_time_unit"]);
        for letter in read_committed(address, &dead) {
            assert_eq!(text(dead_letter::REASON_HEADER, &letter), "schema_framed", "{:?}", broker.kind);
            assert!(text(dead_letter::ERROR_HEADER, &letter).contains("schema id 100001"));
        }
        let labeled = read_committed(address, &output);
        let payload = String::from_utf8_lossy(labeled[0].payload.as_deref().unwrap_or_default()).into_owned();
        assert!(payload.contains("\"event_time_ms\":1795395723}"), "kept as it was read: {payload}");
    }
}

#[test]
fn dead_letters_that_other_tools_have_touched_are_replayed_and_strangers_told() {
    for broker in broker::all() {
        let address = broker.address.as_str();
        let [home, dead] = ["home", "dead"].map(|name| unique(&format!("feed-{name}")));
        create_topics(address, &[&home, &dead], 1);
        let header = |name: &str, value: &str| Header { name: name.to_owned(), value: Some(value.as_bytes().to_vec()) };
        let ours = |reason: &str| {
            [reason, "why", home.as_str(), "0", "7"]
                .into_iter()
                .zip(dead_letter::DEAD_LETTER_HEADERS)
                .map(|(value, name)| header(name, value))
                .collect::<Vec<_>>()
        };
        let letter = |reason: &str| Record {
            headers: [header("trace", "1")]
                .into_iter()
                .chain(ours(reason))
                .chain([header("traceparent", "2"), header("mirrored-from", "3")])
                .collect(),
            ..keyed("a", Some(b"\xff"))
        };
        let broken = Record { headers: letter("not_utf8").headers[..4].to_vec(), ..keyed("b", None) };
        produce(
            address,
            &dead,
            &[letter("not_utf8"), broken, letter("tired"), letter("empty"), keyed("c", Some(b"x"))],
        );
        let group = unique("feed-replay");
        let replayed = run(&[
            "replay",
            "--brokers",
            address,
            "--dead-letter",
            &dead,
            "--replay-group",
            &group,
            "--reason",
            "not_utf8",
        ]);
        says(
            &replayed,
            0,
            &[
                &format!("replayed 1 of the dead letters in {dead}"),
                "1  empty, skipped: not the requested reason",
                "1  not dead letters, skipped: header labelstream-dead-letter-reason is missing",
                &format!("such as {dead}[0]@1: header labelstream-dead-letter-partition is missing"),
                &format!("such as {dead}[0]@2: header labelstream-dead-letter-reason is not a reason of this version"),
            ],
        );
        let back = read_committed(address, &home);
        assert_eq!(back.len(), 1, "{:?}", broker.kind);
        let names: Vec<_> = back[0].headers.iter().map(|header| header.name.as_str()).collect();
        assert_eq!(names, ["trace", "traceparent", "mirrored-from"], "{:?}", broker.kind);
    }
}

/// Every command says why, and gives up after `sink.connect_wait_ms` and not before.
#[test]
fn a_broker_that_cannot_be_reached_is_named_with_its_cause() {
    let refused = format!("127.0.0.1:{}", free_port());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = folder.path().display().to_string();
    let drift = ["drift", "--reference", "rolling", "--reports", &place, "--set", "http.enabled=false"];
    let again = ["drift", "replay", "--from", "-1h", "--reports", &place];
    let mut commands: Vec<&[&str]> = vec![&["replay", "--dry-run"], &drift, &again];
    if has_model("a_broker_that_cannot_be_reached_is_named_with_its_cause") {
        commands.push(&["classify", "--set", "http.enabled=false"]);
    }
    for command in commands {
        let ended = run(&[command, &["--brokers", &refused, "--set", "sink.connect_wait_ms=2500"]].concat());
        says(
            &ended,
            1,
            &[
                "WARN",
                "no broker can be reached; waiting for 2 s",
                &format!("failed to reach the brokers {refused} within 2 s: {refused}: connection refused"),
            ],
        );
    }
    let replay = |brokers: &str, more: &[&str]| {
        run(&[&["replay", "--dry-run", "--brokers", brokers, "--set", "sink.connect_wait_ms=2500"], more].concat())
    };
    says(
        &replay("no-such-host.invalid:9092", &[]),
        1,
        &["no-such-host.invalid:9092: the host name cannot be resolved"],
    );
    for broker in broker::all() {
        let tls = replay(&broker.address, &["--set", "kafka.security_protocol=ssl"]);
        let said = format!("{}: the TLS handshake failed; this port seems to speak plaintext", broker.address);
        says(&tls, 1, &[&said, "kafka.security_protocol"]);
    }
}

#[test]
fn a_broker_that_starts_later_is_waited_for() {
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let mut replay = Process::labelstream(&["replay", "--dry-run", "--brokers", &address, "--dead-letter", "dead"]);
    replay.await_text("no broker can be reached; waiting for 60 s", PATIENCE);
    let _broker = Process::labelstream(&["broker", "--port", &port.to_string(), "--topic", "dead:1"]);
    replay.await_success(PATIENCE);
    assert!(replay.stdout().contains("would replay 0 of the dead letters in dead"), "{}", replay.stdout());
    assert!(replay.stderr().contains("brokers can be reached now"), "{}", replay.stderr());
}
