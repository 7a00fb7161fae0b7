//! TLS to the store: a server that the system's certificates vouch for is talked to, and a stranger is not.

use std::env;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use schemas::Recovery;
use sink::reports::{ReportStore, ReportsSettings};
use tempfile::TempDir;
use tests::process::{self, Process};
use tests::workspace;

use crate::sample;
use crate::server::{self, BUCKET};

/// The port of the server, for the processes that talk to it.
const PORT: &str = "LABELSTREAM_TESTS_PORT";

#[test]
fn only_a_server_that_is_vouched_for_is_talked_to() {
    let python = workspace::tool("python/bin/python");
    if !workspace::tool("python/bin/moto_server").exists() {
        return workspace::skip_without_tool("only_a_server_that_is_vouched_for_is_talked_to", "python");
    }
    let folder = TempDir::new().expect("a temporary folder");
    run(Command::new(&python).arg(workspace::root().join("tests/clients/certificate.py")).arg(folder.path()));
    let port = process::free_port().to_string();
    let _server = serve(folder.path(), &port);
    let make_bucket = "import ssl, sys, urllib.request as u\n\
                       request = u.Request(sys.argv[1], method='PUT', headers={'Authorization': sys.argv[2]})\n\
                       u.urlopen(request, context=ssl._create_unverified_context())";
    let authorization =
        "AWS4-HMAC-SHA256 Credential=x/20260501/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    run(Command::new(&python).args(["-c", make_bucket, &format!("https://127.0.0.1:{port}/{BUCKET}"), authorization]));

    let certificates = folder.path().join("ca.pem");
    let known = run(server::own("tls::write_to_one_who_is_known").env(PORT, &port).env("SSL_CERT_FILE", certificates));
    let stranger = run(server::own("tls::write_to_a_stranger").env(PORT, &port));
    assert!([known, stranger].iter().all(|output| output.contains("1 passed")), "both ran");
}

#[test]
#[ignore = "run by another test as a process of its own"]
fn write_to_one_who_is_known() {
    let (store, report) = (server::open(settings()), sample::hour(6, 10));
    store.write(&report).expect("a server that is vouched for");
    assert_eq!(store.read(&sample::name(&report)).expect("just written"), report);
}

#[test]
#[ignore = "run by another test as a process of its own"]
fn write_to_a_stranger() {
    let error = ReportStore::open(&server::config(settings())).expect_err("nobody vouches for it");
    assert!(error.to_string().contains("SSL_CERT_FILE") && error.recovery() == Recovery::Exit, "{error:?}");
}

fn settings() -> ReportsSettings {
    let address = format!("127.0.0.1:{}", env::var(PORT).expect("set by another test"));
    let endpoint = Some(format!("https://{address}"));
    ReportsSettings {
        endpoint,
        allow_http: false,
        write_wait_ms: 3000,
        request_wait_ms: 3000,
        ..server::settings(&address)
    }
}

fn serve(folder: &Path, port: &str) -> Process {
    let mut command = Command::new(workspace::tool("python/bin/moto_server"));
    command.args(["-H", "127.0.0.1", "-p", port, "-c"]).arg(folder.join("server.pem"));
    let server = Process::start(command.arg("-k").arg(folder.join("server.key")));
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
        assert!(Instant::now() < deadline, "moto did not start:\n{}", server.stderr());
        thread::sleep(Duration::from_millis(50));
    }
    server
}

/// Runs a command, which must succeed; what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{text}");
    text
}
