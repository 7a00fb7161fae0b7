//! The output topics, made where they are missing (`sink.create_topics`).
//!
//! They get as many partitions as the widest input topic, so that a record keeps its partition number and a key its
//! order. So the input topics must be there first; they are waited for, as the source does. They keep what is written as
//! long as `sink.create_retention_ms` says: by the record's time, which for a backfill is far in the past.

use std::thread;
use std::time::{Duration, Instant};

use kafka::topic_state::TopicState;
use kafka::topics::{Wanted, create, describe};
use tokio_util::sync::CancellationToken;

use crate::brokers::ANSWER_WITHIN;
use crate::error::WorkerError;
use crate::settings::Config;

/// Kafka's default of `max.message.bytes`: topics for larger records are created to take them.
const KAFKA_BYTES_MAX: usize = 1_048_588;
/// Between two looks for input topics that are not there yet.
const LOOK: Duration = Duration::from_millis(500);

/// Makes the output topics that are missing. Returns early, having made none, when asked to stop.
///
/// # Errors
/// When the broker does not answer or refuses, or an input topic does not appear within `source.topic_wait_ms`.
pub fn create_missing(config: &Config, stop: &CancellationToken) -> Result<(), WorkerError> {
    let outputs = [config.sink().output_topic(), config.sink().dead_letter_topic()];
    let outputs = describe(config.connection(), &outputs, ANSWER_WITHIN)?;
    let missing: Vec<_> = outputs.iter().filter(|topic| topic.partitions.is_none() && !topic.is_forbidden).collect();
    if missing.is_empty() || !config.sink().create_topics() {
        return Ok(()); // what is still wrong with them, the publisher says
    }
    let Some(partitions) = widest_input(config, stop)? else { return Ok(()) };
    let sink = config.sink();
    let (of_labels, of_dead_letters) = sink.create_retention_ms();
    let wanted: Vec<_> = missing
        .iter()
        .map(|topic| Wanted {
            name: topic.name.clone(),
            partitions,
            retention_ms: if topic.name == sink.output_topic() { of_labels } else { of_dead_letters },
            bytes_max: Some(sink.message_bytes_max()).filter(|bytes| *bytes > KAFKA_BYTES_MAX),
        })
        .collect();
    Ok(create(config.connection(), &wanted, ANSWER_WITHIN)?)
}

/// Partitions of the widest input topic, once all of them are there; `None` when asked to stop.
fn widest_input(config: &Config, stop: &CancellationToken) -> Result<Option<i32>, WorkerError> {
    let names: Vec<_> = config.source().topics().iter().map(String::as_str).collect();
    let deadline = Instant::now() + config.source().topic_wait();
    let mut said = false;
    while !stop.is_cancelled() {
        let inputs = describe(config.connection(), &names, ANSWER_WITHIN)?;
        let Some(absent) = inputs.iter().find(|topic| topic.partitions.is_none()) else {
            return Ok(inputs.iter().filter_map(|topic| topic.partitions).max());
        };
        let TopicState { name, is_forbidden, .. } = absent;
        if *is_forbidden || Instant::now() >= deadline {
            return Err(WorkerError::InputTopic { topic: name.clone() });
        }
        if !said {
            tracing::info!(topic = name, "waiting for an input topic that does not exist yet");
            said = true;
        }
        thread::sleep(LOOK);
    }
    Ok(None)
}
