//! A record of librdkafka as a [`RawEvent`], copied once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers, Message};
use schemas::{Header, Origin, RawEvent};

use crate::metrics;

/// Topic names as they are shared by all events of a topic.
pub(super) struct TopicNames(Vec<Arc<str>>);

impl TopicNames {
    pub(super) fn new(topics: &[String]) -> Self {
        Self(topics.iter().map(|topic| Arc::from(topic.as_str())).collect())
    }

    /// The name as all events of the topic share it.
    pub(super) fn get(&self, topic: &str) -> Arc<str> {
        self.0.iter().find(|own| &***own == topic).map_or_else(|| Arc::from(topic), Arc::clone)
    }
}

pub(super) fn raw_event(message: &BorrowedMessage<'_>, topics: &TopicNames) -> RawEvent {
    let origin =
        Origin { topic: topics.get(message.topic()), partition: message.partition(), offset: message.offset() };
    let headers = message.headers().map_or_else(Vec::new, |headers| read_headers(headers, &origin));
    RawEvent {
        origin,
        key: message.key().map(<[u8]>::to_vec),
        payload: message.payload().map(<[u8]>::to_vec),
        headers,
        timestamp_ms: message.timestamp().to_millis(),
    }
}

/// Reads headers one by one: rdkafka 0.39 panics on a name that is not UTF-8, which must not end the process.
fn read_headers(headers: &BorrowedHeaders, origin: &Origin) -> Vec<Header> {
    let mut read = Vec::with_capacity(headers.count());
    for place in 0..headers.count() {
        let found = catch_unwind(AssertUnwindSafe(|| {
            let header = headers.get(place);
            Header { name: header.key.to_owned(), value: header.value.map(<[u8]>::to_vec) }
        }));
        match found {
            Ok(header) => read.push(header),
            Err(_) => {
                metrics::unreadable_header();
                tracing::warn!(%origin, place, "left out a header whose name is not utf-8");
            }
        }
    }
    read
}
