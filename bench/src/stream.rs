//! Kafka to Kafka through the binary, and what a `read_committed` consumer sees of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tests::names::unique;
use tests::process::{Process, free_port};
use tests::records::{Record, client, create_topics, produce};

pub(crate) const PARTITIONS: i32 = 4;
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// One worker's topics, so that every round starts from nothing.
pub(crate) struct Stage {
    address: String,
    input: String,
    output: String,
    model: PathBuf,
    http: u16,
    settings: Vec<String>,
}

impl Stage {
    pub(crate) fn new(address: &str, model: &Path, sessions: usize, set: &[String]) -> Self {
        let (input, output) = (unique("bench-in"), unique("bench-out"));
        create_topics(address, &[&input, &output], PARTITIONS);
        let http = free_port();
        let mut settings = vec![
            format!("http.listen=127.0.0.1:{http}"),
            format!("model.sessions={sessions}"),
            "model.cache_entries=0".into(),
        ];
        settings.extend_from_slice(set);
        Self { address: address.into(), input, output, model: model.into(), http, settings }
    }

    /// A worker that is ready for the first record.
    pub(crate) fn worker(&self) -> Process {
        let dead_letters = format!("{}-dead", self.output);
        let model = self.model.display().to_string();
        let mut arguments = vec!["classify", "--brokers", &self.address, "--input", &self.input];
        arguments.extend(["--output", &self.output, "--dead-letter", &dead_letters, "--group", &self.input]);
        arguments.extend(["--instance", "bench", "--model", &model]);
        for setting in &self.settings {
            arguments.extend(["--set", setting]);
        }
        let worker = Process::labelstream(&arguments);
        let deadline = Instant::now() + PATIENCE;
        while !self.http("/ready").starts_with("HTTP/1.1 200") {
            assert!(Instant::now() < deadline, "the worker is not ready; its log: {}", worker.stderr());
            thread::sleep(Duration::from_millis(50));
        }
        worker
    }

    /// From the first record's write to the last label's sight.
    pub(crate) fn texts_per_second(&self, texts: &[String]) -> f64 {
        let records: Vec<_> = texts.iter().zip(0..).map(|(text, number)| record(text, number)).collect();
        let reader = self.reader();
        let started = Instant::now();
        produce(&self.address, &self.input, &records);
        self.read(&reader, records.len(), |_| {});
        texts.len() as f64 / started.elapsed().as_secs_f64()
    }

    /// Microseconds from a record's write to its label's sight, at a steady rate of single records.
    pub(crate) fn latency(&self, texts: &[String], per_second: f64, seconds: u64) -> Histogram<u64> {
        let mut latencies = Histogram::new(3).expect("three digits are a valid precision");
        let interval = Duration::from_secs_f64(1.0 / per_second);
        let count =
            usize::try_from(Duration::from_secs(seconds).as_nanos() / interval.as_nanos()).expect("far below 2^64");
        let reader = self.reader();
        thread::scope(|scope| {
            scope.spawn(|| self.write_steadily(texts, per_second, count));
            self.read(&reader, count, |written| {
                let latency = now_us().saturating_sub(written);
                latencies.record(latency).expect("the histogram grows as needed");
            });
        });
        latencies
    }

    fn write_steadily(&self, texts: &[String], per_second: f64, count: usize) {
        let producer: BaseProducer =
            client(&self.address).set("linger.ms", "0").create().expect("a producer needs only an address");
        let started = Instant::now();
        for (text, number) in texts.iter().cycle().zip(0..count) {
            let due = started + Duration::from_secs_f64(number as f64 / per_second);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let Record { partition, key, payload, .. } = record(text, number);
            let (key, payload) = (key.unwrap_or_default(), payload.unwrap_or_default());
            let mut sent = BaseRecord::to(&self.input).key(&key).payload(&payload);
            sent.partition = partition;
            producer.send(sent).map_err(|(error, _)| error).expect("the queue has room");
            producer.poll(Duration::ZERO);
        }
        producer.flush(PATIENCE).expect("the broker acknowledges");
    }

    fn reader(&self) -> BaseConsumer {
        let reader: BaseConsumer = client(&self.address)
            .set("group.id", unique("bench-reader"))
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("fetch.wait.max.ms", "10")
            .create()
            .expect("a consumer needs only an address and a group");
        reader.subscribe(&[&self.output]).expect("one topic");
        reader
    }

    /// Reads `count` labels; `seen` gets the microsecond at which each record was written.
    fn read(&self, reader: &BaseConsumer, count: usize, mut seen: impl FnMut(u64)) {
        let deadline = Instant::now() + PATIENCE;
        let mut read = 0;
        while read < count {
            assert!(Instant::now() < deadline, "{read} of {count} labels came in {PATIENCE:?}");
            if let Some(message) = reader.poll(Duration::from_millis(5)) {
                let message = message.expect("a readable label");
                seen(written_us(message.key().expect("records have keys")));
                read += 1;
            }
        }
    }

    /// Commits as the worker itself measured them, delivery reports awaited first.
    pub(crate) fn commit_times(&self) -> String {
        let metrics = self.http("/metrics");
        let value = |name: &str| {
            let line = metrics.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.rsplit(' ').next()).and_then(|text| text.parse::<f64>().ok())
        };
        let count = value("labelstream_commit_seconds_count").unwrap_or(0.0);
        let sum = value("labelstream_commit_seconds_sum").unwrap_or(0.0);
        format!("p50 {}, mean {:.1} ms over {count} commits", median(&metrics, count), 1000.0 * sum / count.max(1.0))
    }

    fn http(&self, path: &str) -> String {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.http)) {
            let asked = write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            if asked.is_ok() && stream.read_to_string(&mut answer).is_err() {
                answer.clear();
            }
        }
        answer
    }
}

/// The median of the commit histogram, interpolated inside its bucket.
fn median(metrics: &str, count: f64) -> String {
    let mut below = (0.0, 0.0);
    for line in metrics.lines().filter(|line| line.starts_with("labelstream_commit_seconds_bucket")) {
        let bound =
            line.split("le=\"").nth(1).and_then(|rest| rest.split('"').next()).and_then(|text| text.parse().ok());
        let reached = line.rsplit(' ').next().and_then(|text| text.parse::<f64>().ok());
        let (Some(bound), Some(reached)) = (bound, reached) else { continue };
        if reached >= count / 2.0 && reached > below.1 {
            let share = (count / 2.0 - below.1) / (reached - below.1);
            let seconds: f64 = below.0 + share * (bound - below.0);
            return format!("{:.1} ms", 1000.0 * seconds);
        }
        below = (bound, reached);
    }
    "unknown".into()
}

fn record(text: &str, number: usize) -> Record {
    let payload = serde_json::json!({ "text": text }).to_string();
    Record { partition: i32::try_from(number).ok().map(|number| number % PARTITIONS), ..Record::of(payload) }
        .keyed(now_us().to_be_bytes())
}

fn now_us() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_micros()).expect("far below 2^64")
}

fn written_us(key: &[u8]) -> u64 {
    key.try_into().map(u64::from_be_bytes).expect("keys are the microsecond of writing")
}
