//! Two workers on one host, with the defaults: both answer, and each says what it is.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::broker;
use tests::process::{Process, labelstream};

use crate::tiny::Tiny;
use crate::worker::{Job, PATIENCE, STARTED, ask, has_runtime};

/// Where a worker says that it answers.
fn address(worker: &mut Process) -> SocketAddr {
    worker.await_text("serving /health", PATIENCE);
    let log = worker.stderr();
    let line = log.lines().find(|line| line.contains("serving /health")).unwrap_or_default();
    let address = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
    address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("no address in {line}"))
}

#[test]
fn classify_and_drift_run_beside_each_other_and_speak_of_their_own() {
    if !has_runtime("two workers on one host") {
        return;
    }
    let broker = broker::devbroker();
    let job = Job::new(&broker, Tiny::new());
    let mut arguments = job.arguments(&[]);
    arguments.retain(|argument| !argument.starts_with("http.listen="));
    arguments.remove(arguments.iter().position(|argument| argument == "--set").expect("its --set"));
    let mut classify = Process::start(Command::new(labelstream()).args(&arguments));
    let reports = tempfile::tempdir().expect("a temporary folder");
    let drift = |more: &[&str]| {
        let place = reports.path().display().to_string();
        let own =
            ["drift", "--brokers", &job.brokers, "--input", &job.output, "--reports", &place, "--reference", "rolling"];
        Process::labelstream(&[&own, more].concat())
    };
    let mut beside = drift(&["--group", "one"]);
    let mut second = drift(&["--group", "two", "--set", "state.topic=another-state", "--set", "run.stall_max_ms=1000"]);
    let addresses = [&mut classify, &mut beside, &mut second].map(|worker| {
        let own = address(worker);
        worker.await_text(STARTED, PATIENCE);
        own
    });
    assert!(addresses[0] != addresses[1] && addresses[1] != addresses[2], "{addresses:?}");

    let health = |address: SocketAddr| -> Value {
        let (status, body) = ask(address, "/health").expect("an answer");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    };
    let own = health(addresses[0]);
    assert!(
        own["command"] == "classify" && own["labeled"].is_u64() && own["last_commit_seconds_ago"].is_null(),
        "{own}"
    );
    let own = health(addresses[1]);
    assert_eq!(own["command"], "drift");
    for member in ["partitions", "records", "checkpoints", "reports", "reports_pending", "rewinds"] {
        assert!(own[member].is_u64(), "no {member} in {own}");
    }
    for foreign in ["labeled", "dead_letters", "model"] {
        assert!(own.get(foreign).is_none(), "{foreign} in {own}");
    }
    let (_, index) = ask(addresses[1], "/").expect("an answer");
    assert!(index.contains(" drift, up for ") && index.contains("/metrics"), "{index}");

    // The watchdog looks at every stage of the drift worker, and takes none of them for stalled while nothing comes.
    let idle_until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < idle_until {
        assert_eq!(health(addresses[2])["status"], "alive");
        thread::sleep(Duration::from_millis(200));
    }
    let (_, metrics) = ask(addresses[2], "/metrics").expect("an answer");
    for stage in ["read", "count", "report"] {
        let gauge = format!("labelstream_drift_stage_stalled_seconds{{stage=\"{stage}\"}} 0");
        assert!(metrics.lines().any(|line| line == gauge), "no {gauge} in\n{metrics}");
    }

    let taken = format!("http.listen={}", addresses[0]);
    let mut third = drift(&["--set", &taken]);
    assert_eq!(third.await_exit(PATIENCE).code(), Some(1));
    let said = third.stderr();
    assert!(said.contains("--set http.listen=127.0.0.1:0") && said.contains("--set http.enabled=false"), "{said}");
    for worker in [&mut classify, &mut beside, &mut second] {
        worker.signal("TERM");
        worker.await_success(PATIENCE);
        worker.assert_quiet_log(&[]);
    }
}
