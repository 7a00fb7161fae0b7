//! Apache Kafka for tests: the one that `make test` has started, else one of our own for this process.
//!
//! `tools/kafka/kafka with` stops its broker when its command ends. Ours is `cat` on a pipe that this process holds
//! open, so the broker stops when the process ends, by a panic or a signal too.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::workspace;

/// The variable that names a running Apache Kafka: `host:port`.
pub const ADDRESS_VARIABLE: &str = "LABELSTREAM_TEST_KAFKA";

struct Running {
    address: String,
    /// Keeps the pipe open until the process ends: statics are never dropped.
    _keeper: Option<Child>,
}

/// The address of Apache Kafka, or `None` where it is not installed and a test may therefore skip it.
///
/// # Panics
/// When it is installed and does not start; under `CI`, also when it is not installed.
pub fn address() -> Option<&'static str> {
    static KAFKA: OnceLock<Option<Running>> = OnceLock::new();
    KAFKA.get_or_init(find_or_start).as_ref().map(|running| running.address.as_str())
}

fn find_or_start() -> Option<Running> {
    if let Ok(address) = env::var(ADDRESS_VARIABLE) {
        return Some(Running { address, _keeper: None });
    }
    if !workspace::tool("kafka/libs").is_dir() {
        workspace::skip_without_tool("the half on Apache Kafka", ".tools/kafka");
        return None;
    }
    Some(start())
}

fn start() -> Running {
    let mut keeper = Command::new(workspace::root().join("tools/kafka/kafka"))
        .args(["with", "sh", "-c", &format!("echo ${ADDRESS_VARIABLE}; exec cat >/dev/null")])
        .env_remove("KAFKA_PORT")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tools/kafka/kafka is executable");
    let mut address = String::new();
    let stdout = keeper.stdout.take().expect("stdout is piped");
    BufReader::new(stdout).read_line(&mut address).expect("the pipe is readable");
    let address = address.trim().to_owned();
    assert!(!address.is_empty(), "Apache Kafka did not start; its log is above");
    Running { address, _keeper: Some(keeper) }
}
