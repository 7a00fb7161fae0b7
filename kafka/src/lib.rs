//! Everything that speaks Kafka, and the only home of `rdkafka`. It knows records, offsets and generations, and no labels.
//!
//! | word | meaning |
//! |---|---|
//! | connection | how to reach the cluster: librdkafka's properties, checked once |
//! | consumer | a member of a group on a thread of its own, behind [`source::Source`] |
//! | lease | the right to publish under one generation; while it is held, a rebalance waits |
//! | table | a compacted topic in memory |
//! | range, originals | records read by their place, without a group and without a trace |
//! | rights, look | what this user may do, and what lies on the input, found out without a trace |
//! | backlog | what waits for a group over all partitions, found out without joining it |
//! | writer, follower | a producer and a reader as an application of the user's would have them |
//! | outbox | the records of one transaction, by place |
//! | transactor | publishes an outbox and the offsets of a ticket, all or nothing |
//! | limits | what the topics that are written take, as far as it is known |

pub mod backlog;
pub mod clock;
pub mod connection;
pub mod consumer;
pub mod error;
pub mod follower;
pub mod identity;
pub mod lease;
pub mod limits;
mod listener;
pub mod look;
pub mod metrics;
mod offsets;
pub mod originals;
mod outage;
pub mod outbox;
pub mod outgoing;
mod partitions;
mod prefetch;
pub mod range;
pub mod reach;
mod read_error;
mod record;
pub mod rights;
pub mod rule;
pub mod rules;
pub mod settings;
pub mod source;
pub mod table;
pub mod topic_name;
pub mod topic_state;
pub mod topics;
pub mod transactor;
mod verdict;
pub mod writer;
