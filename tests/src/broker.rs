//! The brokers that a suite runs on: the same test on each keeps devbroker honest.

use std::time::Duration;

use devbroker::{Broker, Config};

use crate::kafka;

/// Which broker it is, for the rare expectation that differs and for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerKind {
    DevBroker,
    ApacheKafka,
}

/// A running broker on this machine. A devbroker ends when this is dropped; Apache Kafka is shared by the whole run.
pub struct TestBroker {
    pub kind: BrokerKind,
    /// `host:port`, as `bootstrap.servers` takes it.
    pub address: String,
    /// For its faults and counters; `None` for Apache Kafka.
    pub devbroker: Option<Broker>,
}

/// Every kind of broker that is here, a fresh devbroker first.
pub fn all() -> Vec<TestBroker> {
    [Some(devbroker()), apache_kafka()].into_iter().flatten().collect()
}

/// A devbroker of one's own, set up as `tools/kafka/kafka` sets up Apache Kafka.
pub fn devbroker() -> TestBroker {
    let config = Config {
        auto_create_topics: false,
        default_partitions: 4,
        group_session_timeout_min: Duration::from_secs(1),
        ..Config::default()
    };
    let broker = Broker::start_blocking(config).expect("the loopback has a free port");
    TestBroker { kind: BrokerKind::DevBroker, address: broker.address().to_string(), devbroker: Some(broker) }
}

/// The Apache Kafka of this run, shared by all tests; `None` where it is not installed.
pub fn apache_kafka() -> Option<TestBroker> {
    let address = kafka::address()?.to_owned();
    Some(TestBroker { kind: BrokerKind::ApacheKafka, address, devbroker: None })
}
