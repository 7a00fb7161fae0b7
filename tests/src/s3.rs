//! An S3 server in a process of its own: moto, of `.tools/python`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{self, Process};
use crate::workspace;

/// How long the server may take to start.
const START_MAX: Duration = Duration::from_secs(60);

/// A running server with one bucket; it takes any credentials.
pub struct S3Server {
    pub address: SocketAddr,
    pub process: Process,
}

impl S3Server {
    /// Whether `tools/install python` was run.
    #[must_use]
    pub fn is_installed() -> bool {
        workspace::tool("python/bin/moto_server").exists()
    }

    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(bucket: &str) -> Self {
        let port = process::free_port();
        let mut command = Command::new(workspace::tool("python/bin/moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let process = Process::start(&mut command);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let deadline = Instant::now() + START_MAX;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "moto did not start:\n{}", process.stderr());
            thread::sleep(Duration::from_millis(50));
        }
        let own = Self { address, process };
        let (status, answer) = own.ask("PUT", &format!("/{bucket}"), b"");
        assert_eq!(status, 200, "{answer}");
        own
    }

    /// Status and body of the answer to one request, as anybody's client would send it.
    ///
    /// # Panics
    /// When the server does not answer in HTTP.
    #[must_use]
    pub fn ask(&self, method: &str, path: &str, content: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).expect("the server runs");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: AWS4-HMAC-SHA256 Credential=tests/20260501/us-east-1/s3/\
             aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            content.len()
        );
        stream.write_all(&[head.as_bytes(), content].concat()).expect("the server reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the server answers");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }
}
