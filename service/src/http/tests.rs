//! Real requests over a socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use std::time::Instant;

use crate::stages::{Pulse, Stages, Watchdog, Work};
use schemas::Origin;
use serde_json::{Value, json};

use super::serve::CLOSE_WAIT;
use super::*;

/// Far beyond what an answer takes; what hangs fails here instead of stopping the suite.
const PATIENCE: Duration = Duration::from_secs(20);

const PROGRAM: Program = Program {
    command: "classify",
    port: 0,
    not_loaded: "the model is not loaded",
    not_joined: "not a member of the consumer group yet",
    since_last_commit: "last_commit",
};

struct Running {
    server: Server,
    health: Arc<Health>,
    stop: CancellationToken,
    batches: Arc<AtomicU64>,
    stages: Arc<Stages>,
}

fn settings() -> HttpSettings {
    let listen = Some("127.0.0.1:0".to_owned());
    HttpSettings { enabled: true, listen, connections_max: 64, request_wait_ms: 10_000 }
}

fn start() -> Running {
    start_with(PROGRAM, settings())
}

fn start_with(program: Program, settings: HttpSettings) -> Running {
    start_with_backlog(program, settings, None)
}

fn start_with_backlog(program: Program, settings: HttpSettings, backlog: Option<Ask>) -> Running {
    let stop = CancellationToken::new();
    let batches = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&batches);
    let facts = move || Facts { commits: counted.load(Ordering::Relaxed), members: vec![("labeled", json!(7))] };
    let stages = Stages::new("stalled", &["label"]);
    let health = Health::new(program, stop.clone(), Arc::clone(&stages), facts);
    let config = settings.try_into().expect("good settings");
    let told = Told { metrics: Box::new(|| "one_total 1\n".to_owned()), backlog };
    let server = Server::start(config, Arc::clone(&health), told).expect("a free port").expect("switched on");
    Running { server, health, stop, batches, stages }
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
    running.health.loaded();
    check(&running, "GET /ready", 503, &not("not a member of the consumer group yet"));
    running.health.watch_group(|| true);
    check(&running, "GET /ready", 200, &json!({"ready": true}));
    running.stop.cancel();
    check(&running, "GET /ready", 503, &not("stopping: finishing work in progress"));
}

#[test]
fn health_tells_of_the_last_commit() {
    let running = start();
    let health = || -> Value {
        let (status, _, body) = request(running.server.address(), "GET /health");
        assert_eq!(status, 200);
        serde_json::from_str(&body).expect("JSON")
    };
    assert_eq!(health()["last_commit"], Value::Null);
    running.batches.store(1, Ordering::Relaxed);
    let after = health();
    assert!(after["last_commit"].as_u64().is_some_and(|age| age < 20), "{after}");
    assert_eq!((&after["status"], &after["labeled"]), (&json!("alive"), &json!(7)));
    assert_eq!(after["command"], json!("classify"));
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
    let list = "available are /, /health (/healthz, /livez), /ready (/readyz) and /metrics";
    let error = json!({"error": format!("not found: /metric; {list}")});
    check(&running, "GET /metric?x=1", 404, &error);
    check(&running, "POST /ready", 405, &json!({"error": "only GET at /ready"}));
}

#[test]
fn a_backlog_is_told_or_why_it_is_not_known() {
    let known = Arc::new(AtomicU64::new(0));
    let ask: Ask = Box::new({
        let known = Arc::clone(&known);
        move || if known.load(Ordering::Relaxed) == 1 { Ok(json!({"records": 7})) } else { Err("no broker".to_owned()) }
    });
    let running = start_with_backlog(PROGRAM, settings(), Some(ask));
    check(&running, "GET /backlog", 503, &json!({"error": "no broker"}));
    known.store(1, Ordering::Relaxed);
    check(&running, "GET /backlog", 200, &json!({"records": 7}));
    let (_, _, index) = request(running.server.address(), "GET /");
    assert!(index.contains("\n/backlog "), "{index}");
    let without = start();
    assert_eq!(request(without.server.address(), "GET /backlog").0, 404);
}

