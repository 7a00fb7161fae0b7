//! Why a topic refuses a record, from what the broker answers and from what is known beforehand; and what then becomes
//! of the records that were sent together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use rdkafka::error::RDKafkaErrorCode as Code;
use schemas::Reason;

use super::outgoing::{Address, Outgoing, Parcel};
use super::producer::Failure;
use super::verdict::Step;
use crate::publisher::PublishError;

/// Milliseconds of the units that a person reads.
const UNITS: [(i64, &str); 4] = [(86_400_000, "days"), (3_600_000, "hours"), (60_000, "minutes"), (1000, "seconds")];

/// The rule that a record breaks. Its text fits "topic T refuses it: ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// More bytes than are allowed; the limit where it is known.
    Size {
        bytes: usize,
        max: Option<usize>,
    },
    /// A record without a key, where one record of every key is kept.
    Key,
    TooNew {
        ahead_ms: i64,
        max_ms: i64,
    },
    TooOld {
        behind_ms: i64,
        max_ms: i64,
    },
    /// The broker refused it with this code, and no rule that is known here explains it.
    Answer(Code),
}

impl Rule {
    pub(super) fn reason(self) -> Reason {
        if matches!(self, Self::Size { .. }) { Reason::OutputTooLarge } else { Reason::OutputRefused }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { bytes, max: Some(max) } => {
                write!(f, "it has {bytes} bytes, more than {max} (max.message.bytes, sink.message_bytes_max)")
            }
            Self::Size { bytes, max: None } => {
                write!(f, "it has {bytes} bytes, more than the topic's max.message.bytes or sink.message_bytes_max")
            }
            Self::Key => f.write_str("it has no key, and the topic keeps one record per key (cleanup.policy=compact)"),
            Self::TooNew { ahead_ms, max_ms } => {
                let (ahead, max) = (span(*ahead_ms), span(*max_ms));
                write!(
                    f,
                    "its timestamp is {ahead} in the future, and {max} are allowed \
                           (message.timestamp.after.max.ms)"
                )
            }
            Self::TooOld { behind_ms, max_ms } => {
                let (behind, max) = (span(*behind_ms), span(*max_ms));
                write!(f, "its timestamp is {behind} old, and {max} are allowed (message.timestamp.before.max.ms)")
            }
            Self::Answer(Code::InvalidTimestamp) => f.write_str(
                "its timestamp is out of the topic's range (message.timestamp.after.max.ms, \
                 message.timestamp.before.max.ms)",
            ),
            Self::Answer(Code::InvalidRecord) => f.write_str(
                "the broker rejects the record as invalid: its timestamp, a missing key in a compacted topic, or a \
                 schema that it validates",
            ),
            Self::Answer(Code::PolicyViolation) => f.write_str("a policy of the broker forbids it"),
            Self::Answer(code) => write!(f, "{code}"),
        }
    }
}

/// A span in the largest unit of which it has two, with the milliseconds where it has none.
fn span(ms: i64) -> String {
    UNITS
        .iter()
        .find(|(unit, _)| ms / unit >= 2)
        .map_or_else(|| format!("{ms} ms"), |(unit, name)| format!("{} {name}", ms / unit))
}

/// Whether a broker that answers so means the record (or its batch), and not itself, the producer or the moment.
pub(super) fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::MessageBatchTooLarge
            | Code::InvalidTimestamp
            | Code::InvalidRecord
            | Code::InvalidDifferentRecord
            | Code::PolicyViolation
            | Code::UnsupportedForMessageFormat
    )
}

/// Whether the code is about bytes.
pub(super) fn is_size(code: Code) -> bool {
    matches!(code, Code::MessageSizeTooLarge | Code::MessageBatchTooLarge)
}

/// Takes back the records that are to blame for a failed attempt, or has the suspects sent apart from each other.
///
/// # Errors
/// As [`Parcel::reject`].
pub(super) fn set_aside(
    parcel: &mut Parcel<'_>,
    failure: &Failure,
    address: &Address,
    now_ms: i64,
) -> Result<(), PublishError> {
    let is_over_the_limit = |parcel: &Parcel<'_>, place: usize| {
        let record = &parcel.records()[place];
        address.rules.of(&record.topic).bytes_max.is_some_and(|max| record.bytes() > max)
    };
    // A request holds a record alone when that is larger than the topic's limit, so the answer means it.
    let is_sure = |(place, code): &(usize, Code)| {
        failure.step == Step::Produce || (is_size(*code) && is_over_the_limit(parcel, *place))
    };
    let mut blamed: Vec<_> = failure.refused.iter().copied().filter(is_sure).collect();
    if let Some((_, code)) = blamed.first().copied() {
        blamed.iter().for_each(|_| parcel.isolation.found());
        if parcel.isolation.is_spent() {
            // One by one would take as many transactions as there are records.
            let large = parcel.to_send().filter(|place| is_over_the_limit(parcel, *place) && !parcel.is_final(*place));
            blamed.extend(large.map(|place| (place, code)));
        }
    } else {
        let lane = |place: usize| (place, (Arc::clone(&parcel.records()[place].topic), parcel.places[place]));
        let lanes: BTreeMap<_, _> = parcel.to_send().map(lane).collect();
        let finals: BTreeSet<usize> = parcel.to_send().filter(|place| parcel.is_final(*place)).collect();
        blamed = parcel.isolation.blame(&failure.refused, &lanes, |place| finals.contains(&place));
    }
    // Each once: taking a record back twice would be a second refusal.
    let blamed: BTreeMap<usize, Code> = blamed.into_iter().collect();
    for (place, code) in blamed {
        let rule = rule(&parcel.records()[place], code, address, now_ms);
        parcel.reject(place, rule, address, now_ms)?;
    }
    Ok(())
}

/// The rule behind a broker's refusal, as far as it can be told.
fn rule(record: &Outgoing, code: Code, address: &Address, now_ms: i64) -> Rule {
    let rules = address.rules.of(&record.topic);
    if is_size(code) {
        return Rule::Size { bytes: record.bytes(), max: rules.bytes_max.filter(|max| record.bytes() > *max) };
    }
    match code {
        Code::InvalidRecord if rules.keeps_keys && record.key.is_none() => Rule::Key,
        // Several records with bad times come back as invalid ones.
        Code::InvalidTimestamp | Code::InvalidRecord => {
            rules.time_broken_by(record.timestamp_ms, now_ms, 0).unwrap_or(Rule::Answer(code))
        }
        code => Rule::Answer(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_says_what_is_wrong_and_which_setting_holds_it() {
        let hours = 3_600_000;
        for (rule, expected) in [
            (
                Rule::TooNew { ahead_ms: 2 * hours, max_ms: hours },
                "its timestamp is 2 hours in the future, and 60 minutes are allowed (message.timestamp.after.max.ms)",
            ),
            (
                Rule::TooOld { behind_ms: 72 * hours, max_ms: 1500 },
                "its timestamp is 3 days old, and 1500 ms are allowed (message.timestamp.before.max.ms)",
            ),
            (
                Rule::Size { bytes: 7, max: Some(5) },
                "it has 7 bytes, more than 5 (max.message.bytes, sink.message_bytes_max)",
            ),
            (Rule::Answer(Code::PolicyViolation), "a policy of the broker forbids it"),
        ] {
            assert_eq!(rule.to_string(), expected);
        }
    }
}
