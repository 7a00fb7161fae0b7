//! A small Kafka broker in memory, for demos and tests. **Not for production.**
//!
//! It speaks the Kafka protocol well enough that clients cannot tell it from a single Apache Kafka 4.1 node in what it
//! implements: topics, idempotent and transactional producers with fencing and time-outs, `read_committed`, consumer groups
//! of the classic protocol with static membership, retention by size and age, compaction. The suite `conformance` runs
//! against both.
//!
//! Deliberately absent: persistence, replication, authentication, encryption, quotas, share groups, the new consumer
//! protocol (KIP-848) and the second half of KIP-890. `ApiVersions` tells clients.
//!
//! ```
//! # async fn example() -> Result<(), devbroker::StartError> {
//! use devbroker::{Broker, Config, TopicSpec};
//!
//! let broker = Broker::start(Config { topics: vec![TopicSpec::new("texts", 4)], ..Config::default() }).await?;
//! println!("bootstrap.servers={}", broker.address());
//! broker.shutdown();
//! # Ok(())
//! # }
//! ```

mod api;
mod batch;
mod broker;
mod clock;
mod compaction;
mod config;
mod error;
mod fault;
mod group;
mod groups;
mod log;
mod offsets;
mod producers;
mod rights;
mod segments;
mod server;
mod shape;
mod state;
mod stored;
mod topics;
mod transactions;
mod validation;

pub use kafka_protocol::messages::ApiKey;

pub use crate::broker::Broker;
pub use crate::config::{Config, Limits, TopicSpec};
pub use crate::error::StartError;
pub use crate::fault::{Fault, FaultKind};
pub use crate::rights::{Denial, Resource, Right};
