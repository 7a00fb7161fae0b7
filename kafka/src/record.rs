//! A record of librdkafka as a [`RawEvent`], copied once.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers, Message};
use schemas::{Header, Origin, RawEvent};
use service::panics;

use crate::metrics;

/// Between two warnings of headers that were left out: who writes such a name writes it on every record.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// Topic names as they are shared by all events of a topic, and what to warn of in their headers.
pub(crate) struct TopicNames {
    names: Vec<Arc<str>>,
    warned_at: Cell<Option<Instant>>,
    /// Headers left out since the last warning.
    left_out: Cell<u64>,
}

impl TopicNames {
    pub(crate) fn new(topics: &[String]) -> Self {
        let names = topics.iter().map(|topic| Arc::from(topic.as_str())).collect();
        Self { names, warned_at: Cell::new(None), left_out: Cell::new(0) }
    }

    /// The name as all events of the topic share it.
    pub(crate) fn get(&self, topic: &str) -> Arc<str> {
        self.names.iter().find(|own| &***own == topic).map_or_else(|| Arc::from(topic), Arc::clone)
    }

    /// Counts headers that were left out, and warns of them once in a while.
    fn leave_out(&self, headers: u64, origin: &Origin) {
        metrics::unreadable_headers(headers);
        let headers = self.left_out.get() + headers;
        self.left_out.set(headers);
        if self.warned_at.get().is_none_or(|at| at.elapsed() >= WARN_INTERVAL) {
            self.warned_at.set(Some(Instant::now()));
            self.left_out.set(0);
            tracing::warn!(
                headers,
                last = %origin,
                "dropped headers whose names are not UTF-8, which the Kafka client cannot read; the records keep their \
                 other headers: make the producer write names in UTF-8"
            );
        }
    }
}

pub(crate) fn raw_event(message: &BorrowedMessage<'_>, topics: &TopicNames) -> RawEvent {
    let origin =
        Origin { topic: topics.get(message.topic()), partition: message.partition(), offset: message.offset() };
    let headers = message.headers().map_or_else(Vec::new, |headers| read_headers(headers, &origin, topics));
    RawEvent {
        origin,
        key: message.key().map(<[u8]>::to_vec),
        payload: message.payload().map(<[u8]>::to_vec),
        headers,
        timestamp_ms: message.timestamp().to_millis(),
    }
}

/// Reads headers one by one: rdkafka 0.39 panics on a name that is not UTF-8, and gives neither its bytes nor its value.
fn read_headers(headers: &BorrowedHeaders, origin: &Origin, topics: &TopicNames) -> Vec<Header> {
    let mut read = Vec::with_capacity(headers.count());
    for place in 0..headers.count() {
        let found = panics::catch(|| {
            let header = headers.get(place);
            Header { name: header.key.to_owned(), value: header.value.map(<[u8]>::to_vec) }
        });
        read.extend(found);
    }
    let left_out = headers.count() - read.len();
    if left_out > 0 {
        topics.leave_out(left_out as u64, origin);
    }
    read
}
