//! One question to a running process, as `labelstream health` asks it: GET a path, return the status and the body.
//!
//! An image without a shell has no curl, so the binary asks itself. One request to our own server on the loopback needs
//! no HTTP client: it closes the connection after its answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// `/health` is below 1 kB; a larger answer comes from another program.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("get http://{address}{path}: no answer (is the worker running, and is this its http.listen?)")]
    NoAnswer { address: SocketAddr, path: &'static str, source: io::Error },
    #[error("get http://{address}{path}: what answers is not labelstream's HTTP server")]
    NotHttp { address: SocketAddr, path: &'static str },
}

/// What a worker said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerAnswer {
    /// Such as 200 or 503.
    pub status: u16,
    pub body: String,
}

/// Asks once. `wait` bounds connecting, sending and each read.
///
/// # Errors
/// When nobody answers in time, or not in HTTP.
pub fn ask(address: SocketAddr, path: &'static str, wait: Duration) -> Result<WorkerAnswer, AskError> {
    let answer = exchange(address, path, wait).map_err(|source| AskError::NoAnswer { address, path, source })?;
    parse(&String::from_utf8_lossy(&answer)).ok_or(AskError::NotHttp { address, path })
}

fn exchange(address: SocketAddr, path: &str, wait: Duration) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, wait)?;
    stream.set_read_timeout(Some(wait))?;
    stream.set_write_timeout(Some(wait))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(answer)
}

fn parse(answer: &str) -> Option<WorkerAnswer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut words = head.split(' ');
    let is_http = words.next()?.starts_with("HTTP/1.");
    let status = words.next()?.parse().ok()?;
    is_http.then(|| WorkerAnswer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_status_and_its_body() {
        let answer = |status, body: &str| Some(WorkerAnswer { status, body: body.to_owned() });
        assert_eq!(parse("HTTP/1.1 200 OK\r\na: b\r\n\r\n{\"ready\":true}"), answer(200, "{\"ready\":true}"));
        assert_eq!(parse("HTTP/1.1 503 Service Unavailable\r\n\r\n"), answer(503, ""));
        for other in
            ["", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n", "* 200 OK\r\n\r\n"]
        {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }
}
