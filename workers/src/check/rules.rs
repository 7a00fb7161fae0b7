//! What the topics take and how long they keep it, held against each other: sizes, keys, times, retention.
//!
//! Nothing here stops a stream: what a topic refuses becomes a dead letter. But a person should know beforehand.

use kafka::clock::now_ms;
use kafka::rules::{TopicRules, topic_rules};
use service::chain;

use super::error::CheckError;
use super::report::Report;
use crate::brokers::ANSWER_WITHIN;
use crate::settings::Config;

/// Bytes that a label adds to a record at most, and those of a dead letter's headers: a round figure.
const ADDED_BYTES: usize = 4096;
const DAY_MS: i64 = 86_400_000;

/// A line of the report.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Note { what: String, found: String },
    Fail { what: String, found: String, fix: String },
}

/// The rules of all topics; `None` where they are not there or may not be seen.
struct Known {
    inputs: Vec<(String, Option<TopicRules>)>,
    output: (String, Option<TopicRules>),
    dead_letters: (String, Option<TopicRules>),
}

/// Reports what does not fit; `oldest_ms` is the time of the input's oldest record.
pub(super) fn check(config: &Config, oldest_ms: Option<i64>, report: &mut Report<'_>) -> Result<(), CheckError> {
    let inputs = config.source().topics();
    let (output, dead_letters) = (config.sink().output_topic(), config.sink().dead_letter_topic());
    let names: Vec<_> = inputs.iter().map(String::as_str).chain([output, dead_letters]).collect();
    let mut rules = match topic_rules(config.connection(), &names, ANSWER_WITHIN) {
        Ok(rules) => names.iter().map(|name| (*name).to_owned()).zip(rules).collect::<Vec<_>>(),
        Err(error) => return report.note("topic settings", &chain(&error)),
    };
    let (Some(dead_letters), Some(output)) = (rules.pop(), rules.pop()) else { return Ok(()) };
    let known = Known { inputs: rules, output, dead_letters };
    let hidden: Vec<_> = known.all().filter(|(_, rules)| rules.is_none()).map(|(name, _)| name.as_str()).collect();
    if !hidden.is_empty() {
        let found =
            format!("unknown for {}: the topic is missing, or DescribeConfigs is not granted", hidden.join(", "));
        report.note("topic settings", &found)?;
    }
    let now_ms = now_ms();
    let mut lines = sizes(&known, config.sink().message_bytes_max());
    lines.extend(keys(&known));
    lines.extend(times(&known));
    lines.extend(retention(&known, oldest_ms, now_ms));
    if lines.is_empty() && hidden.is_empty() {
        return report.ok("topic settings", "sizes, keys, times and retention of all topics are compatible");
    }
    lines.into_iter().try_for_each(|line| match line {
        Line::Note { what, found } => report.note(&what, &found),
        Line::Fail { what, found, fix } => report.fail(&what, &found, &fix),
    })
}

impl Known {
    fn all(&self) -> impl Iterator<Item = &(String, Option<TopicRules>)> {
        self.inputs.iter().chain([&self.output, &self.dead_letters])
    }

    /// Output and dead letters, as far as they are known, each with its kind.
    fn written(&self) -> impl Iterator<Item = (&'static str, &str, &TopicRules)> {
        let topics = [("output", &self.output), ("dead-letter", &self.dead_letters)];
        topics.into_iter().filter_map(|(kind, (name, rules))| Some((kind, name.as_str(), rules.as_ref()?)))
    }
}

