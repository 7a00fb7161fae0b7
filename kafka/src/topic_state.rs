//! What the cluster says about one topic: whether it exists and may be seen, and how many partitions it has.

use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

/// What the cluster says about a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicState {
    pub name: String,
    /// `None` when it does not exist or may not be described.
    pub partitions: Option<i32>,
    /// The broker does not let this user see it.
    pub is_forbidden: bool,
}

/// Asks for a topic, for as long as it has no leader.
pub(crate) fn state<C: ClientContext>(client: &Client<C>, name: &str, wait: Duration) -> KafkaResult<TopicState> {
    let deadline = Instant::now() + wait;
    loop {
        let metadata = client.fetch_metadata(Some(name), deadline.saturating_duration_since(Instant::now()))?;
        let found = metadata.topics().iter().find(|topic| topic.name() == name);
        let code = found.and_then(|topic| topic.error()).map(Code::from);
        let partitions = found.map_or(0, |topic| topic.partitions().len());
        let is_forbidden = code == Some(Code::TopicAuthorizationFailed);
        let state = |partitions| TopicState { name: name.to_owned(), partitions, is_forbidden };
        match code {
            None if partitions > 0 => return Ok(state(i32::try_from(partitions).ok())),
            None | Some(Code::UnknownTopicOrPartition | Code::TopicAuthorizationFailed) => return Ok(state(None)),
            Some(Code::LeaderNotAvailable) if Instant::now() < deadline => {}
            Some(code) => return Err(KafkaError::MetadataFetch(code)),
        }
    }
}
