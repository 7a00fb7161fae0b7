//! What is fetched, held and logged has a bound: under backlog, with readers slower than the broker, and with records
//! whose weight or fault lies in their headers.

mod headers;
#[path = "../packages/tiny.rs"]
#[expect(dead_code, reason = "the packages suite bends parts of the package that are of no use here")]
mod tiny;
#[path = "../../../devbroker/tests/suite/wire.rs"]
#[expect(dead_code, reason = "devbroker's own suite uses the rest")]
mod wire;

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use kafka::connection::Connection;
use kafka::consumer::KafkaSource;
use kafka::settings::{Assignment, OffsetReset, SourceConfig, SourceSettings, UntilEnd};
use kafka::source::{Source, SourceEvent};
use schemas::Header;
use service::telemetry::{Metrics, install_metrics};
use tests::broker::{self, TestBroker};
use tests::connection;
use tests::names::unique;
use tests::process::Process;
use tests::records::{Record, create_topics, produce};
use tests::workspace;
use tiny::Tiny;
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;
/// Held by each test that reads in this process: its metrics are those of all sources.
static READING: Mutex<()> = Mutex::new(());

#[test]
fn a_slow_reader_under_backlog_fetches_hardly_more_than_it_reads() {
    const RECORDS: usize = 3000;
    const RECORD_BYTES: usize = 1000;
    let _alone = READING.lock().unwrap_or_else(PoisonError::into_inner);
    let metrics = install_metrics(&[]).expect("no other recorder");
    for broker in broker::all() {
        let before = fetched_bytes(&metrics);
        let backlog = vec![Record::of(noise(RECORD_BYTES)); RECORDS];
        let mut reader = Reader::of(&broker, 3, &backlog, |settings| {
            settings.queue_records_max = 50;
            settings.prefetch_bytes_max = 4 * MIB;
        });
        for read in 1..=RECORDS {
            reader.record();
            if read % 300 == 0 {
                thread::sleep(Duration::from_millis(700)); // a slow batch
            }
        }
        reader.end(); // statistics of the last moment came before
        let fetched = fetched_bytes(&metrics) - before;
        let ratio = fetched / (RECORDS * RECORD_BYTES) as f64;
        println!("{:?}: fetched / read = {ratio:.3}", broker.kind);
        assert!(
            (1.0..=1.2).contains(&ratio),
            "{:?}: fetched {fetched} bytes, {ratio} times what was read",
            broker.kind
        );
    }
}

#[test]
fn a_reader_that_is_busy_for_long_loses_and_repeats_nothing() {
    let _alone = READING.lock().unwrap_or_else(PoisonError::into_inner);
    for broker in broker::all() {
        // Each look at events may bring a record: with large ones the partitions are paused in the end.
        let records = vec![Record::of(noise(300_000)); 40];
        let mut reader = Reader::of(&broker, 2, &records, |settings| {
            settings.queue_bytes_max = 1;
            settings.prefetch_bytes_max = MIB;
        });
        let mut offsets = vec![reader.record()];
        thread::sleep(Duration::from_millis(4500));
        offsets.extend((1..40).map(|_| reader.record()));
        offsets.sort_unstable();
        offsets.dedup();
        assert_eq!(offsets.len(), 40, "{:?}", broker.kind);
        reader.end();
    }
}

#[test]
fn headers_count_in_every_bound_on_memory() {
    /// What the queues, batches and the prefetch of the default settings hold together, with what an allocator adds.
    const MORE_MAX: u64 = 100 << 20;
    if !cfg!(target_os = "linux") {
        return workspace::skip("the resident size", "only Linux tells it in /proc");
    }
    if !has_runtime("the resident size") {
        return;
    }
    let package = Tiny::new();
    for broker in broker::all() {
        let small = resident_bytes(&broker, &package, 1500, &[header(10)]);
        let large = resident_bytes(&broker, &package, 1500, &[header(100_000)]);
        let many = resident_bytes(&broker, &package, 600, &vec![header(1); 2000]);
        for (what, found) in [("a large header", large), ("many small headers", many)] {
            let more = found.saturating_sub(small);
            println!("{:?}: {} MiB, with {what} {} MiB more", broker.kind, small >> 20, more >> 20);
            assert!(more <= MORE_MAX, "{:?}: {small} bytes, with {what} {found}", broker.kind);
        }
    }
}

/// Whether workers can run a model here; says so where they cannot.
fn has_runtime(test: &str) -> bool {
    let is_here = workspace::tool("onnxruntime").is_dir() || std::env::var_os("ORT_DYLIB_PATH").is_some();
    if !is_here {
        workspace::skip_without_tool(test, ".tools/onnxruntime");
    }
    is_here
}

fn header(bytes: usize) -> Header {
    Header { name: "h".to_owned(), value: Some(noise(bytes).into_bytes()) }
}

