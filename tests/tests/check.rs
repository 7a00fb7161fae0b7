//! `labelstream check`: says what is wrong and what to do, labels live records, and leaves no trace on the cluster.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use devbroker::{Denial, Resource, Right};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tests::broker::{self, TestBroker};
use tests::names::unique;
use tests::process::labelstream;
use tests::records::{Record, client, create_topic_with, create_topics, produce, read_committed};
use tests::rights;
use tests::workspace::{skip, tool};

const PARTITIONS: i32 = 3;
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Topics and a group of one test.
struct Stage {
    broker: TestBroker,
    input: String,
    output: String,
    dead_letters: String,
    group: String,
}

impl Stage {
    fn new(broker: TestBroker) -> Self {
        Self {
            broker,
            input: unique("check-in"),
            output: unique("check-out"),
            dead_letters: unique("check-dead"),
            group: unique("check"),
        }
    }

    fn check(&self, more: &[&str]) -> Output {
        let Self { broker, input, output, dead_letters, group } = self;
        Command::new(labelstream())
            .args(["check", "--brokers", &broker.address, "--input", input, "--output", output])
            .args(["--dead-letter", dead_letters, "--group", group, "--instance", "one"])
            .args(more)
            .stdin(Stdio::null())
            .output()
            .expect("the binary starts")
    }

    /// Offsets that the group has committed in the input.
    fn committed(&self) -> usize {
        let reader: BaseConsumer =
            client(&self.broker.address).set("group.id", &self.group).create().expect("a consumer");
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range(&self.input, 0, PARTITIONS - 1);
        let answer = reader.committed_offsets(asked, ANSWER_WITHIN).expect("the broker answers");
        answer.elements().iter().filter(|element| element.offset() != Offset::Invalid).count()
    }
}

#[track_caller]
fn expect(output: &Output, code: i32, lines: &[&str]) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout:\n{out}\nstderr:\n{err}");
    for line in lines {
        assert!(out.lines().any(|own| own.contains(line)), "no line says {line:?}:\n{out}\nstderr:\n{err}");
    }
}

fn records() -> Vec<Record> {
    let texts = [
        r#"{"text": "My card has not arrived yet, where is it?"}"#,
        r#"{"text": 5}"#,
        "not json",
        r#"{"text": "How do I change my PIN at a cash machine?"}"#,
    ];
    let record = |(place, text): (i32, &&str)| Record {
        partition: Some(place % PARTITIONS),
        timestamp_ms: Some(1_700_000_000_000 + i64::from(place)),
        ..Record::of(*text)
    };
    (0..).zip(&texts).map(record).collect()
}

#[test]
fn labels_the_newest_records_and_commits_nothing() {
    if !tool("onnxruntime").exists() && std::env::var_os("ORT_DYLIB_PATH").is_none() {
        return skip("labels_the_newest_records_and_commits_nothing", "ONNX Runtime is not installed (make tools)");
    }
    for broker in broker::all() {
        let stage = Stage::new(broker);
        create_topics(&stage.broker.address, &[&stage.input, &stage.output, &stage.dead_letters], PARTITIONS);
        let fit = "ok    topic settings: sizes, keys, times and retention of all topics are compatible";
        expect(&stage.check(&[]), 0, &["note  records: the input has no record to label", fit]);
        produce(&stage.broker.address, &stage.input, &records());

        let group = format!("ok    group {}: committed in 0 of 3 partitions, about 4 records behind", stage.group);
        let transactional = format!("ok    transactional id {}/one: this user may use it", stage.group);
        let written = format!("ok    output topic {}: this user may write to it", stage.dead_letters);
        expect(
            &stage.check(&["--records", "10"]),
            0,
            &[
                "ok    model: ",
                "drift: ",
                &format!("ok    input topic {}: 3 partitions", stage.input),
                &transactional,
                &written,
                "ok    transactions: the broker accepts a transactional producer",
                &group,
                "ok    records: 2 of the newest 4 have a text to label; nothing was committed",
                "dead letter (no_text): the value at /text is a number, not a string",
                "dead letter (bad_json): not JSON",
                "My card has not arrived yet, where is it?",
            ],
        );
        let newest = stage.check(&["--records", "1"]);
        expect(&newest, 0, &["ok    records: 1 of the newest 1 have a text to label", "change my PIN"]);
        expect(&stage.check(&["--set", "decode.text_pointer=/body"]), 1, &["FAIL  records: 0 of the newest 4"]);

        assert_eq!(stage.committed(), 0, "a check moved the group");
        for topic in [&stage.output, &stage.dead_letters] {
            assert_eq!(read_committed(&stage.broker.address, topic).len(), 0, "a check wrote to {topic}");
        }
    }
}

#[test]
fn topics_that_do_not_fit_each_other_are_told() {
    for broker in broker::all() {
        let stage = Stage::new(broker);
        let address = &stage.broker.address;
        let any_time = i64::MAX.to_string();
        let input = [("max.message.bytes", "3000000"), ("message.timestamp.after.max.ms", &any_time)];
        create_topic_with(address, &stage.input, PARTITIONS, &input);
        let output = [
            ("max.message.bytes", "2000000"),
            ("retention.ms", "604800000"),
            ("message.timestamp.before.max.ms", "1000"),
        ];
        create_topic_with(address, &stage.output, PARTITIONS, &output);
        create_topic_with(address, &stage.dead_letters, PARTITIONS, &[("cleanup.policy", "compact")]);
        produce(address, &stage.input, &records());
        let (output, dead_letters) = (&stage.output, &stage.dead_letters);
        expect(
            &stage.check(&["--records", "0"]),
            1,
            &[
                &format!(
                    "note  output topic {output}: accepts 2000000 bytes (max.message.bytes), the input up to 3000000: a \
                     larger record becomes a dead letter; raise it to 3004096"
                ),
                &format!("note  output topic {output}: accepts records up to 3600000 ms in the future"),
                &format!("note  output topic {output}: accepts no record older than 1000 ms"),
                &format!(
                    "note  output topic {output}: keeps records for 7 days (retention.ms), and the input's oldest is "
                ),
                &format!("FAIL  dead-letter topic {dead_letters}: keeps one record per key (cleanup.policy=compact)"),
                "-> set cleanup.policy=delete on the topic",
                "note  sink.message_bytes_max: 1048588, less than the input's max.message.bytes (3000000)",
            ],
        );
    }
}