#[test]
fn the_root_lists_what_there_is_and_habitual_paths_are_answered() {
    let running = start();
    running.health.loaded();
    let ask = |path: &str| request(running.server.address(), &format!("GET {path}"));
    let (status, kind, body) = ask("/");
    assert_eq!((status, kind.as_str()), (200, "text/plain; charset=utf-8"));
    for expected in ["classify", "alive; not ready: not a member", "\n/health ", "\n/ready ", "\n/metrics "] {
        assert!(body.contains(expected), "no {expected:?} in:\n{body}");
    }
    for path in ["/health", "/healthz", "/livez"] {
        let (status, _, body) = ask(path);
        assert_eq!((status, body.contains("\"alive\"")), (200, true), "{path}: {body}");
    }
    for path in ["/ready", "/readyz"] {
        let (status, _, body) = ask(path);
        assert_eq!((status, body.contains("not a member")), (503, true), "{path}: {body}");
    }
}

/// Waits until `/health` answers this status.
fn await_health(running: &Running, status: u16) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (found, _, body) = request(running.server.address(), "GET /health");
        if found == status {
            return serde_json::from_str(&body).expect("JSON");
        }
        assert!(Instant::now() < deadline, "/health still answers {found}: {body}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn health_says_which_stage_hangs_on_what_until_it_goes_on() {
    let running = start();
    running.health.loaded();
    running.health.watch_group(|| true);
    let _watchdog = Watchdog::start(Arc::clone(&running.stages), |_| Duration::from_millis(1)).expect("a thread");
    let pulse: Pulse = running.stages.pulse("label");
    let first = Some(Origin { topic: "messages".into(), partition: 2, offset: 40 });
    let working = pulse.work(Work { task: "label a batch", records: 9, first });
    let health = await_health(&running, 503);
    assert_eq!(health["status"], json!("stalled"));
    let stall = &health["stalled"][0];
    assert_eq!((&stall["stage"], &stall["task"]), (&json!("label"), &json!("label a batch")));
    assert_eq!((&stall["records"], &stall["first_record"]), (&json!(9), &json!("messages[2]@40")));
    assert!(stall["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{stall}");
    check(&running, "GET /ready", 503, &json!({"ready": false, "reason": "a stage hangs: see /health"}));
    drop(working);
    assert_eq!(await_health(&running, 200)["status"], json!("alive"));
}

/// The server has closed the connection.
fn await_closed(mut half_open: TcpStream) {
    half_open.set_read_timeout(Some(PATIENCE)).expect("set a time-out");
    match half_open.read(&mut [0; 64]) {
        Ok(0) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        other => panic!("the connection is still open: {other:?}"),
    }
}

#[test]
fn connections_that_ask_nothing_are_closed_and_keep_no_one_out() {
    let running = start_with(PROGRAM, HttpSettings { connections_max: 4, request_wait_ms: 60_000, ..settings() });
    let address = running.server.address();
    let half_open = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(address).expect("connect");
        stream.write_all(bytes).expect("send");
        stream
    };
    let mut held: Vec<_> = (0..40).map(|at| half_open(&b"GET /health HTTP/1.1\r\nHost: x\r\n"[..at % 30])).collect();
    assert_eq!(request(address, "GET /health").0, 200, "a probe is answered all the same");
    held.truncate(36);
    held.into_iter().for_each(await_closed); // the oldest; the time-out is far away
}

