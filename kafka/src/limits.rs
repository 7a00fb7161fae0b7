//! What the topics that are written take, as far as it is known: which records are surely refused, and why others were.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;

use crate::connection::Connection;
use crate::outgoing::Outgoing;
use crate::rule::{Rule, is_size};
use crate::rules::{TopicRules, topic_rules};

/// The limits of the topics that are written: their rules, looked up when first needed and again when they are old, and
/// the largest record that is sent at all.
#[derive(Debug)]
pub struct TopicLimits {
    bytes_max: usize,
    /// A batch may be smaller than its records: what does not fit by their sizes may still fit.
    is_compressed: bool,
    known: HashMap<Arc<str>, TopicRules>,
    asked: Option<Instant>,
    /// The last question had no answer.
    is_silent: bool,
    age_max: Duration,
    wait: Duration,
    none: TopicRules,
}

impl TopicLimits {
    pub(crate) fn new(bytes_max: usize, is_compressed: bool, age_max: Duration, wait: Duration) -> Self {
        let (known, none) = (HashMap::new(), TopicRules::default());
        Self { bytes_max, is_compressed, known, asked: None, is_silent: false, age_max, wait, none }
    }

    /// Topics whose rules are told, and not asked for.
    pub fn known(
        bytes_max: usize,
        is_compressed: bool,
        rules: impl IntoIterator<Item = (Arc<str>, TopicRules)>,
    ) -> Self {
        let known = rules.into_iter().collect();
        Self { known, ..Self::new(bytes_max, is_compressed, Duration::MAX, Duration::ZERO) }
    }

    pub fn of(&self, topic: &str) -> &TopicRules {
        self.known.get(topic).unwrap_or(&self.none)
    }

    /// A larger record is surely refused: by us, or, where nothing is compressed, by the topic.
    pub fn certain_bytes_max(&self, topic: &str) -> usize {
        let of_topic = self.of(topic).bytes_max.filter(|_| !self.is_compressed);
        of_topic.map_or(self.bytes_max, |max| max.min(self.bytes_max))
    }

    /// The rule by which a record is surely refused.
    pub(crate) fn broken_by(&self, record: &Outgoing, now_ms: i64) -> Option<Rule> {
        let (bytes, max) = (record.bytes(), self.certain_bytes_max(&record.topic));
        let is_too_large = bytes > max;
        let size = Rule::Size { bytes, max: Some(max) };
        is_too_large.then_some(size).or_else(|| self.of(&record.topic).broken_by(record, now_ms))
    }

    /// Whether a record takes more than its topic's own limit, before compression.
    pub(crate) fn is_over(&self, record: &Outgoing) -> bool {
        self.of(&record.topic).bytes_max.is_some_and(|max| record.bytes() > max)
    }

    /// The rule behind a broker's refusal of a record, as far as it can be told.
    pub(crate) fn behind(&self, code: Code, record: &Outgoing, now_ms: i64) -> Rule {
        let rules = self.of(&record.topic);
        if is_size(code) {
            return Rule::Size { bytes: record.bytes(), max: rules.bytes_max.filter(|max| record.bytes() > *max) };
        }
        match code {
            Code::InvalidRecord if rules.keeps_keys && record.key.is_none() => Rule::Key,
            // Several records with bad times come back as invalid ones.
            Code::InvalidTimestamp | Code::InvalidRecord => {
                rules.time_broken_by(record.timestamp_ms, now_ms, 0).unwrap_or(Rule::answered(code))
            }
            code => Rule::answered(code),
        }
    }

    /// The least of what the known topics take in one batch.
    pub(crate) fn bytes_min(&self) -> Option<usize> {
        self.known.values().filter_map(|rules| rules.bytes_max).min()
    }

    /// Asks again for all of `topics` when one is new or the answers are old. Without an answer the old rules stay.
    pub(crate) fn refresh<'a>(&mut self, topics: impl Iterator<Item = &'a Arc<str>>, connection: &Connection) {
        let wanted: BTreeSet<Arc<str>> = topics.map(Arc::clone).collect();
        let is_known = self.is_silent || wanted.iter().all(|topic| self.known.contains_key(topic));
        if is_known && self.asked.is_some_and(|asked| asked.elapsed() < self.age_max) {
            return;
        }
        self.asked = Some(Instant::now());
        let names: Vec<_> = wanted.iter().map(|topic| &**topic).collect();
        let answers = topic_rules(connection, &names, self.wait);
        self.is_silent = answers.is_err();
        let answers = answers.unwrap_or_else(|error| {
            tracing::debug!(%error, "failed to read the output topics' settings, retrying later");
            Vec::new()
        });
        for (topic, rules) in wanted.into_iter().zip(answers) {
            match (self.known.entry(topic), rules) {
                (entry, Some(rules)) => {
                    entry.insert_entry(rules);
                }
                (Entry::Vacant(entry), None) => {
                    tracing::info!(
                        topic = &**entry.key(),
                        "cannot read the topic's settings (DescribeConfigs): records that it refuses are found by \
                         trying"
                    );
                    entry.insert(TopicRules::default());
                }
                (Entry::Occupied(_), None) => {}
            }
        }
    }
}
