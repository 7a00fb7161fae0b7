//! A broker to ask, and a connection to it.

use devbroker::{ApiKey, Broker, Config, Fault, FaultKind, TopicSpec};
use kafka_protocol::protocol::Request;

use crate::wire::Wire;

/// A broker with topic `t` of two partitions, a connection to it, and a check that every request can also be refused.
pub(crate) struct Bench {
    pub(crate) broker: Broker,
    pub(crate) wire: Wire,
}

impl Bench {
    pub(crate) fn start() -> Self {
        let config = Config { topics: vec![TopicSpec::new("t", 2)], ..Config::default() };
        let broker = Broker::start_blocking(config).expect("the broker starts");
        let wire = Wire::connect(broker.address());
        Self { broker, wire }
    }

    /// Sends the request twice: it is refused by an injected fault at first, which has to be encodable too, then answered.
    pub(crate) fn call<Q: Request>(&mut self, version: i16, request: &Q) -> Q::Response {
        let api = ApiKey::try_from(Q::KEY).expect("requests have an api");
        self.broker.inject(Fault { api, nth: 1, kind: FaultKind::ErrorCode(-1) });
        self.wire.call(version, request);
        assert_eq!(self.broker.pending_faults(), 0);
        self.wire.call(version, request)
    }
}