/// The largest resident size of a worker that labels this many records, each with these headers.
fn resident_bytes(broker: &TestBroker, package: &Tiny, records: usize, headers: &[Header]) -> u64 {
    let job = Job::new(broker, 3);
    let record = Record { headers: headers.to_vec(), ..Record::of("good and bad") };
    produce(&broker.address, &job.input, &vec![record; records]);
    let mut worker = job.work(package);
    let mut peak = 0;
    let deadline = Instant::now() + PATIENCE;
    while let Some(resident) = peak_of(worker.id()) {
        peak = resident;
        assert!(Instant::now() < deadline, "it still runs\n{}", worker.stderr());
        thread::sleep(Duration::from_millis(20));
    }
    worker.await_success(PATIENCE);
    assert!(worker.stderr().contains(&format!("labeled={records}")), "{}", worker.stderr());
    peak
}

/// Topics of its own, and a worker that labels what lies in the input.
struct Job {
    address: String,
    input: String,
    output: String,
    dead_letters: String,
}

impl Job {
    fn new(broker: &TestBroker, partitions: i32) -> Self {
        let [input, output, dead_letters] = ["in", "out", "dead"].map(unique);
        create_topics(&broker.address, &[&input, &output, &dead_letters], partitions);
        Self { address: broker.address.clone(), input, output, dead_letters }
    }

    /// Labels plain texts until the end.
    fn work(&self, package: &Tiny) -> Process {
        let (package, group) = (package.dir().display().to_string(), unique("bounds"));
        let topics = ["--input", &self.input, "--output", &self.output, "--dead-letter", &self.dead_letters];
        let reading = ["classify", "--brokers", &self.address, "--group", &group, "--until-end", "--model", &package];
        let settings = ["--set", "http.enabled=false", "--set", "decode.format=text"];
        Process::labelstream(&[&reading[..], &topics, &settings].concat())
    }
}

/// The largest resident size that a process has had; `None` once it has ended.
fn peak_of(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// A source that commits nothing, on a topic of its own that it reads to the end.
struct Reader {
    source: KafkaSource,
    runtime: Runtime,
}

impl Reader {
    fn of(broker: &TestBroker, partitions: i32, records: &[Record], change: fn(&mut SourceSettings)) -> Self {
        let input = unique("in");
        create_topics(&broker.address, &[&input], partitions);
        produce(&broker.address, &input, records);
        let mut settings = SourceSettings {
            topics: vec![input],
            group: unique("bounds"),
            instance: None,
            assignment: Assignment::Range,
            offset_reset: OffsetReset::Earliest,
            session_timeout_ms: 6000,
            max_poll_interval_ms: 60_000,
            revoke_wait_ms: 3000,
            metadata_age_max_ms: 30_000,
            topic_wait_ms: 2000,
            request_wait_ms: 2000,
            close_wait_ms: 10_000,
            queue_records_max: 500,
            queue_bytes_max: 4 * MIB,
            prefetch_bytes_max: 16 * MIB,
        };
        change(&mut settings);
        let config = SourceConfig::try_from(settings).expect("valid settings").until_end(UntilEnd::Delivered);
        let source = KafkaSource::start(&connection(broker), config).expect("valid options");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        Self { source, runtime }
    }

    fn next(&mut self) -> SourceEvent {
        self.runtime.block_on(self.source.next()).expect("the source goes on")
    }

    /// The partition and offset of the next record.
    fn record(&mut self) -> (i32, i64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "no record came");
            match self.next() {
                SourceEvent::Record(record, _) => return (record.origin.partition, record.origin.offset),
                SourceEvent::Tick | SourceEvent::Drained { .. } | SourceEvent::Lost => {}
                SourceEvent::End => panic!("the source ended too early"),
            }
        }
    }

    /// Nothing follows; returns a moment after the end, when the last statistics are there.
    fn end(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "the end did not come");
            match self.next() {
                SourceEvent::Record(record, _) => panic!("{} is one too many", record.origin),
                SourceEvent::Tick | SourceEvent::Drained { .. } | SourceEvent::Lost => {}
                SourceEvent::End => break,
            }
        }
        for _ in 0..4 {
            assert!(matches!(self.next(), SourceEvent::Tick), "something follows the end");
        }
    }
}

fn connection(broker: &TestBroker) -> Connection {
    connection::plaintext(&broker.address)
}

/// What all sources of this process have fetched.
fn fetched_bytes(metrics: &Metrics) -> f64 {
    let text = metrics.render();
    let line = text.lines().find_map(|line| line.strip_prefix(kafka::metrics::FETCHED_BYTES));
    line.map_or(0.0, |value| value.trim().parse().expect("a number"))
}

/// Letters that do not compress.
fn noise(bytes: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let letters = (0..bytes).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'#' + u8::try_from(state % 57).expect("below 57"))
    });
    letters.collect()
}
