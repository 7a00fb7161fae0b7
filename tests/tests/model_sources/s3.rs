//! `s3://`, from moto in a process of its own; credentials and the endpoint come from the environment alone.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tests::process::{self, Process, labelstream};
use tests::workspace;

use crate::{Fetching, manifest, tiny_files};

/// An S3 server with the bucket `models`.
struct S3 {
    address: SocketAddr,
    process: Process,
}

impl S3 {
    fn start() -> Self {
        let port = process::free_port();
        let mut command = Command::new(workspace::tool("python/bin/moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let process = Process::start(&mut command);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "moto did not start:\n{}", process.stderr());
            thread::sleep(Duration::from_millis(50));
        }
        let own = Self { address, process };
        own.put("/models", b"");
        own
    }

    fn put(&self, path: &str, content: &[u8]) {
        let mut stream = TcpStream::connect(self.address).expect("the server runs");
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: AWS4-HMAC-SHA256 Credential=tests/20260501/us-east-1/s3/\
             aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            content.len()
        );
        stream.write_all(&[head.as_bytes(), content].concat()).expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    fn pull(&self, fetching: &Fetching, address: &str) -> (Option<i32>, Process) {
        let mut command = Command::new(labelstream());
        command.args(["model", "pull", address, "--model-cache"]).arg(fetching.cache());
        command.args(["--set", "packages.retry_wait_ms=10", "--set", "packages.attempts_max=2"]);
        command.env("AWS_ACCESS_KEY_ID", "tests").env("AWS_SECRET_ACCESS_KEY", "hunter2");
        command.env("AWS_ENDPOINT_URL", format!("http://{}", self.address));
        let mut process = Process::start(command.current_dir(std::env::temp_dir()));
        let code = process.await_exit(Duration::from_secs(120)).code();
        assert!(
            !process.stderr().contains("hunter2") && !process.stderr().contains("Signature"),
            "{}",
            process.stderr()
        );
        (code, process)
    }
}

#[test]
fn a_prefix_of_a_bucket_is_a_package() {
    if !workspace::tool("python/bin/moto_server").exists() {
        return workspace::skip_without_tool("a_prefix_of_a_bucket_is_a_package", "python");
    }
    let (mut s3, fetching) = (S3::start(), Fetching::new());
    let mut files = tiny_files("first");
    files.push(manifest(&files));
    for (name, content) in &files {
        s3.put(&format!("/models/intents/v1/{name}"), content);
    }
    let (code, process) = s3.pull(&fetching, "s3://models/intents/v1");
    assert_eq!(code, Some(0), "{}", process.stderr());
    process.assert_quiet_log(&[]);
    let first = process.stdout();
    assert_eq!(s3.pull(&fetching, "s3://models/intents/v1").1.stdout(), first);

    // Other content under the same prefix is another package.
    let mut files = tiny_files("second");
    files.push(manifest(&files));
    for (name, content) in &files {
        s3.put(&format!("/models/intents/v1/{name}"), content);
    }
    let (code, process) = s3.pull(&fetching, "s3://models/intents/v1");
    assert_eq!(code, Some(0), "{}", process.stderr());
    let second = process.stdout();
    assert_ne!(second, first);

    // A file that its labelstream.json does not know like this.
    s3.put("/models/intents/v1/config.json", &tiny_files("third")[0].1);
    let (code, process) = s3.pull(&fetching, "s3://models/intents/v1");
    let log = process.stderr();
    assert!(code == Some(78) && log.contains("config.json is not what labelstream.json promises"), "{code:?}: {log}");
    let (code, process) = s3.pull(&fetching, "s3://models/absent");
    let log = process.stderr();
    assert!(code == Some(78) && log.contains("has nothing below \"absent\""), "{code:?}: {log}");

    // Nobody there: what was there last, and nothing that was never asked for.
    s3.process.kill();
    let (code, process) = s3.pull(&fetching, "s3://models/intents/v1");
    assert_eq!((code, process.stdout()), (Some(0), second), "{}", process.stderr());
    assert!(process.stderr().contains("WARN") && process.stderr().contains("the registry cannot be reached"));
    let (code, process) = s3.pull(&fetching, "s3://models/intents/v2");
    assert_eq!(code, Some(1), "it may work later: {}", process.stderr());
}
