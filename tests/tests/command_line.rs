//! The command line as a stranger meets it: help, mistakes, exit codes, completions.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tests::process::{Process, labelstream};

/// Runs to the end and returns what came out.
fn output(arguments: &[&str]) -> Output {
    Command::new(labelstream())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("labelstream {arguments:?} did not start: {error}"))
}

/// Exit code, and the texts that stdout and stderr must contain.
fn check(arguments: &[&str], code: i32, stdout: &[&str], stderr: &[&str]) {
    let found = output(arguments);
    let (out, err) = (String::from_utf8_lossy(&found.stdout), String::from_utf8_lossy(&found.stderr));
    assert_eq!(found.status.code(), Some(code), "{arguments:?}\nstdout:\n{out}\nstderr:\n{err}");
    for expected in stdout {
        assert!(out.contains(expected), "{arguments:?} does not print {expected:?}:\n{out}");
    }
    for expected in stderr {
        assert!(err.contains(expected), "{arguments:?} does not say {expected:?}:\n{err}");
    }
}

#[test]
fn help_shows_examples_and_exit_codes() {
    check(&["--help"], 0, &["Examples:", "labelstream demo", "Exit codes:", "78", "130"], &[]);
    check(&["--version"], 0, &["labelstream 0."], &[]);
    for command in
        ["demo", "broker", "classify", "check", "replay", "drift", "health", "scaler", "score", "completions"]
    {
        check(&[command, "--help"], 0, &["Examples:", &format!("labelstream {command}")], &[]);
    }
    check(&["model", "check", "--help"], 0, &["Examples:"], &[]);
    let classify = [
        "--config",
        "--brokers",
        "--input",
        "--output",
        "--dead-letter",
        "--group",
        "--instance",
        "--model",
        "--set",
        "--until-end",
    ];
    check(&["classify", "--help"], 0, &classify, &[]);
    for command in ["calibrate", "explain", "replay", "backtest"] {
        check(&["drift", command, "--help"], 0, &["Examples:", &format!("labelstream drift {command}"), "--set"], &[]);
    }
    let drift = [
        "--config",
        "--brokers",
        "--input",
        "--group",
        "--instance",
        "--reference",
        "--reports",
        "--granularity",
        "--set",
        "--until-end",
    ];
    check(&["drift", "--help"], 0, &drift, &[]);
}

#[test]
fn a_wrong_command_line_is_code_2() {
    check(&[], 2, &[], &["Usage: labelstream"]);
    check(&["clasify"], 2, &[], &["unrecognized subcommand 'clasify'", "classify"]);
    check(&["demo", "--second", "5"], 2, &[], &["--seconds"]);
    check(&["demo", "--seconds", "0"], 2, &[], &["0 is not in 1..=86400"]);
    check(&["broker", "--topic", "messages:many"], 2, &[], &["\"many\" is not a number of partitions"]);
    check(&["completions", "basic"], 2, &[], &["bash", "zsh", "fish"]);
    check(&["drift", "explain"], 2, &[], &["<WINDOW>"]);
    check(&["drift", "replay", "--from", "noon"], 2, &[], &["expected a time such as 2026-05-01T01:00:00Z"]);
    check(&["drift", "--until-end", "explain", "latest"], 2, &[], &["cannot be used with"]);
}

#[test]
fn health_without_a_worker_is_code_1_and_says_where_it_asked() {
    let free = format!("127.0.0.1:{}", tests::process::free_port());
    let asked = format!("get http://{free}/ready: no answer");
    check(&["health", "--ready", "--address", &free], 1, &[], &[&asked, "http.listen"]);
    check(&["health", "--set", "http.listen=0.0.0.0:0"], 1, &[], &["port 0", "--address"]);
    check(&["health", "--address", "nowhere"], 78, &[], &["http.listen", "--address", "an address and a port"]);
}

#[test]
fn bad_settings_are_code_78_and_all_named_at_once() {
    let wrong =
        ["classify", "--brokers", "nowhere", "--set", "source.grup=a", "--set", "source.max_poll_interval_ms=soon"];
    check(
        &wrong,
        78,
        &[],
        &[
            "labelstream: failed to use the settings",
            "kafka.brokers",
            "--brokers",
            "source.grup",
            "source.max_poll_interval_ms",
        ],
    );
    check(&["classify", "--config", "/no/such.toml"], 78, &[], &["read the settings file /no/such.toml"]);
}

#[test]
fn a_variable_with_one_underscore_is_told_of_and_those_of_others_are_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let found = Command::new(labelstream())
        .args(["drift", "explain", "latest"])
        .current_dir(folder.path())
        .env("LABELSTREAM_KAFKA_BROKERS", "kafka:9092")
        .env("labelstream__source__group", "mine")
        .env("LABELSTREAM_SERVICE_HOST", "10.0.0.1") // Kubernetes, for a service of our name
        .env("LABELSTREAM_PORT", "tcp://10.0.0.1:9464")
        .output()
        .expect("labelstream starts");
    let said = String::from_utf8_lossy(&found.stderr);
    for (variable, right) in [
        ("LABELSTREAM_KAFKA_BROKERS", "LABELSTREAM__KAFKA__BROKERS"),
        ("labelstream__source__group", "LABELSTREAM__SOURCE__GROUP"),
    ] {
        let told = |line: &str| {
            line.contains(" WARN ") && line.contains(variable) && line.contains(&format!("did you mean {right}?"))
        };
        assert!(said.lines().any(told), "{variable}: {said}");
    }
    assert_eq!(said.matches("is ignored").count(), 2, "{said}");
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        check(
            &["completions", shell],
            0,
            &["classify", "replay", "until-end", "calibrate", "backtest", "explain"],
            &[],
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = Command::new(labelstream())
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("labelstream starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("stdout is piped")).read_line(&mut line).expect("a first line");
    let ended = child.wait_with_output().expect("labelstream ends");
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn a_broker_on_a_port_until_it_is_stopped() {
    let mut broker = Process::labelstream(&["broker", "--port", "0", "--topic", "messages:3"]);
    broker.await_text("listens on 127.0.0.1:", Duration::from_secs(20));
    let banner = broker.stdout();
    assert!(banner.contains("not for production"), "{banner}");
    let port = banner.split("127.0.0.1:").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a port");
    let taken = output(&["broker", "--port", port]);
    let said = String::from_utf8_lossy(&taken.stderr);
    assert_eq!(taken.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("listen on 127.0.0.1:{port}")), "{said}");
    broker.signal("TERM");
    broker.await_success(Duration::from_secs(20));
}
