//! The topics: names, ids, settings and their partitions' logs.
//!
//! Knows the topic settings that Apache Kafka knows, keeps what a client sets, and acts on those that this broker can
//! honour: `cleanup.policy`, `delete.retention.ms`, `retention.bytes`, `retention.ms`, `segment.bytes`, `segment.ms`,
//! `max.message.bytes` and `message.timestamp.*`.

use std::collections::{BTreeMap, HashMap};

use kafka_protocol::ResponseError;
use uuid::Uuid;

use crate::clock::{Millis, saturating_millis};
use crate::config::{Config, TopicSpec};
use crate::log::{Cleanup, PartitionLog, Retention};
use crate::segments::Rolling;
use crate::validation::Times;

/// Kafka's limit on the length of a topic name.
const NAME_BYTES_MAX: usize = 249;

/// Settings a topic may have, with Kafka's default values; but `retention.ms` is the broker's ([`Config::retention`]).
pub(crate) const TOPIC_CONFIGS: [(&str, &str); 19] = [
    ("cleanup.policy", "delete"),
    ("compression.type", "producer"),
    ("delete.retention.ms", "86400000"),
    ("file.delete.delay.ms", "60000"),
    ("flush.messages", "9223372036854775807"),
    ("flush.ms", "9223372036854775807"),
    ("max.compaction.lag.ms", "9223372036854775807"),
    ("max.message.bytes", "1048588"),
    ("message.timestamp.after.max.ms", "3600000"),
    ("message.timestamp.before.max.ms", "9223372036854775807"),
    ("message.timestamp.type", "CreateTime"),
    ("min.cleanable.dirty.ratio", "0.5"),
    ("min.compaction.lag.ms", "0"),
    ("min.insync.replicas", "1"),
    ("retention.bytes", "-1"),
    ("retention.ms", "-1"),
    ("segment.bytes", "1073741824"),
    ("segment.ms", "604800000"),
    ("unclean.leader.election.enable", "false"),
];

/// An answer's error code and the words beside it.
#[derive(Debug)]
pub(crate) struct TopicError {
    pub(crate) code: ResponseError,
    pub(crate) message: String,
}

impl TopicError {
    pub(crate) fn new(code: ResponseError, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<PartitionLog>,
    /// What was set; everything else has Kafka's default.
    pub(crate) configs: BTreeMap<String, String>,
    pub(crate) message_bytes_max: usize,
    pub(crate) retention: Retention,
    times: Times,
}

impl Topic {
    /// # Errors
    /// `UNKNOWN_TOPIC_OR_PARTITION`.
    pub(crate) fn partition(&self, index: i32) -> Result<&PartitionLog, ResponseError> {
        let found = usize::try_from(index).ok().and_then(|index| self.partitions.get(index));
        found.ok_or(ResponseError::UnknownTopicOrPartition)
    }

    /// How many partitions, as the protocol counts them.
    pub(crate) fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }
}

#[derive(Debug)]
pub(crate) struct Topics {
    by_name: BTreeMap<String, Topic>,
    names: HashMap<Uuid, String>,
    partition_bytes_max: u64,
    retention_ms: Millis,
    default_partitions: i32,
    topics_max: usize,
    partitions_max: usize,
    producers_max: usize,
}

impl Topics {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            by_name: BTreeMap::new(),
            names: HashMap::new(),
            partition_bytes_max: config.partition_bytes_max,
            retention_ms: config.retention.map_or(-1, saturating_millis),
            default_partitions: config.default_partitions,
            topics_max: config.limits.topics,
            partitions_max: config.limits.partitions,
            producers_max: config.limits.producers_per_partition,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(crate) fn name_of(&self, id: &Uuid) -> Option<&str> {
        self.names.get(id).map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Topic)> {
        self.by_name.iter().map(|(name, topic)| (name.as_str(), topic))
    }

    pub(crate) fn has_partition(&self, name: &str, index: i32) -> bool {
        self.partition(name, index).is_ok()
    }

