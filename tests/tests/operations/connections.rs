//! Connections that nobody needs must not take those that Kafka does.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Instant;

use tests::broker;
use tests::process::{Process, free_port, labelstream};
use tests::records::await_committed;

use crate::tiny::Tiny;
use crate::worker::{Job, PATIENCE, STARTED, has_runtime};

/// File descriptors that the worker may have.
const DESCRIPTORS: u32 = 256;
const HALF_OPEN: usize = 240;

/// From now on, what connects to `port` reaches the broker: clients bootstrap through it.
fn relay(port: u16, broker: &str) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port was free a moment ago");
    let broker = broker.to_owned();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&broker).expect("the broker listens");
            for (mut from, mut to) in [(&client, &server), (&server, &client)]
                .map(|(from, to)| (from.try_clone().expect("a socket"), to.try_clone().expect("a socket")))
            {
                thread::spawn(move || io::copy(&mut from, &mut to).ok()); // ends with either side
            }
        }
    });
}

fn half_open(job: &Job) -> TcpStream {
    let mut stream = TcpStream::connect(job.http).expect("the server listens");
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n").expect("send half a request");
    stream
}

#[test]
fn half_open_connections_do_not_keep_kafka_from_connecting() {
    if !has_runtime("half-open connections") {
        return;
    }
    for broker in broker::all() {
        let mut job = Job::new(&broker, Tiny::new());
        job.write(["good"]);
        let relayed = free_port();
        job.brokers = format!("127.0.0.1:{relayed}");
        let limited = format!("ulimit -n {DESCRIPTORS}; exec \"$0\" \"$@\"");
        let more = ["--set", "http.request_wait_ms=5000", "--set", "sink.create_topics=false"];
        let mut worker =
            Process::start(Command::new("bash").args(["-c", &limited]).arg(labelstream()).args(job.arguments(&more)));
        worker.await_text("serving /health", PATIENCE);
        let held: Vec<_> = (0..HALF_OPEN).map(|_| half_open(&job)).collect();
        assert_eq!(job.ask("/health").map(|(status, _)| status), Some(200), "a probe is answered");
        relay(relayed, &broker.address);
        worker.await_text(STARTED, PATIENCE);
        job.brokers.clone_from(&broker.address);
        assert_eq!(await_committed(&job.brokers, &job.output, 1, PATIENCE).len(), 1, "{:?}", broker.kind);
        let deadline = Instant::now() + PATIENCE;
        for mut stream in held {
            stream.set_read_timeout(Some(deadline - Instant::now())).expect("set a time-out");
            let read = stream.read(&mut [0; 64]);
            let is_closed =
                read.as_ref().map_or_else(|error| error.kind() == io::ErrorKind::ConnectionReset, |n| *n == 0);
            assert!(is_closed, "the server keeps half a request open: {read:?}");
        }
        worker.signal("TERM");
        worker.await_success(PATIENCE);
        worker.assert_quiet_log(&["waiting", "librdkafka", "no broker can be reached"]);
    }
}