#[test]
fn a_connection_ends_with_its_answer_or_its_time() {
    let running = start_with(PROGRAM, HttpSettings { request_wait_ms: 100, ..settings() });
    let address = running.server.address();
    for bytes in [&b""[..], b"GET", b"GET /health HTTP/1.1\r\nHost: x\r\n"] {
        let mut silent = TcpStream::connect(address).expect("connect");
        silent.write_all(bytes).expect("send");
        await_closed(silent);
    }
    let mut answered = TcpStream::connect(address).expect("connect");
    answered.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").expect("send");
    answered.set_read_timeout(Some(PATIENCE)).expect("set a time-out");
    let mut answer = String::new();
    answered.read_to_string(&mut answer).expect("an answer and the end");
    assert!(answer.contains("connection: close") && answer.contains("\"alive\""), "{answer}");
}

#[test]
fn a_taken_address_says_what_to_set() {
    let running = start();
    let taken = running.server.address();
    let config = HttpConfig::try_from(HttpSettings { listen: Some(taken.to_string()), ..settings() }).expect("good");
    let error =
        Server::start(config, Arc::clone(&running.health), Told { metrics: Box::new(String::new), backlog: None })
            .err()
            .expect("taken");
    let said = error.to_string();
    for expected in [&format!("listen on {taken}"), "--set http.listen=127.0.0.1:0", "--set http.enabled=false"] {
        assert!(said.contains(expected), "no {expected:?} in {said}");
    }
}

#[test]
fn without_an_address_the_next_free_port_is_taken() {
    let first = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = first.local_addr().expect("bound").port();
    let unset = || HttpSettings { listen: None, ..settings() };
    let program = Program { port, ..PROGRAM };
    let (one, two) = (start_with(program, unset()), start_with(program, unset()));
    let found = [&one, &two].map(|running| running.server.address().port());
    assert!(found[0] > port && found[1] > found[0], "{port} is taken, {found:?} are used");
    assert_eq!(request(two.server.address(), "GET /health").0, 200);
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
    let keys = |settings: HttpSettings| -> Vec<String> {
        let problems = HttpConfig::try_from(settings).err().unwrap_or_default();
        problems.into_iter().map(|problem| problem.key).collect()
    };
    assert!(keys(HttpSettings { listen: None, ..settings() }).is_empty());
    for bad in ["localhost", "localhost:9464", ":9464", "127.0.0.1:99999", ""] {
        assert_eq!(keys(HttpSettings { listen: Some(bad.to_owned()), ..settings() }), ["http.listen"]);
    }
    let none = HttpSettings { connections_max: 0, request_wait_ms: 0, ..settings() };
    assert_eq!(keys(none), ["http.connections_max", "http.request_wait_ms"]);
}

#[test]
fn a_process_is_asked_by_one_request() {
    let running = start();
    let address = running.server.address();
    let ready = || ask(address, "/ready", PATIENCE).expect("an answer").status;
    assert_eq!(ready(), 503);
    running.health.loaded();
    running.health.watch_group(|| true);
    assert_eq!(ready(), 200);
    let health = ask(address, "/health", PATIENCE).expect("an answer");
    assert!(health.status == 200 && health.body.contains("\"status\":\"alive\""), "{health:?}");
    drop(running);
    let refused = ask(address, "/health", PATIENCE).expect_err("nobody listens").to_string();
    assert!(refused.contains("is the worker running"), "{refused}");
}

#[test]
fn own_address_is_of_this_host_and_has_a_port() {
    for (listen, expected) in [
        (None, Some("127.0.0.1:9464")),
        (Some("0.0.0.0:9000"), Some("127.0.0.1:9000")),
        (Some("[::]:9000"), Some("[::1]:9000")),
        (Some("10.0.0.7:9000"), Some("10.0.0.7:9000")),
        (Some("127.0.0.1:0"), None),
    ] {
        let settings = HttpSettings { listen: listen.map(str::to_owned), ..settings() };
        let config = HttpConfig::try_from(settings).expect("good settings");
        assert_eq!(
            config.own_address(9464),
            expected.map(|address| address.parse().expect("an address")),
            "{listen:?}"
        );
    }
}
