//! An S3 server in a process of its own, and tests that hold credentials for it.

use std::env;
use std::net::SocketAddr;
use std::process::Command;

use sink::reports::{ReportStore, ReportsConfig, ReportsSettings};
use tests::s3::S3Server;
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
    if !S3Server::is_installed() {
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
    server: S3Server,
}

impl S3 {
    fn start() -> Self {
        let server = S3Server::start(BUCKET);
        Self { gate: Gate::before(server.address), server }
    }

    /// A request past the gate.
    pub(crate) fn ask(&self, method: &str, path: &str) -> (u16, String) {
        self.server.ask(method, path, b"")
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
        self.server.address
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
