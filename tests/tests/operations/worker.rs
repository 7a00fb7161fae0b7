//! `classify` on topics of its own, with a model package of a few hundred bytes, and questions to its HTTP server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::broker::TestBroker;
use tests::names::unique;
use tests::process::{Process, free_port, labelstream};
use tests::records::{Record, create_topics, produce};
use tests::workspace;

use crate::tiny::{CONFIG, Tiny, tokenizer};

/// Far beyond what anything here takes on a busy machine; what hangs fails here instead of stopping the suite.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// The log's word for a worker that has joined its group.
pub(crate) const STARTED: &str = "worker started";
/// A word that the tokenizer knows and the model does not: its id lies outside the model's table of weights.
pub(crate) const POISON: &str = "poison";

/// A package whose model fails on every text that holds [`POISON`].
pub(crate) fn poisonable() -> Tiny {
    let words = tokenizer().replace("\"huge\":5", &format!("\"huge\":5,\"{POISON}\":6"));
    assert!(words.contains(POISON), "the tokenizer of the tiny package has changed: {words}");
    Tiny::new()
        .with("tokenizer.json", words)
        .with("config.json", CONFIG.replace("\"vocab_size\": 6", "\"vocab_size\": 7"))
}

/// False where ONNX Runtime is not installed: the test is skipped and says so.
pub(crate) fn has_runtime(test: &str) -> bool {
    let is_there = workspace::tool("onnxruntime").is_dir();
    if !is_there {
        workspace::skip_without_tool(test, ".tools/onnxruntime");
    }
    is_there
}

/// Topics, group and HTTP port of one job.
pub(crate) struct Job {
    pub(crate) brokers: String,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) dead_letters: String,
    pub(crate) http: SocketAddr,
    group: String,
    package: Tiny,
}

impl Job {
    pub(crate) fn new(broker: &TestBroker, package: Tiny) -> Self {
        let job = Self {
            brokers: broker.address.clone(),
            input: unique("operations-in"),
            output: unique("operations-out"),
            dead_letters: unique("operations-dead"),
            group: unique("operations"),
            http: SocketAddr::from(([127, 0, 0, 1], free_port())),
            package,
        };
        create_topics(&job.brokers, &[&job.input, &job.output, &job.dead_letters], 1);
        job
    }

    /// Writes a record with each of these texts.
    pub(crate) fn write<T: AsRef<str>>(&self, texts: impl IntoIterator<Item = T>) {
        let record = |text: T| Record::of(serde_json::json!({ "text": text.as_ref() }).to_string());
        let records: Vec<_> = texts.into_iter().map(record).collect();
        produce(&self.brokers, &self.input, &records);
    }

    pub(crate) fn arguments(&self, more: &[&str]) -> Vec<String> {
        let (package, http) = (self.package.dir().display().to_string(), format!("http.listen={}", self.http));
        let own = [
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
            "one",
            "--model",
            &package,
            "--set",
            &http,
            "--set",
            "source.session_timeout_ms=6000",
        ];
        own.iter().chain(more).map(|&argument| argument.to_owned()).collect()
    }

    pub(crate) fn start(&self, more: &[&str]) -> Process {
        Process::start(Command::new(labelstream()).args(self.arguments(more)))
    }

    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    /// Status and body of an answer; `None` while nothing answers.
    pub(crate) fn ask(&self, path: &str) -> Option<(u16, String)> {
        ask(self.http, path)
    }

    /// Asks until the status is this one; the body as JSON.
    pub(crate) fn await_status(&self, path: &str, status: u16) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(path);
            if let Some((_, body)) = answer.as_ref().filter(|(found, _)| *found == status) {
                return serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"));
            }
            assert!(Instant::now() < deadline, "{path} does not answer {status}: {answer:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Asks until status and body are as expected; the body as JSON. `what` is expected, for the message.
pub(crate) fn await_answer(
    address: SocketAddr,
    path: &str,
    what: &str,
    is_expected: impl Fn(u16, &Value) -> bool,
) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask(address, path);
        let parsed = answer.as_ref().and_then(|(status, body)| Some((*status, serde_json::from_str(body).ok()?)));
        if let Some((status, body)) = parsed
            && is_expected(status, &body)
        {
            return body;
        }
        assert!(Instant::now() < deadline, "not so: {what}; {path} answers {answer:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Status and body of an answer; `None` when nothing answers.
pub(crate) fn ask(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
