//! Foreign clients on every broker: each asks its list of questions, and the answers are Apache Kafka's.
//!
//! `tests/clients/` holds a client per file and, under `answers/`, what Apache Kafka 4.1 said. devbroker must say the
//! same, word for word. To renew an answer, run the client by hand on Apache Kafka and read the difference.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::broker::{self, TestBroker};
use tests::{names, records, workspace};

#[test]
fn kcat() {
    let installed = Command::new("kcat").arg("-V").output().is_ok();
    compare("kcat", installed, |broker, prefix| {
        records::create_topics(&broker.address, &[&format!("{prefix}plain")], 1);
        records::create_topics(&broker.address, &[&format!("{prefix}keyed")], 3);
        Command::new(client("kcat.sh"))
    });
}

#[test]
fn python() {
    let interpreter = workspace::tool("python/bin/python");
    compare("confluent", interpreter.exists(), |_, _| {
        let mut command = Command::new(&interpreter);
        command.arg(client("confluent.py"));
        command
    });
}

#[test]
fn java() {
    let jars = workspace::tool("kafka/libs");
    compare("java", jars.exists(), |_, _| {
        let mut command = Command::new("java");
        command.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=OFF", "-cp"]).arg(jars.join("*"));
        command.arg(client("Client.java"));
        command
    });
}

/// Runs a client on each broker under names of its own and holds its answers against the kept ones.
fn compare(name: &str, installed: bool, command: impl Fn(&TestBroker, &str) -> Command) {
    if !installed {
        return workspace::skip_without_tool(&format!("the {name} client"), name);
    }
    let kept = client(&format!("answers/{name}.txt"));
    let expected = fs::read_to_string(&kept).unwrap_or_else(|error| panic!("{}: {error}", kept.display()));
    for broker in broker::all() {
        let prefix = names::unique(name) + "-";
        let output = command(&broker, &prefix).args([&broker.address, &prefix]).output().expect("the client starts");
        let answers = String::from_utf8_lossy(&output.stdout);
        let difference = difference(&expected, &answers);
        assert!(
            difference.is_none() && output.status.success(),
            "{name} on {:?}, {}: {}\n{}",
            broker.kind,
            output.status,
            difference.unwrap_or_default(),
            String::from_utf8_lossy(&output.stderr),
        );
    }
}

/// The first line in which the answers part.
fn difference(expected: &str, answers: &str) -> Option<String> {
    let (mut expected, mut answers) = (expected.lines(), answers.lines());
    for number in 1.. {
        match (expected.next(), answers.next()) {
            (None, None) => break,
            (kept, said) if kept == said => {}
            (kept, said) => {
                let line = |line: Option<&str>| line.unwrap_or("nothing more").to_owned();
                return Some(format!("line {number}:\n  expected {}\n  answered {}", line(kept), line(said)));
            }
        }
    }
    None
}

fn client(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(file)
}
