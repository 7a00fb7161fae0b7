//! Everything that speaks Kafka, and the only home of `rdkafka`. It knows records, offsets and generations, and no labels.
//!
//! | word | meaning |
//! |---|---|
//! | connection | how to reach the cluster: librdkafka's properties, checked once |
//! | consumer | a member of a group on a thread of its own, behind [`source::Source`] |
//! | lease | the right to publish under one generation; while it is held, a rebalance waits |
//! | table | a compacted topic in memory |
//! | range, originals | records read by their place, without a group and without a trace |

pub mod connection;
pub mod consumer;
pub mod lease;
mod listener;
pub mod metrics;
pub mod originals;
mod prefetch;
pub mod range;
mod record;
pub mod settings;
pub mod source;
pub mod table;
mod verdict;
