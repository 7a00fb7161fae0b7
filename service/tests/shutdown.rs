//! Real signals to a real process: this test binary runs itself as the child.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Longer than any of these tests waits for its child.
const CHILD_LIFE: Duration = Duration::from_secs(60);

#[test]
#[ignore = "run by the tests below, as their child"]
fn child() {
    let stop = service::shutdown::listen(|| say("leaving at once")).expect("listen for signals");
    say("ready");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        tokio::time::timeout(CHILD_LIFE, stop.cancelled()).await.expect("a signal");
        say("stopping");
        tokio::time::sleep(CHILD_LIFE).await;
    });
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "child: {line}").and_then(|()| out.flush()).expect("write to stdout");
}

#[track_caller]
fn check(signal: &str, code: i32) {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the child");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let mut wait_for = |text: &str| assert!(lines.any(|line| line.ends_with(text)), "the child never said {text:?}");
    wait_for("child: ready");
    kill(&child, signal);
    wait_for("child: stopping");
    std::thread::sleep(service::shutdown::SAME_REQUEST + Duration::from_millis(200)); // else it is the same request
    kill(&child, signal);
    wait_for("child: leaving at once");
    assert_eq!(child.wait().expect("the child ends").code(), Some(code));
}

fn kill(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("run kill");
    assert!(status.success());
}

#[test]
fn the_first_interrupt_cancels_and_the_second_ends_at_once() {
    check("-INT", 130);
}

#[test]
fn the_first_termination_cancels_and_the_second_ends_at_once() {
    check("-TERM", 143);
}
