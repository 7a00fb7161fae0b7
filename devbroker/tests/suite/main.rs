//! devbroker over the wire, without a Kafka client in between: every version, malformed bytes, limits, faults.

mod bench;
mod faults;
mod limits;
mod malformed;
mod versions;
mod wire;
