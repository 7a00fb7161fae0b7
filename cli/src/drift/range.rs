//! Reading a range of the labelled topics for `calibrate` and `replay`: from a moment on, until it is surely over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use drift::state::TopicPartition;
use kafka::clock::now_ms;
use kafka::range::{RangeEvent, TopicRange};
use tokio_util::sync::CancellationToken;
use workers::brokers;
use workers::settings::Config;

use super::pass::{Close, Pass, Seen};
use crate::bar::Bar;
use crate::failure::Failure;

/// How long the broker may be silent.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A moment before which nothing of the range was written to Kafka: an event's own time may be ahead of its record's by
/// as much as is not set back.
pub(super) fn written_from(config: &Config, from_ms: i64) -> i64 {
    from_ms.saturating_sub(config.drift().clock_ahead_ms())
}

/// Opens the labelled topics at a moment, by the timestamps of their records.
///
/// # Errors
/// When a topic is missing or the broker does not answer.
pub(super) fn open(config: &Config, written_from_ms: i64, stop: &CancellationToken) -> Result<TopicRange, Failure> {
    let topics = config.drift().source().topics();
    if !brokers::await_answer(config, &topics[0], stop)? {
        return Err(Failure::Interrupted);
    }
    Ok(TopicRange::open(config.connection(), topics, Some(written_from_ms), ANSWER_WITHIN)?)
}

/// The partitions that windows wait for.
pub(super) fn expected(range: &TopicRange) -> BTreeSet<TopicPartition> {
    range.partitions().map(TopicPartition::from).collect()
}

/// Reads the range through a pass to its end, and closes every window.
///
/// # Errors
/// When reading or closing fails, or a signal asks to stop.
pub(super) fn read(
    mut range: TopicRange,
    mut pass: Pass,
    bar: &std::cell::RefCell<Bar>,
    stop: &CancellationToken,
    close: &mut Close<'_>,
) -> Result<Seen, Failure> {
    while let Some(event) = range.next_event()? {
        match event {
            RangeEvent::Record(record) => {
                pass.observe(&record, now_ms(), close)?;
                bar.borrow_mut().record(|| u64::try_from(range.progress().0).unwrap_or_default());
            }
            RangeEvent::End(topic, partition) => {
                pass.exhausted(&TopicPartition::from((Arc::clone(&topic), partition)), close)?;
            }
            RangeEvent::Waiting => {}
        }
        if stop.is_cancelled() {
            return Err(Failure::Interrupted);
        }
    }
    pass.end(close)
}