    /// # Errors
    /// `UNKNOWN_TOPIC_OR_PARTITION`.
    pub(crate) fn partition(&self, name: &str, index: i32) -> Result<&PartitionLog, ResponseError> {
        self.by_name.get(name).ok_or(ResponseError::UnknownTopicOrPartition)?.partition(index)
    }

    /// # Errors
    /// `UNKNOWN_TOPIC_OR_PARTITION`.
    pub(crate) fn partition_mut(&mut self, name: &str, index: i32) -> Result<&mut PartitionLog, ResponseError> {
        let index = usize::try_from(index).map_err(|_| ResponseError::UnknownTopicOrPartition)?;
        let topic = self.by_name.get_mut(name).ok_or(ResponseError::UnknownTopicOrPartition)?;
        topic.partitions.get_mut(index).ok_or(ResponseError::UnknownTopicOrPartition)
    }

    /// Creates a topic, or with `dry` only says whether it could; -1 partitions stands for the broker's default.
    /// Returns the number of partitions.
    pub(crate) fn create(&mut self, spec: &TopicSpec, dry: bool) -> Result<i32, TopicError> {
        check_name(&spec.name)?;
        if self.by_name.contains_key(&spec.name) {
            let message = format!("Topic '{}' already exists.", spec.name);
            return Err(TopicError::new(ResponseError::TopicAlreadyExists, message));
        }
        let count = if spec.partitions == -1 { self.default_partitions } else { spec.partitions };
        let wanted = usize::try_from(count).ok().filter(|count| *count > 0);
        let wanted = wanted.ok_or_else(|| {
            TopicError::new(ResponseError::InvalidPartitions, "Number of partitions must be larger than 0.")
        })?;
        self.check_room(wanted)?;
        if self.by_name.len() >= self.topics_max {
            return Err(TopicError::new(ResponseError::PolicyViolation, "devbroker: too many topics"));
        }
        let topic = self.build(wanted, spec.configs.clone())?;
        if !dry {
            self.names.insert(topic.id, spec.name.clone());
            self.by_name.insert(spec.name.clone(), topic);
        }
        Ok(count)
    }

    pub(crate) fn delete(&mut self, name: &str) -> Result<Topic, TopicError> {
        let gone = self.by_name.remove(name).ok_or_else(|| {
            TopicError::new(ResponseError::UnknownTopicOrPartition, "This server does not host this topic-partition.")
        })?;
        self.names.remove(&gone.id);
        Ok(gone)
    }

    /// Raises a topic's number of partitions to `count`.
    pub(crate) fn grow(&mut self, name: &str, count: i32, dry: bool) -> Result<(), TopicError> {
        let has = self.by_name.get(name).map(|topic| topic.partitions.len()).ok_or_else(|| {
            TopicError::new(ResponseError::UnknownTopicOrPartition, format!("The topic '{name}' does not exist."))
        })?;
        let wanted = usize::try_from(count).unwrap_or(0);
        if wanted <= has {
            let message =
                format!("The topic {name} currently has {has} partition(s); {count} would not be an increase.");
            return Err(TopicError::new(ResponseError::InvalidPartitions, message));
        }
        self.check_room(wanted - has)?;
        let producers_max = self.producers_max;
        if let Some(topic) = self.by_name.get_mut(name)
            && !dry
        {
            let (retention, times) = (topic.retention, topic.times);
            topic.partitions.resize_with(wanted, || PartitionLog::new(retention, times, producers_max));
        }
        Ok(())
    }

    /// Lets go of records that have grown too old.
    pub(crate) fn retain(&mut self, now: Millis) {
        for topic in self.by_name.values_mut() {
            topic.partitions.iter_mut().for_each(|partition| partition.retain(now));
        }
    }

    fn check_room(&self, more: usize) -> Result<(), TopicError> {
        let partitions: usize = self.by_name.values().map(|topic| topic.partitions.len()).sum();
        if partitions.saturating_add(more) > self.partitions_max {
            return Err(TopicError::new(ResponseError::InvalidPartitions, "devbroker: too many partitions"));
        }
        Ok(())
    }

