//! Real requests over a socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::*;

struct Running {
    server: Server,
    health: Arc<Health>,
    stop: CancellationToken,
    batches: Arc<AtomicU64>,
}

fn start() -> Running {
    let stop = CancellationToken::new();
    let batches = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&batches);
    let counts = move || Counts { labeled: 7, batches: counted.load(Ordering::Relaxed), ..Counts::default() };
    let health = Health::new(stop.clone(), counts);
    let config = HttpSettings { enabled: true, listen: "127.0.0.1:0".to_owned() }.try_into().expect("good settings");
    let render: Render = Box::new(|| "one_total 1\n".to_owned());
    let server = Server::start(config, Arc::clone(&health), render).expect("a free port").expect("switched on");
    Running { server, health, stop, batches }
}

/// The status line's number, the content type and the body.
fn request(address: SocketAddr, line: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set a time-out");
    write!(stream, "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default();
    (status, kind.to_owned(), body.to_owned())
}

#[track_caller]
fn check(running: &Running, line: &str, status: u16, expected: &Value) {
    let (found, kind, body) = request(running.server.address(), line);
    assert_eq!((found, kind.as_str()), (status, "application/json"), "{body}");
    assert_eq!(serde_json::from_str::<Value>(&body).expect("JSON"), *expected);
}

#[test]
fn ready_says_what_is_missing_until_nothing_is() {
    let running = start();
    let not = |reason: &str| json!({"ready": false, "reason": reason});
    check(&running, "GET /ready", 503, &not("the model is not loaded"));
    running.health.model_loaded();
    check(&running, "GET /ready", 503, &not("not a member of the consumer group yet"));
    running.health.watch_group(|| true);
    check(&running, "GET /ready", 200, &json!({"ready": true}));
    running.stop.cancel();
    check(&running, "GET /ready", 503, &not("stopping: finishing what is under way"));
}

#[test]
fn health_tells_of_the_last_commit() {
    let running = start();
    let health = || -> Value {
        let (status, _, body) = request(running.server.address(), "GET /health");
        assert_eq!(status, 200);
        serde_json::from_str(&body).expect("JSON")
    };
    assert_eq!(health()["last_commit_seconds_ago"], Value::Null);
    running.batches.store(1, Ordering::Relaxed);
    let after = health();
    assert!(after["last_commit_seconds_ago"].as_u64().is_some_and(|age| age < 20), "{after}");
    assert_eq!((&after["status"], &after["labeled"]), (&json!("alive"), &json!(7)));
}

#[test]
fn metrics_are_rendered_as_text() {
    let (status, kind, body) = request(start().server.address(), "GET /metrics");
    assert_eq!(
        (status, kind.as_str(), body.as_str()),
        (200, "text/plain; version=0.0.4; charset=utf-8", "one_total 1\n")
    );
}

#[test]
fn other_paths_and_methods_are_refused_as_json() {
    let running = start();
    let error = json!({"error": "nothing at /metric; there are /health, /ready and /metrics"});
    check(&running, "GET /metric?x=1", 404, &error);
    check(&running, "POST /ready", 405, &json!({"error": "only GET at /ready"}));
}

#[test]
fn a_taken_address_names_the_setting() {
    let running = start();
    let config = HttpConfig { listen: Some(running.server.address()) };
    let error = Server::start(config, Arc::clone(&running.health), Box::new(String::new)).err().expect("taken");
    assert!(error.to_string().contains("http.listen"), "{error}");
}

#[test]
fn closing_frees_the_address_though_a_client_is_connected() {
    let Running { server, .. } = start();
    let address = server.address();
    let _idle = TcpStream::connect(address).expect("connect");
    let started = Instant::now();
    drop(server);
    assert!(started.elapsed() < CLOSE_WAIT * 5);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn settings_are_checked() {
    let parse = |enabled, listen: &str| HttpConfig::try_from(HttpSettings { enabled, listen: listen.to_owned() });
    assert_eq!(parse(false, "127.0.0.1:1").expect("good").listen(), None);
    for bad in ["localhost", "localhost:9464", ":9464", "127.0.0.1:99999", ""] {
        assert_eq!(parse(true, bad).expect_err(bad)[0].key, "http.listen");
    }
}
