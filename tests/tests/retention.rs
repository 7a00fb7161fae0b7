//! `classify` where records are gone before it comes to them: by retention or DeleteRecords, while it is down or while
//! it runs, with a topic that was created again, and with `latest`. The log, the metric and the exit code say so, and what
//! exists is labelled.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tests::admin;
use tests::broker::{self, TestBroker};
use tests::names::unique;
use tests::process::{Process, free_port};
use tests::records::{Record, await_committed, create_topics, produce, read_committed};

const PATIENCE: Duration = Duration::from_secs(120);
/// Done up to the end, and not all of it.
const LOST: i32 = 3;

/// The names of one job on one broker.
struct Job {
    brokers: String,
    input: String,
    output: String,
    dead_letters: String,
    group: String,
    offset_reset: &'static str,
}

impl Job {
    fn new(broker: &TestBroker, offset_reset: &'static str) -> Self {
        let job = Self {
            brokers: broker.address.clone(),
            input: unique("gone-in"),
            output: unique("gone-out"),
            dead_letters: unique("gone-dead"),
            group: unique("gone"),
            offset_reset,
        };
        create_topics(&job.brokers, &[&job.input, &job.output, &job.dead_letters], 1);
        job
    }

    fn classify(&self, more: &[&str]) -> Process {
        let reset = format!("source.offset_reset={}", self.offset_reset);
        let mut arguments =
            vec!["classify", "--brokers", &self.brokers, "--input", &self.input, "--group", &self.group];
        arguments.extend(["--output", &self.output, "--dead-letter", &self.dead_letters, "--instance", "one"]);
        arguments.extend(["--set", &reset, "--set", "source.session_timeout_ms=6000"]);
        arguments.extend(more);
        Process::labelstream(&arguments)
    }

    /// Runs up to the present end, without a server.
    fn until_end(&self) -> Process {
        self.classify(&["--until-end", "--set", "http.enabled=false"])
    }

    fn write(&self, count: usize) {
        let records: Vec<_> = (0..count).map(|_| Record::of("{\"text\": \"my card has not arrived\"}")).collect();
        produce(&self.brokers, &self.input, &records);
    }

    /// The partition's log begins at `offset`.
    fn delete_before(&self, offset: i64) {
        admin::delete_records(&self.brokers, &self.input, 0, offset);
    }

    fn labels(&self) -> usize {
        read_committed(&self.brokers, &self.output).len()
    }

    fn await_labels(&self, count: usize) {
        assert_eq!(await_committed(&self.brokers, &self.output, count, PATIENCE).len(), count);
    }
}

/// The line of the log at this level that contains all of the texts.
fn assert_warned(process: &Process, texts: &[&str]) {
    let log = process.stderr();
    let told = |line: &str| line.contains("WARN") && texts.iter().all(|text| line.contains(text));
    assert!(log.lines().any(told), "no warning with {texts:?}:\n{log}");
}

/// Waits until the page of metrics has a line with both texts.
fn await_metric(port: u16, texts: [&str; 2]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = get(port, "/metrics");
        if page.lines().any(|line| texts.iter().all(|text| line.contains(text))) {
            return;
        }
        assert!(Instant::now() < deadline, "no metric with {texts:?}:\n{page}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn get(port: u16, path: &str) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("it listens");
        stream.read_to_string(&mut answer).expect("it answers in text");
    }
    answer
}

#[test]
fn retention_that_passed_the_committed_offset_is_told_and_ends_the_run_with_a_code_of_its_own() {
    for broker in broker::all() {
        for offset_reset in ["earliest", "latest"] {
            let job = Job::new(&broker, "earliest");
            job.write(20);
            job.until_end().await_success(PATIENCE);
            assert_eq!(job.labels(), 20);
            let job = Job { offset_reset, ..job };
            job.write(10);
            job.delete_before(25);
            let mut run = job.until_end();
            let code = run.await_exit(PATIENCE).code();
            assert_eq!(code, Some(LOST), "{}", run.stderr());
            assert_warned(&run, &[&job.input, "partition=0", "committed=20", "offset=25", "lost=5", "were deleted"]);
            let last = run.stderr().lines().last().unwrap_or_default().to_owned();
            assert!(last.contains("5 were deleted before they were read"), "{last}");
            assert_eq!(job.labels(), 25, "what exists is labelled");
            // The next run has all that it came for.
            let mut run = job.until_end();
            run.await_success(PATIENCE);
            run.assert_quiet_log(&[]);
        }
    }
}

#[test]
fn a_worker_that_goes_on_counts_what_was_deleted_while_it_was_down_in_its_metrics() {
    for broker in broker::all() {
        let job = Job::new(&broker, "earliest");
        job.write(20);
        job.until_end().await_success(PATIENCE);
        job.write(10);
        job.delete_before(25);
        let port = free_port();
        let bind = format!("http.listen=127.0.0.1:{port}");
        let mut worker = job.classify(&["--set", &bind]);
        job.await_labels(25);
        await_metric(port, [&format!("labelstream_lost_records_total{{topic=\"{}\"}}", job.input), " 5"]);
        worker.signal("TERM");
        worker.await_success(PATIENCE);
    }
}

#[test]
fn a_committed_offset_beyond_the_end_is_told_and_what_exists_is_labelled() {
    for broker in broker::all() {
        for offset_reset in ["earliest", "latest"] {
            let job = Job::new(&broker, offset_reset);
            job.write(30);
            admin::commit(&job.brokers, &job.group, &job.input, 0, 35);
            let mut run = job.until_end();
            let code = run.await_exit(PATIENCE).code();
            assert_eq!(code, Some(LOST), "{}", run.stderr());
            assert_warned(&run, &[&job.input, "committed=35", "end=30", "offset=0", "beyond the end"]);
            assert_eq!(job.labels(), 30);
        }
    }
}

#[test]
fn latest_survives_a_kill_before_the_first_batch_is_done() {
    for broker in broker::all() {
        let job = Job::new(&broker, "latest");
        job.write(10);
        let mut worker = job.classify(&["--set", "http.enabled=false"]);
        assert_eq!(admin::await_committed(&job.brokers, &job.group, &job.input, 0), 10);
        worker.kill();
        job.write(5);
        job.until_end().await_success(PATIENCE);
        assert_eq!(job.labels(), 5, "what came after the first start, and nothing of before");
    }
}

#[test]
fn a_partition_that_is_added_while_a_worker_runs_is_noticed_within_the_setting() {
    for broker in broker::all() {
        let job = Job::new(&broker, "latest");
        job.write(3);
        let mut worker = job.classify(&["--set", "http.enabled=false", "--set", "source.metadata_age_max_ms=1000"]);
        admin::await_committed(&job.brokers, &job.group, &job.input, 0);
        admin::add_partitions(&job.brokers, &job.input, 2);
        let early = Record { partition: Some(1), ..Record::of("{\"text\": \"where is my card\"}") };
        produce(&job.brokers, &job.input, &[early.clone(), early]);
        job.await_labels(2);
        worker.signal("TERM");
        worker.await_success(PATIENCE);
    }
}
