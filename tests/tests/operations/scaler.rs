//! What an autoscaler is told of a group: while no worker runs, while one does, and when Kafka does not tell.

use std::net::SocketAddr;

use devbroker::{Denial, Resource, Right};
use serde_json::{Value, json};
use tests::broker::{self, BrokerKind};
use tests::names::unique;
use tests::process::{Process, free_port};
use tests::records::create_topics;
use tests::transactions::{Ending, produce};

use crate::tiny::Tiny;
use crate::worker::{Job, PATIENCE, STARTED, ask, await_answer, has_runtime};

struct Scaler {
    process: Process,
    http: SocketAddr,
}

impl Scaler {
    fn start(brokers: &str, topic: &str, group: &str) -> Self {
        let http = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let listen = format!("http.listen={http}");
        let (own, look) =
            (["scaler", "--brokers", brokers, "--input", topic, "--group", group], "scaling.look_every_ms=200");
        let more = ["--set", &listen, "--set", look, "--set", "source.request_wait_ms=2000"];
        Self { process: Process::labelstream(&[&own[..], &more].concat()), http }
    }

    /// Asks until the backlog is as expected.
    fn await_backlog(&self, what: &str, is_expected: impl Fn(u16, &Value) -> bool) -> Value {
        await_answer(self.http, "/backlog", what, is_expected)
    }
}

fn is_waiting(records: u64) -> impl Fn(u16, &Value) -> bool {
    move |status, body| status == 200 && body["records"] == json!(records) && body["active"] == json!(records > 0)
}

#[test]
fn the_backlog_is_told_without_a_worker_and_with_one() {
    if !has_runtime("the backlog") {
        return;
    }
    for broker in broker::all() {
        let job = Job::new(&broker, Tiny::new());
        let mut scaler = Scaler::start(&job.brokers, &job.input, job.group());
        let empty = scaler.await_backlog("nothing waits", is_waiting(0));
        assert_eq!((&empty["group_known"], &empty["oldest_age_seconds"]), (&json!(false), &json!(0.0)), "{empty}");
        assert_eq!((&empty["partitions"], &empty["partitions_waiting"]), (&json!(1), &json!(0)), "{empty}");
        // A group that has committed nothing: all records wait.
        job.write(["good", "bad", "good"]);
        let waiting = scaler.await_backlog("three records wait", is_waiting(3));
        assert_eq!((&waiting["group_known"], &waiting["partitions_waiting"]), (&json!(false), &json!(1)), "{waiting}");
        let drain = waiting["drain_seconds"].as_f64().expect("a number");
        assert!((drain - 3.0 / 50.0).abs() < 1e-9, "nothing is measured: {waiting}");
        scaler.await_backlog("the records grow older", |_, body| body["oldest_age_seconds"].as_f64() > Some(0.0));
        let mut worker = job.start(&[]);
        worker.await_text(STARTED, PATIENCE);
        let done = scaler.await_backlog("all is labelled", is_waiting(0));
        assert_eq!(done["group_known"], json!(true), "{done}");
        // Only an aborted record and its marker: they wait as offsets, until a worker has seen that nothing is there.
        produce(&job.brokers, &job.input, 0, &["aborted"], Ending::Aborted);
        scaler.await_backlog("an aborted record and its marker wait", is_waiting(2));
        scaler.await_backlog("aborted records are passed", is_waiting(0));
        assert!(is_waiting(0)(200, &await_answer(job.http, "/backlog", "the worker knows, too", is_waiting(0))));
        worker.signal("TERM");
        worker.await_success(PATIENCE);
        job.write(["good"]);
        scaler.await_backlog("one record waits", is_waiting(1));
        let metrics = ask(scaler.http, "/metrics").expect("it answers").1;
        assert!(metrics.contains("\nlabelstream_backlog_records 1\n"), "{metrics}");
        assert_eq!(ask(scaler.http, "/ready").map(|(status, _)| status), Some(200));
        scaler.process.signal("TERM");
        scaler.process.await_success(PATIENCE);
        scaler.process.assert_quiet_log(&[]);
    }
}

#[test]
fn what_keeps_the_backlog_from_being_known_is_told_until_it_is() {
    for broker in broker::all() {
        let (topic, group) = (unique("scaler-late"), unique("scaler"));
        let mut scaler = Scaler::start(&broker.address, &topic, &group);
        let missing = scaler.await_backlog("the topic is missing", |status, _| status == 503);
        let said = missing["error"].as_str().unwrap_or_default().to_owned();
        assert!(said.contains(&format!("topic {topic}: it does not exist")), "{said}");
        assert_eq!(ask(scaler.http, "/ready").map(|(status, _)| status), Some(503));
        create_topics(&broker.address, &[&topic], 2);
        let found = scaler.await_backlog("the topic is there", |status, _| status == 200);
        assert_eq!((&found["records"], &found["partitions"]), (&json!(0), &json!(2)), "{found}");
        if let (BrokerKind::DevBroker, Some(devbroker)) = (broker.kind, &broker.devbroker) {
            devbroker.deny(Denial { resource: Resource::Group, name: group.clone(), right: Right::Describe });
            let denied = scaler.await_backlog("a right is missing", |status, _| status == 503);
            let said = denied["error"].as_str().unwrap_or_default();
            assert!(said.contains(&format!("grant it Describe on group {group}")), "{said}");
        }
        scaler.process.signal("TERM");
        scaler.process.await_success(PATIENCE);
        scaler.process.assert_quiet_log(&["the backlog is not known"]);
    }
}
