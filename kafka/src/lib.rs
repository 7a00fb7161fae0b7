//! Everything that speaks Kafka; only this crate imports `rdkafka`. It knows records, offsets and generations, and no labels.
//!
//! | word | meaning |
//! |---|---|
//! | connection | how to reach the cluster: librdkafka's properties, checked once |
//! | consumer | a group member on its own thread, behind [`source::Source`] |
//! | batcher | the open batch of a reader: whether it is full, and its generation |
//! | lease | the right to publish under one generation; while it is held, a rebalance waits |
//! | table | a compacted topic in memory |
//! | range, originals | records read by offset, without joining a group |
//! | rights, look | what this user may do and what the input contains, found out without changing anything |
//! | backlog | what waits for a group over all partitions, found out without joining it |
//! | writer, follower | a producer and a reader, as a user's application would have them |
//! | outbox | the records of one transaction, by position |
//! | transactor | publishes an outbox and the offsets of a ticket, all or nothing |
//! | limits | what the output topics accept, as far as it is known |

pub mod backlog;
pub mod batcher;
pub mod clock;
pub mod connection;
pub mod consumer;
pub mod error;
mod first_times;
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
mod reaction;
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
pub mod writer;
