//! How a broker is set up: where it listens, what it holds, and the bound of everything that clients can make grow.
//!
//! The defaults are Apache Kafka's where Kafka has the setting, except that the initial rebalance delay is 0 (a test wants
//! its group at once), that every partition is bounded in bytes (everything lives in memory), and that age alone is no reason
//! to let go of records.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A topic to create at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    pub name: String,
    pub partitions: i32,
    /// Topic settings by their Kafka names, such as `retention.bytes`.
    pub configs: BTreeMap<String, String>,
}

impl TopicSpec {
    #[must_use]
    pub fn new(name: impl Into<String>, partitions: i32) -> Self {
        Self { name: name.into(), partitions, configs: BTreeMap::new() }
    }
}

#[derive(Debug, Clone)]
pub struct Config {
    /// Port 0 takes a free one; [`Broker::address`](crate::Broker::address) tells which.
    pub listen: SocketAddr,
    /// Needed for any `listen` address off this machine: there is no authentication and no encryption.
    pub allow_non_loopback: bool,
    /// The host and port told to clients, if they reach the broker by another name than `listen`.
    pub advertised: Option<(String, u16)>,
    /// Created before the first connection is accepted.
    pub topics: Vec<TopicSpec>,
    /// A topic that a client asks for by name comes into being, unless the client forbids it.
    pub auto_create_topics: bool,
    /// Partitions of a topic for which nobody said how many.
    pub default_partitions: i32,
    /// Oldest batches go when a partition holds more than this; the newest batch always stays.
    pub partition_bytes_max: u64,
    /// `retention.ms` of topics that do not say their own, as `log.retention.ms`; `None` keeps records of any age.
    pub retention: Option<Duration>,
    /// Time between the first member's arrival in an empty group and its first generation.
    pub group_initial_rebalance_delay: Duration,
    /// Sessions shorter than this are refused, as `group.min.session.timeout.ms`.
    pub group_session_timeout_min: Duration,
    /// Transaction time-outs above this are refused, as `transaction.max.timeout.ms`.
    pub transaction_timeout_max: Duration,
    pub limits: Limits,
}

/// Bounds on what clients can make the broker hold. A client that goes past one gets an error answer or is disconnected.
#[derive(Debug, Clone)]
pub struct Limits {
    pub connections: usize,
    /// Bytes of one request; a longer one closes the connection.
    pub request_bytes: usize,
    /// Array elements in one request; more close the connection.
    pub request_items: usize,
    pub topics: usize,
    /// Partitions of all topics together.
    pub partitions: usize,
    pub groups: usize,
    pub group_members: usize,
    pub transactional_ids: usize,
    /// Producers remembered per partition; the one unused for longest is forgotten first.
    pub producers_per_partition: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            allow_non_loopback: false,
            advertised: None,
            topics: Vec::new(),
            auto_create_topics: true,
            default_partitions: 1,
            partition_bytes_max: 64 * 1024 * 1024,
            retention: None,
            group_initial_rebalance_delay: Duration::ZERO,
            group_session_timeout_min: Duration::from_secs(6),
            transaction_timeout_max: Duration::from_secs(15 * 60),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_000,
            request_bytes: 32 * 1024 * 1024,
            request_items: 100_000,
            topics: 1_000,
            partitions: 10_000,
            groups: 1_000,
            group_members: 250,
            transactional_ids: 1_000,
            producers_per_partition: 1_000,
        }
    }
}
