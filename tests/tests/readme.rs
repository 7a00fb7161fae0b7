//! The quick start of README.md, run as it is written: a command that a newcomer copies must work.
//!
//! The blocks fenced by ```` ```sh quickstart ```` run in order, in one shell; one fenced by
//! ```` ```sh quickstart background ```` is one command (a broker, say) that runs beside them until they have ended.
//! Two things are put in: a free port for 9092, and the binary under test for `labelstream`, wherever README finds it.

use std::env;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::process::{Process, free_port, labelstream};
use tests::workspace;

/// The port that README names, as every Kafka tutorial does.
const PORT_IN_README: &str = "9092";

/// How long a broker may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn the_quick_start_labels_three_lines() {
    if Command::new("kcat").arg("-V").output().is_err() {
        return workspace::skip_without_tool("the README's quick start", "kcat");
    }
    let readme = fs::read_to_string(workspace::root().join("README.md")).expect("README.md is there");
    let port = free_port();
    let output = run(&quick_start(&readme), port);
    let printed = String::from_utf8_lossy(&output.stdout);
    let story = format!("it printed:\n{printed}\nand logged:\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the quick start ended with {}; {story}", output.status);

    let labeled: Vec<Value> = printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(labeled.len(), 3, "three lines go in, three labelled lines come out; {story}");
    for event in labeled {
        assert!(event["label"].as_str().is_some_and(|label| !label.is_empty()), "no label in {event}");
        assert!(event["score"].as_f64().is_some_and(|score| (0.0..=1.0).contains(&score)), "no score in {event}");
    }
}

#[derive(Default, Debug, PartialEq, Eq)]
struct QuickStart {
    background: Vec<String>,
    script: String,
}

/// Takes the marked blocks out of a Markdown page.
fn quick_start(markdown: &str) -> QuickStart {
    let mut found = QuickStart::default();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let Some(mark) = line.strip_prefix("```sh quickstart") else { continue };
        let block: String = lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
        match mark.trim() {
            // `exec`: ending the shell must end the command. It is one command, so nothing can follow it.
            "background" => found.background.push(format!("exec {block}")),
            "" => found.script.push_str(&block),
            other => panic!("README marks a block `quickstart {other}`, which means nothing"),
        }
    }
    assert!(!found.script.is_empty(), "README has no block fenced by ```sh quickstart");
    found
}

fn run(quick_start: &QuickStart, port: u16) -> Output {
    let binary = labelstream();
    let folder = binary.parent().expect("a binary lies in a folder");
    let beside: Vec<_> =
        quick_start.background.iter().map(|block| Process::start(&mut shell(block, port, folder))).collect();
    if !beside.is_empty() {
        await_listener(port);
    }
    shell(&quick_start.script, port, folder).output().expect("bash starts")
}

/// A shell in the root of the checkout which finds `labelstream` in `folder`.
fn shell(block: &str, port: u16, folder: &Path) -> Command {
    let block = block.replace(PORT_IN_README, &port.to_string());
    let block = ["release", "debug"]
        .iter()
        .fold(block, |block, profile| block.replace(&format!("target/{profile}/labelstream"), "labelstream"));
    let path = env::join_paths(
        [folder.to_owned()].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())),
    );
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &block]);
    command.env("PATH", path.expect("folders without colons")).current_dir(workspace::root());
    command
}

fn await_listener(port: u16) {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "nothing listens on port {port} after {PATIENCE:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn blocks_are_found_by_their_mark() {
    let page = "```sh\nno\n```\n```sh quickstart background\nbroker\n```\n```sh quickstart\none\n```\ntext\n```sh quickstart\ntwo\n```\n";
    let expected = QuickStart { background: vec!["exec broker\n".to_owned()], script: "one\ntwo\n".to_owned() };
    assert_eq!(quick_start(page), expected);
}
