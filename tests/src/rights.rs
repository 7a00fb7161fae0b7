//! An Apache Kafka of one's own with an authorizer: everything is allowed but what a test denies.
//!
//! The broker that other tests share has no authorizer, and must not get one: a denied right would outlive its test.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use devbroker::{Resource, Right};

use crate::broker::{BrokerKind, TestBroker};
use crate::workspace;

/// A running broker, and a client that creates rules on it. It stops when this is dropped.
pub struct AclKafka {
    address: String,
    keeper: Mutex<Keeper>,
}

struct Keeper {
    child: Child,
    /// Rules go in, a line each.
    rules: Option<ChildStdin>,
    answers: BufReader<std::process::ChildStdout>,
}

/// Starts one; `None` where Apache Kafka or the Python client is not installed.
///
/// # Panics
/// When they are installed and do not start.
#[must_use]
pub fn apache_kafka_with_acls() -> Option<AclKafka> {
    let interpreter = workspace::tool("python/bin/python");
    if !workspace::tool("kafka/libs").is_dir() || !interpreter.exists() {
        workspace::skip_without_tool("rights on Apache Kafka", ".tools/kafka and .tools/python");
        return None;
    }
    let mut child = Command::new(workspace::root().join("tools/kafka/kafka"))
        .arg("with")
        .arg(&interpreter)
        .arg(workspace::root().join("tests/clients/rules.py"))
        .env("KAFKA_ACLS", "1")
        .env_remove("KAFKA_PORT")
        .env_remove(crate::kafka::ADDRESS_VARIABLE)
        .env("PYTHONUNBUFFERED", "1")
        .env("KAFKA_HEAP", env::var("KAFKA_HEAP").unwrap_or_else(|_| "384m".to_owned()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tools/kafka/kafka is executable");
    let rules = child.stdin.take();
    let mut answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let mut address = String::new();
    answers.read_line(&mut address).expect("the pipe is readable");
    let address = address.trim().to_owned();
    assert!(!address.is_empty(), "Apache Kafka with an authorizer did not start; its log is above");
    Some(AclKafka { address, keeper: Mutex::new(Keeper { child, rules, answers }) })
}

impl AclKafka {
    /// As the tests of other brokers name it.
    #[must_use]
    pub fn broker(&self) -> TestBroker {
        TestBroker { kind: BrokerKind::ApacheKafka, address: self.address.clone(), devbroker: None }
    }

    /// Denies a right to everybody; it holds when this returns.
    ///
    /// # Panics
    /// When the broker refuses the rule.
    pub fn deny(&self, resource: Resource, name: &str, right: Right) {
        let resource = match resource {
            Resource::Topic => "topic",
            Resource::Group => "group",
            Resource::TransactionalId => "transactional_id",
            Resource::Cluster => "cluster",
        };
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let right = format!("{right:?}").to_lowercase();
        let rules = keeper.rules.as_mut().expect("open until this is dropped");
        writeln!(rules, "{resource} {name} {right}").expect("the keeper reads");
        let mut answer = String::new();
        keeper.answers.read_line(&mut answer).expect("the keeper answers");
        assert_eq!(answer.trim(), "ok", "{resource} {name} {right}");
    }
}

impl Drop for AclKafka {
    /// The end of its input ends the client, and with it the broker.
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        keeper.rules = None;
        keeper.child.wait().ok(); // it may have ended by itself
    }
}