    fn build(&self, partitions: usize, configs: BTreeMap<String, String>) -> Result<Topic, TopicError> {
        if let Some(unknown) = configs.keys().find(|key| !TOPIC_CONFIGS.iter().any(|(known, _)| known == key)) {
            return Err(TopicError::new(ResponseError::InvalidConfig, format!("Unknown topic config name: {unknown}")));
        }
        let retention_bytes = number(&configs, "retention.bytes")?.and_then(|bytes| u64::try_from(bytes).ok());
        let retention_ms = number(&configs, "retention.ms")?.unwrap_or(self.retention_ms);
        let message_bytes_max = number(&configs, "max.message.bytes")?.unwrap_or(1_048_588);
        let cleanup = cleanup(&configs)?;
        let retention = Retention {
            bytes_max: retention_bytes.unwrap_or(u64::MAX).min(self.partition_bytes_max),
            age_max: (retention_ms >= 0).then_some(retention_ms),
            rolling: Rolling {
                bytes_max: number(&configs, "segment.bytes")?
                    .and_then(|bytes| bytes.try_into().ok())
                    .unwrap_or(1 << 30),
                age_max: number(&configs, "segment.ms")?.unwrap_or(604_800_000),
            },
            cleanup,
        };
        let times = times(&configs)?;
        Ok(Topic {
            id: Uuid::new_v4(),
            partitions: (0..partitions).map(|_| PartitionLog::new(retention, times, self.producers_max)).collect(),
            configs,
            message_bytes_max: usize::try_from(message_bytes_max).unwrap_or(0),
            retention,
            times,
        })
    }
}

/// What a topic's `cleanup.policy` asks for.
fn cleanup(configs: &BTreeMap<String, String>) -> Result<Cleanup, TopicError> {
    let policy = configs.get("cleanup.policy").map_or("delete", String::as_str);
    let tombstones_kept = number(configs, "delete.retention.ms")?.unwrap_or(86_400_000);
    match policy {
        "delete" => Ok(Cleanup::Delete),
        "compact" => Ok(Cleanup::Compact { tombstones_kept }),
        "compact,delete" | "delete,compact" => Ok(Cleanup::Both { tombstones_kept }),
        _ => {
            let message = format!("Invalid value {policy} for configuration cleanup.policy");
            Err(TopicError::new(ResponseError::InvalidConfig, message))
        }
    }
}

/// What a topic's `message.timestamp.*` ask for.
fn times(configs: &BTreeMap<String, String>) -> Result<Times, TopicError> {
    let usual = Times::default();
    let kind = configs.get("message.timestamp.type").map_or("CreateTime", String::as_str);
    if !["CreateTime", "LogAppendTime"].contains(&kind) {
        let message = format!("Invalid value {kind} for configuration message.timestamp.type");
        return Err(TopicError::new(ResponseError::InvalidConfig, message));
    }
    Ok(Times {
        stamps: kind == "LogAppendTime",
        before_max: number(configs, "message.timestamp.before.max.ms")?.unwrap_or(usual.before_max),
        after_max: number(configs, "message.timestamp.after.max.ms")?.unwrap_or(usual.after_max),
    })
}

fn number(configs: &BTreeMap<String, String>, key: &str) -> Result<Option<i64>, TopicError> {
    let Some(value) = configs.get(key) else { return Ok(None) };
    value.parse().map(Some).map_err(|_| {
        let message = format!("Invalid value {value} for configuration {key}: Not a number of type LONG");
        TopicError::new(ResponseError::InvalidConfig, message)
    })
}

/// Letters, digits, `.`, `_` and `-`; neither empty nor `.` nor `..`.
pub(crate) fn check_name(name: &str) -> Result<(), TopicError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name == "." || name == ".." || name.len() > NAME_BYTES_MAX || !name.chars().all(legal) {
        let message = format!("Topic name is invalid: '{name}'");
        return Err(TopicError::new(ResponseError::InvalidTopicException, message));
    }
    Ok(())
}
