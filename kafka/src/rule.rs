//! Why a topic refuses a record, in words, from what the broker answers and from what is known beforehand.

use std::fmt;

use rdkafka::error::RDKafkaErrorCode as Code;

/// Milliseconds of the units that a person reads.
const UNITS: [(i64, &str); 4] = [(86_400_000, "days"), (3_600_000, "hours"), (60_000, "minutes"), (1000, "seconds")];

/// The rule that a record breaks. Its text fits "topic T refuses it: ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
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
    /// The broker refuses its time, and no limit that is known here explains it.
    Time,
    /// The broker finds it invalid.
    Invalid,
    Policy,
    /// The broker refused it with this code, and no rule that is known here explains it.
    Answer(Code),
}

impl Rule {
    /// The rule that a code names, where no known one explains it.
    pub(crate) fn answered(code: Code) -> Self {
        match code {
            Code::InvalidTimestamp => Self::Time,
            Code::InvalidRecord => Self::Invalid,
            Code::PolicyViolation => Self::Policy,
            code => Self::Answer(code),
        }
    }
}

/// Whether the code is about bytes.
pub(crate) fn is_size(code: Code) -> bool {
    matches!(code, Code::MessageSizeTooLarge | Code::MessageBatchTooLarge)
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
                write!(f, "its timestamp is {ahead} in the future, and {max} are allowed (message.timestamp.after.max.ms)")
            }
            Self::TooOld { behind_ms, max_ms } => {
                let (behind, max) = (span(*behind_ms), span(*max_ms));
                write!(f, "its timestamp is {behind} old, and {max} are allowed (message.timestamp.before.max.ms)")
            }
            Self::Time => f.write_str(
                "its timestamp is out of the topic's range (message.timestamp.after.max.ms, message.timestamp.before.max.ms)",
            ),
            Self::Invalid => f.write_str(
                "the broker rejects the record as invalid: its timestamp, a missing key in a compacted topic, or a \
                 schema that it validates",
            ),
            Self::Policy => f.write_str("a policy of the broker forbids it"),
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
            (Rule::Policy, "a policy of the broker forbids it"),
        ] {
            assert_eq!(rule.to_string(), expected);
        }
    }
}