/// Records that the input takes and the others do not.
fn sizes(known: &Known, bytes_max: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let input = known.inputs.iter().filter_map(|(_, rules)| rules.as_ref()?.bytes_max).max();
    for (kind, name, rules) in known.written() {
        let Some(topic_max) = rules.bytes_max else { continue };
        let what = format!("{kind} topic {name}");
        if topic_max < ADDED_BYTES {
            let found =
                format!("max.message.bytes is {topic_max}: too small even for a dead letter without its payload");
            let fix = "raise the topic's max.message.bytes".to_owned();
            lines.push(Line::Fail { what, found, fix });
            continue;
        }
        let larger = input.filter(|input| *input > topic_max);
        let becomes = if kind == "output" { "a dead letter" } else { "a dead letter without its payload" };
        if let Some(input) = larger {
            let found = format!(
                "accepts {topic_max} bytes (max.message.bytes), the input up to {input}: a larger record becomes \
                 {becomes}; \
                 raise it to {} to keep all",
                input + ADDED_BYTES
            );
            lines.push(Line::Note { what, found });
        } else if bytes_max > topic_max {
            let found = format!(
                "accepts {topic_max} bytes (max.message.bytes), less than sink.message_bytes_max ({bytes_max}): a \
                 record in between is tried, and becomes {becomes} if it does not compress enough"
            );
            lines.push(Line::Note { what, found });
        }
    }
    if let Some(input) = input.filter(|input| *input > bytes_max) {
        let found = format!(
            "{bytes_max}, less than the input's max.message.bytes ({input}): a larger record becomes a dead letter \
             without its payload"
        );
        lines.push(Line::Note { what: "sink.message_bytes_max".to_owned(), found });
    }
    lines
}

/// Topics that keep one record of every key.
fn keys(known: &Known) -> Vec<Line> {
    let compacted = known.written().filter(|(.., rules)| rules.keeps_keys);
    let lines = compacted.map(|(kind, name, _)| {
        let what = format!("{kind} topic {name}");
        if kind == "output" {
            let found =
                "keeps one record per key (cleanup.policy=compact): records without a key become dead letters, \
                         and a label replaces the earlier ones of its key"
                    .to_owned();
            return Line::Note { what, found };
        }
        let found = "keeps one record per key (cleanup.policy=compact): a dead letter replaces the earlier ones of \
                     its key, which are lost"
            .to_owned();
        Line::Fail { what, found, fix: "set cleanup.policy=delete on the topic".to_owned() }
    });
    lines.collect()
}

/// Records whose time the input takes and the others do not.
fn times(known: &Known) -> Vec<Line> {
    let mut lines = Vec::new();
    let inputs: Vec<_> = known.inputs.iter().filter_map(|(_, rules)| rules.as_ref()).collect();
    // An input that stamps its records holds none from the future; what it holds grows older, though.
    let widest = |limit: fn(&TopicRules) -> Option<i64>| {
        let limits = inputs.iter().map(|rules| limit(rules).unwrap_or(i64::MAX));
        limits.max().unwrap_or(i64::MAX)
    };
    let ahead = widest(|rules| if rules.stamps { Some(0) } else { rules.after_max_ms });
    for (kind, name, rules) in known.written().filter(|(.., rules)| !rules.stamps) {
        let what = format!("{kind} topic {name}");
        let becomes = if kind == "output" {
            "becomes a dead letter"
        } else {
            "gets the time of writing, and its own timestamp in a header"
        };
        if let Some(max) = rules.after_max_ms.filter(|max| ahead > *max) {
            let found = format!(
                "accepts records up to {max} ms in the future (message.timestamp.after.max.ms), the input more: such a \
                 record \
                 {becomes}"
            );
            lines.push(Line::Note { what: what.clone(), found });
        }
        if let Some(max) = rules.before_max_ms {
            let found = format!(
                "accepts no record older than {max} ms (message.timestamp.before.max.ms): such a record {becomes}"
            );
            lines.push(Line::Note { what, found });
        }
    }
    lines
}

/// Topics that delete what is as old as the input's oldest record.
fn retention(known: &Known, oldest_ms: Option<i64>, now_ms: i64) -> Vec<Line> {
    let deleting = known.written().filter(|(.., rules)| rules.deletes && !rules.stamps);
    let limited = deleting.filter_map(|(kind, name, rules)| Some((kind, name, rules.retention_ms?)));
    let lines = limited.filter_map(|(kind, name, retention_ms)| {
        let age_ms = now_ms.saturating_sub(oldest_ms?);
        let found = format!(
            "keeps records for {} (retention.ms), and the input's oldest is {} old: labels and dead letters keep the time \
             of their record, so Kafka deletes them minutes after they are written",
            days(retention_ms),
            days(age_ms)
        );
        let fix = "for a backfill: set retention.ms=-1 on the topic, or message.timestamp.type=LogAppendTime";
        let what = format!("{kind} topic {name}");
        (age_ms > retention_ms).then(|| Line::Note { what, found: format!("{found}; {fix}") })
    });
    lines.collect()
}

