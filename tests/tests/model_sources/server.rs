//! A web server for files on this machine, which can break off, hold back, redirect and be gone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What is answered to one path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Route {
    /// 200 when 0.
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// So many answers end after half of what is left.
    pub(crate) cuts: usize,
    /// The answer stops half way, and the connection stays open.
    pub(crate) holds: bool,
    /// Pays no attention to ranges.
    pub(crate) is_whole: bool,
}

impl Route {
    pub(crate) fn of(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }
}

/// A running server; ends with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    routes: Mutex<BTreeMap<String, Route>>,
    /// The first line of each request, with its range and authorization.
    asked: Mutex<Vec<String>>,
    is_gone: AtomicBool,
    has_ended: AtomicBool,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(State::default());
        let own = Arc::clone(&state);
        thread::spawn(move || own.accept(&listener));
        Self { address, state }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn set(&self, path: &str, route: Route) {
        self.state.routes.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), route);
    }

    pub(crate) fn change(&self, path: &str, change: impl FnOnce(&mut Route)) {
        let mut routes = self.state.routes.lock().unwrap_or_else(PoisonError::into_inner);
        change(routes.get_mut(path).unwrap_or_else(|| panic!("{path} is not served")));
    }

    /// From now on connections are closed at once.
    pub(crate) fn go(&self) {
        self.state.is_gone.store(true, Ordering::SeqCst);
    }

    pub(crate) fn return_again(&self) {
        self.state.is_gone.store(false, Ordering::SeqCst);
    }

    /// What was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.state.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until a path was asked for.
    pub(crate) fn await_asked(&self, path: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.state.asked.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|line| line.contains(path)) {
            assert!(Instant::now() < deadline, "{path} was not asked for");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Serves a repository as the Hugging Face hub does: its files at this commit, which is the branch `main` now.
    pub(crate) fn hub(&self, repository: &str, commit: &str, files: &[(String, Vec<u8>)]) {
        let mut siblings = Vec::new();
        for (name, content) in files {
            let path = format!("/{repository}/resolve/{commit}/{name}");
            let mut sibling =
                serde_json::json!({"rfilename": name, "size": content.len(), "blobId": git_blob(content)});
            if name.ends_with(".onnx") {
                let digest = sha256(content);
                sibling["lfs"] = serde_json::json!({"sha256": digest, "size": content.len(), "pointerSize": 134});
                let headers = vec![("Location", format!("/cdn/{digest}")), ("X-Linked-Etag", format!("\"{digest}\""))];
                self.set(&path, Route { status: 302, headers, ..Route::default() });
                self.set(&format!("/cdn/{digest}"), Route::of(content.clone()));
            } else {
                self.set(&path, Route::of(content.clone()));
            }
            siblings.push(sibling);
        }
        let answer = serde_json::json!({"id": repository, "sha": commit, "siblings": siblings}).to_string();
        for revision in ["main", commit] {
            let path = format!("/api/models/{repository}/revision/{revision}?blobs=true");
            self.set(&path, Route::of(answer.clone()));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.has_ended.store(true, Ordering::SeqCst);
        TcpStream::connect(self.address).ok(); // wakes the listener, which then ends
    }
}

impl State {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.has_ended.load(Ordering::SeqCst) {
                return;
            }
            let Ok(client) = client else { continue };
            if self.is_gone.load(Ordering::SeqCst) {
                continue; // closed at once
            }
            let own = Arc::clone(self);
            thread::spawn(move || own.answer(client).ok()); // a client that left wants no answer
        }
    }

    fn answer(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(client.try_clone()?).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let headers: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let header = |name: &str| {
            headers.iter().find_map(|line| {
                line.split_once(':')
                    .filter(|(found, _)| found.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.trim())
            })
        };
        let path = first.split(' ').nth(1).unwrap_or_default();
        let (range, authorization) = (header("range"), header("authorization"));
        let told = format!("{path} {} {}", range.unwrap_or_default(), authorization.unwrap_or_default());
        let found = self.routes.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(told.trim_end().to_owned());
        let route = found.unwrap_or(Route { status: 404, body: b"Entry not found".to_vec(), ..Route::default() });
        let begin = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()).unwrap_or(0);
        let begin = if route.is_whole || route.status != 0 { 0 } else { begin };
        let (length, status) = (route.body.len(), if route.status == 0 { 200 } else { route.status });
        if begin >= length && begin > 0 {
            return write!(client, "HTTP/1.1 416 Range\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        let mut head = String::new();
        if begin > 0 {
            write!(head, "HTTP/1.1 206 Partial\r\nContent-Range: bytes {begin}-{}/{length}\r\n", length - 1).ok();
        } else {
            write!(head, "HTTP/1.1 {status} Answer\r\n").ok();
        }
        for (name, value) in &route.headers {
            write!(head, "{name}: {value}\r\n").ok();
        }
        let body = &route.body[begin..];
        write!(client, "{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
        if !route.holds && route.cuts == 0 {
            return client.write_all(body);
        }
        client.write_all(&body[..body.len() / 2])?;
        client.flush()?;
        if let Some(served) = self.routes.lock().unwrap_or_else(PoisonError::into_inner).get_mut(path) {
            served.cuts = served.cuts.saturating_sub(1);
        }
        while route.holds && !self.has_ended.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// SHA-256, hexadecimal.
pub(crate) fn sha256(content: &[u8]) -> String {
    format!("{:x}", Sha256::digest(content))
}

fn git_blob(content: &[u8]) -> String {
    format!("{:x}", Sha1::digest([format!("blob {}\0", content.len()).as_bytes(), content].concat()))
}