#[test]
fn asks_for_topics_without_making_them() {
    let makes_topics = devbroker::Broker::start_blocking(devbroker::Config::default()).expect("a free port");
    let address = makes_topics.address().to_string();
    let stage = Stage::new(TestBroker { address, devbroker: Some(makes_topics), ..broker::devbroker() });
    let output = format!("note  output topic {}: does not exist; classify will create it", stage.output);
    expect(
        &stage.check(&["--records", "0"]),
        1,
        &[
            "ok    broker: ",
            &format!("FAIL  input topic {}: does not exist", stage.input),
            "-> create it, or correct source.topics (--input)",
            &output,
        ],
    );
    let reader: BaseConsumer = client(&stage.broker.address).create().expect("a consumer");
    let metadata = reader.fetch_metadata(None, ANSWER_WITHIN).expect("the broker answers");
    assert_eq!(metadata.topics().len(), 0, "a check made a topic");
}

#[test]
fn a_broker_that_is_not_there_and_a_model_that_is_not_there_are_told_together() {
    let nowhere = TestBroker { address: "127.0.0.1:1".to_owned(), ..broker::devbroker() };
    expect(
        &Stage::new(nowhere).check(&["--model", "/no/such/package"]),
        1,
        &[
            "FAIL  model: open the model package /no/such/package",
            "FAIL  broker: ",
            "-> is kafka.brokers (--brokers) right, is the broker running",
        ],
    );
}

#[test]
fn a_check_leaves_a_running_producer_of_the_same_name_alone() {
    if !tool("onnxruntime").exists() && std::env::var_os("ORT_DYLIB_PATH").is_none() {
        return skip("a_check_leaves_a_running_producer_alone", "ONNX Runtime is not installed (make tools)");
    }
    for broker in broker::all() {
        let stage = Stage::new(broker);
        create_topics(&stage.broker.address, &[&stage.input, &stage.output, &stage.dead_letters], PARTITIONS);
        let id = format!("{}/one", stage.group);
        let worker: BaseProducer =
            client(&stage.broker.address).set("transactional.id", &id).create().expect("a producer");
        worker.init_transactions(ANSWER_WITHIN).expect("the broker answers");
        worker.begin_transaction().expect("none is open");
        let record = rdkafka::producer::BaseRecord::<(), str>::to(&stage.output).payload("of the worker");
        worker.send(record).map_err(|(error, _)| error).expect("sent");
        worker.flush(ANSWER_WITHIN).expect("delivered");
        expect(&stage.check(&["--records", "0"]), 0, &[&format!("ok    transactional id {id}")]);
        worker.commit_transaction(ANSWER_WITHIN).expect("the check has not fenced it");
        assert_eq!(read_committed(&stage.broker.address, &stage.output).len(), 1);
    }
}

#[test]
fn a_denied_right_is_found_before_a_worker_starts() {
    let acls = rights::apache_kafka_with_acls();
    let kafka = acls.as_ref().map(rights::AclKafka::broker);
    for broker in [Some(broker::devbroker()), kafka].into_iter().flatten() {
        let mut stage = Stage::new(broker);
        let address = stage.broker.address.clone();
        let cases = [
            (Resource::Topic, Right::Write, "output", "may not write to it", "Write and Describe on topic"),
            (Resource::Topic, Right::Write, "dead", "may not write to it", "Write and Describe on topic"),
            (Resource::Topic, Right::Describe, "output", "this user may not see it", "Write and Describe on topic"),
            (Resource::Topic, Right::Read, "input", "may not read it", "Read and Describe on topic"),
            (Resource::Group, Right::Read, "group", "may not join it", "Read and Describe on consumer group"),
            (Resource::Group, Right::Describe, "group", "may not look at it", "Read and Describe on consumer group"),
            (Resource::TransactionalId, Right::Write, "id", "may not use it", "Write and Describe on transactional id"),
            (
                Resource::TransactionalId,
                Right::Describe,
                "id",
                "may not use it",
                "Write and Describe on transactional id",
            ),
        ];
        for (resource, right, which, found, grant) in cases {
            stage.input = unique("check-in");
            stage.output = unique("check-out");
            stage.dead_letters = unique("check-dead");
            stage.group = unique("check");
            create_topics(&address, &[&stage.input, &stage.output, &stage.dead_letters], 1);
            let name = match which {
                "output" => stage.output.clone(),
                "dead" => stage.dead_letters.clone(),
                "input" => stage.input.clone(),
                "id" => format!("{}/one", stage.group),
                _ => stage.group.clone(),
            };
            match (&stage.broker.devbroker, &acls) {
                (Some(devbroker), _) => devbroker.deny(Denial { resource, name: name.clone(), right }),
                (None, Some(acls)) => acls.deny(resource, &name, right),
                (None, None) => unreachable!("only brokers that can deny"),
            }
            let fix = format!("-> grant it {grant} {name}");
            expect(&stage.check(&["--records", "0"]), 1, &["FAIL  ", found, &fix]);
        }
    }
}
