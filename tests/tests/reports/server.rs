//! An S3 server in a process of its own, and tests that hold credentials for it.

use std::env;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use sink::reports::{ReportStore, ReportsConfig, ReportsSettings};
use tests::process::{self, Process};
use tests::workspace;

use crate::gate::Gate;

pub(crate) const BUCKET: &str = "reports";

/// The only key that moto is shown; it takes any.
const ACCESS_KEY: &str = "labelstream-tests";

/// Runs `body` in a process that has credentials in its environment, where a store looks for them: this test again.
pub(crate) fn with_credentials(test: &str, body: impl FnOnce(S3)) {
    if env::var("AWS_ACCESS_KEY_ID").is_ok_and(|key| key == ACCESS_KEY) {
        return body(S3::start());
    }
    if !workspace::tool("python/bin/moto_server").exists() {
        return workspace::skip_without_tool(test, "python");
    }
    let output = own(test).output().expect("a test can be run again");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success() && text.contains("1 passed"), "{test} as a process of its own:\n{text}");
    print!("{text}");
}

/// This test binary, for one test, with credentials.
pub(crate) fn own(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a program knows its own path"));
    command.args(["--exact", test, "--include-ignored", "--nocapture"]);
    for (name, _) in env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", "hunter2");
    command
}

/// A running server with one bucket, behind a gate.
pub(crate) struct S3 {
    pub(crate) gate: Gate,
    server: SocketAddr,
    _process: Process,
}

impl S3 {
    fn start() -> Self {
        let port = process::free_port();
        let mut command = Command::new(workspace::tool("python/bin/moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let process = Process::start(&mut command);
        let server = SocketAddr::from(([127, 0, 0, 1], port));
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(server).is_err() {
            assert!(Instant::now() < deadline, "moto did not start:\n{}", process.stderr());
            thread::sleep(Duration::from_millis(50));
        }
        let own = Self { gate: Gate::before(server), server, _process: process };
        let (status, answer) = own.ask("PUT", &format!("/{BUCKET}"));
        assert_eq!(status, 200, "{answer}");
        own
    }

    /// A request past the gate, as anybody's client would send it.
    pub(crate) fn ask(&self, method: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.server).expect("the server runs");
        let host = self.server;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/\
             20260501/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the server answers");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// The keys of all objects that can be seen.
    pub(crate) fn keys(&self) -> Vec<String> {
        elements(&self.ask("GET", &format!("/{BUCKET}?list-type=2")).1, "Key")
    }

    /// The tags of all objects that can be seen; a dash stands in those of objects that were joined from parts.
    pub(crate) fn tags(&self) -> Vec<String> {
        elements(&self.ask("GET", &format!("/{BUCKET}?list-type=2")).1, "ETag")
    }

    /// The keys of uploads in parts that have begun and not ended.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        elements(&self.ask("GET", &format!("/{BUCKET}?uploads")).1, "Key")
    }

    /// Settings for this server, through the gate.
    pub(crate) fn settings(&self) -> ReportsSettings {
        settings(&self.gate.address.to_string())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server
    }
}

/// Settings for a server at this address, with waits that suit a test.
pub(crate) fn settings(address: &str) -> ReportsSettings {
    ReportsSettings {
        url: format!("s3://{BUCKET}/team/a"),
        endpoint: Some(format!("http://{address}")),
        region: None,
        path_style: true,
        allow_http: true,
        connect_wait_ms: 1000,
        request_wait_ms: 20_000,
        write_wait_ms: 30_000,
        retry_wait_ms: 50,
        part_bytes: 5 * 1024 * 1024,
        pending_max: 4,
    }
}

pub(crate) fn open(settings: ReportsSettings) -> ReportStore {
    ReportStore::open(&config(settings)).expect("a bucket that answers")
}

pub(crate) fn config(settings: ReportsSettings) -> ReportsConfig {
    ReportsConfig::try_from(settings).expect("good settings")
}

fn elements(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).filter_map(|rest| rest.split(&close).next()).map(str::to_owned).collect()
}
