//! What a client may expect of a broker, asked of devbroker and of Apache Kafka 4.1 alike.
//!
//! Every check runs on both, so a check that passes on Apache Kafka and fails on devbroker is a fault of devbroker, and
//! what labelstream relies on is written down once. `protocol.rs` asks over the bare wire what no client library lets one
//! ask; the other modules go through librdkafka.

mod admin;
mod clients;
mod compaction;
mod fencing;
mod groups;
mod instances;
mod offsets;
mod protocol;
mod records;
mod retention;
mod times;
mod transactions;
#[path = "../../../devbroker/tests/suite/wire.rs"]
#[allow(dead_code, reason = "devbroker's own suite uses the rest")]
mod wire;

use tests::broker;

/// Runs the check on every broker that is here; its argument is `host:port`.
fn on_each_broker(check: impl Fn(&str)) {
    for broker in broker::all() {
        eprintln!("on {:?}", broker.kind);
        check(&broker.address);
    }
}
