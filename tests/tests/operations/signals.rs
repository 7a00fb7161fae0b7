//! SIGTERM and SIGINT: when two of them are one request, and when they mean business.

use std::thread;
use std::time::Duration;

use tests::broker;

use crate::hang::{HANG, hanging};
use crate::tiny::Tiny;
use crate::worker::{Job, PATIENCE, STARTED, has_runtime};

const ASKED: &str = "stopping: finishing work in progress";

#[test]
fn two_signals_at_once_are_one_request_to_stop() {
    if !has_runtime("two signals at once") {
        return;
    }
    for broker in broker::all() {
        for [first, second] in [["TERM", "TERM"], ["INT", "INT"], ["INT", "TERM"]] {
            for pause in [0, 50] {
                let job = Job::new(&broker, Tiny::new());
                let mut worker = job.start(&[]);
                worker.await_text(STARTED, PATIENCE);
                worker.signal(first);
                thread::sleep(Duration::from_millis(pause));
                worker.try_signal(second); // it may have ended already
                worker.await_success(PATIENCE);
                let log = worker.stderr();
                assert!(log.contains("stopped") && !log.contains("exiting at once"), "{log}");
            }
        }
    }
}

/// The worker cannot stop: its model hangs.
#[test]
fn a_second_signal_after_a_pause_stops_at_once() {
    if !has_runtime("a second signal") {
        return;
    }
    let broker = broker::devbroker();
    for (second, code) in [("TERM", 143), ("INT", 130)] {
        let job = Job::new(&broker, hanging());
        job.write([HANG]);
        let mut worker = job.start(&["--set", "run.stall_max_ms=1000"]);
        job.await_status("/health", 503);
        worker.signal("TERM");
        worker.signal("TERM");
        worker.await_text(ASKED, PATIENCE);
        thread::sleep(Duration::from_millis(1_500));
        worker.signal(second);
        let status = worker.await_exit(PATIENCE);
        assert_eq!(status.code(), Some(code), "{}", worker.stderr());
    }
}
