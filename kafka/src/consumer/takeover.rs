//! Whether another process has taken over the name of this replica.
//!
//! A named member that its group has not heard of for the session time-out, because the process was stopped or cut off,
//! joins again under its name, and that fences whoever runs under the name by now: the rightful owner would end, and the
//! one that was replaced would live. So before it joins again the group is asked who has the name. Kafka begins the id of
//! a named member with its name, and a UUID follows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;

use crate::settings::SourceConfig;

/// Between questions while no broker answers.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// Characters of a UUID in hyphens.
const UUID_LENGTH: usize = 36;

pub(super) struct Takeover {
    group: String,
    instance: Option<String>,
    request_wait: Duration,
    /// How long the question is repeated while no broker answers.
    patience: Duration,
    stop: Arc<AtomicBool>,
    /// The id of this member, once it is known.
    own: Mutex<Option<String>>,
}

impl Takeover {
    pub(super) fn new(config: &SourceConfig, stop: Arc<AtomicBool>) -> Self {
        Self {
            group: config.group.clone(),
            instance: config.instance.clone(),
            request_wait: config.request_wait,
            patience: config.session_timeout,
            stop,
            own: Mutex::default(),
        }
    }

    /// The group has just taken this member in, maybe under another id than before.
    pub(super) fn joined(&self) {
        *self.own.lock() = None;
    }

    /// Finds out which member this is, once after it has joined: a rewind does not change it.
    pub(super) fn learn<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>) {
        let Some(instance) = self.instance.as_ref().filter(|_| self.own.lock().is_none()) else { return };
        match self.member(consumer, instance) {
            Ok(member) => *self.own.lock() = member,
            Err(error) => tracing::debug!(%error, "failed to list the members of the group"),
        }
    }

    /// Whether another member has the name of this one. Waits for an answer; without one nothing is known, and false.
    pub(super) fn is_complete<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>) -> bool {
        let own = self.own.lock().clone();
        let (Some(instance), Some(own)) = (&self.instance, own) else { return false };
        let deadline = Instant::now() + self.patience;
        while !self.stop.load(Ordering::Acquire) {
            match self.member(consumer, instance) {
                Ok(member) => return member.is_some_and(|member| member != own),
                Err(_) if Instant::now() >= deadline => break,
                Err(_) => thread::sleep(ASK_EVERY),
            }
        }
        false
    }

    /// The id of the member with the name.
    fn member<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>, instance: &str) -> KafkaResult<Option<String>> {
        let list = consumer.fetch_group_list(Some(&self.group), self.request_wait)?;
        let members = list.groups().iter().filter(|group| group.name() == self.group).flat_map(|group| group.members());
        Ok(members.map(|member| member.id()).find(|id| is_named(id, instance)).map(str::to_owned))
    }
}

/// Whether a member's id is a name and a UUID: another name may begin alike.
fn is_named(id: &str, instance: &str) -> bool {
    let uuid = id.strip_prefix(instance).and_then(|rest| rest.strip_prefix('-'));
    uuid.is_some_and(|uuid| {
        uuid.len() == UUID_LENGTH && uuid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::is_named;

    #[test]
    fn a_member_is_known_by_its_name_and_no_other_that_begins_alike() {
        let uuid = "0b8a1a3e-5f9c-4c59-9d8e-3a1f6b2c7d10";
        for (id, instance, expected) in [
            (format!("a-{uuid}"), "a", true),
            (format!("a-1-{uuid}"), "a", false),
            (format!("a-1-{uuid}"), "a-1", true),
            (format!("rdkafka-{uuid}"), "a", false),
            ("a".to_owned(), "a", false),
            (format!("a{uuid}"), "a", false),
        ] {
            assert_eq!(is_named(&id, instance), expected, "{id} {instance}");
        }
    }
}