fn days(ms: i64) -> String {
    if ms >= 2 * DAY_MS { format!("{} days", ms / DAY_MS) } else { format!("{} hours", ms / (DAY_MS / 24)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> TopicRules {
        TopicRules { bytes_max: Some(1_048_588), deletes: true, after_max_ms: Some(3_600_000), ..TopicRules::default() }
    }

    fn known(input: TopicRules, output: TopicRules, dead_letters: TopicRules) -> Known {
        let named = |name: &str, rules| (name.to_owned(), Some(rules));
        Known {
            inputs: vec![named("in", input)],
            output: named("out", output),
            dead_letters: named("dead", dead_letters),
        }
    }

    fn text(line: &Line) -> String {
        match line {
            Line::Note { what, found } => format!("note {what}: {found}"),
            Line::Fail { what, found, .. } => format!("FAIL {what}: {found}"),
        }
    }

    #[track_caller]
    fn says(lines: &[Line], expected: &[&str]) {
        let lines: Vec<_> = lines.iter().map(text).collect();
        assert_eq!(lines.len(), expected.len(), "{lines:#?}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.starts_with(expected), "{line}\nnot {expected}");
        }
    }

    #[test]
    fn kafkas_defaults_fit_each_other() {
        let known = known(usual(), usual(), usual());
        says(&sizes(&known, 1_048_588), &[]);
        says(&keys(&known), &[]);
        says(&times(&known), &[]);
        says(&retention(&known, Some(0), i64::MAX), &[]);
    }

    #[test]
    fn limits_of_all_topics_are_compared() {
        let sized = |bytes| TopicRules { bytes_max: Some(bytes), ..usual() };
        says(
            &sizes(&known(sized(5_000_000), sized(2_000_000), sized(1000)), 1_048_588),
            &[
                "note output topic out: accepts 2000000 bytes (max.message.bytes), the input up to 5000000: a larger record \
                 becomes a dead letter;",
                "FAIL dead-letter topic dead: max.message.bytes is 1000: too small",
                "note sink.message_bytes_max: 1048588, less than the input's max.message.bytes (5000000)",
            ],
        );
        says(
            &sizes(&known(sized(10_000), sized(10_000), sized(2_000_000)), 1_048_588),
            &["note output topic out: accepts 10000 bytes (max.message.bytes), less than sink.message_bytes_max"],
        );
    }

    #[test]
    fn compacted_topics_are_told() {
        let compacted = TopicRules { keeps_keys: true, deletes: false, ..usual() };
        says(
            &keys(&known(compacted.clone(), compacted.clone(), compacted)),
            &["note output topic out: keeps one record", "FAIL dead-letter topic dead: keeps one record"],
        );
    }

    #[test]
    fn narrower_times_are_told() {
        let input = TopicRules { after_max_ms: None, ..usual() };
        let old = TopicRules { before_max_ms: Some(1000), ..usual() };
        let stamps = TopicRules { stamps: true, after_max_ms: None, ..usual() };
        says(
            &times(&known(input.clone(), old.clone(), stamps.clone())),
            &[
                "note output topic out: accepts records up to 3600000 ms in the future",
                "note output topic out: accepts no record older than",
            ],
        );
        says(&times(&known(stamps, usual(), usual())), &[]);
    }

    #[test]
    fn retention_is_held_against_the_oldest_record() {
        let week = TopicRules { retention_ms: Some(7 * DAY_MS), ..usual() };
        let stamped = TopicRules { stamps: true, ..week.clone() };
        let old = known(usual(), week.clone(), stamped);
        says(
            &retention(&old, Some(0), 30 * DAY_MS),
            &["note output topic out: keeps records for 7 days (retention.ms), and the input's oldest is 30 days old"],
        );
        says(&retention(&old, Some(0), 6 * DAY_MS), &[]);
        says(&retention(&old, None, 30 * DAY_MS), &[]);
    }
}
