//! Why a record is no usable labelled event: a closed set of names for metrics, each with a sentence for a person.

use schemas::observed::Fault;

/// What is wrong with a record. Messages name members and bounds, and never repeat what was written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("the record has no payload (a tombstone)")]
    Empty,
    #[error("the payload is not a JSON object in UTF-8: {0}")]
    BadJson(String),
    #[error("the member {0} is missing")]
    Missing(&'static str),
    #[error("the member {member} is not {expected}")]
    WrongType { member: &'static str, expected: &'static str },
    #[error("the member {member} is outside {bounds}")]
    OutOfRange { member: &'static str, bounds: &'static str },
    #[error("neither the event nor the record carries a time")]
    NoEventTime,
    #[error("the event time is {ahead_ms} ms ahead of the clock")]
    ClockAhead { ahead_ms: i64 },
    #[error("the record on a dead-letter topic is not a dead letter: header {0} is missing or unreadable")]
    NotADeadLetter(&'static str),
}

impl Refusal {
    /// Every name.
    pub const NAMES: [&'static str; 8] = [
        "empty",
        "bad_json",
        "missing_field",
        "wrong_type",
        "out_of_range",
        "no_event_time",
        "clock_ahead",
        "not_a_dead_letter",
    ];

    /// The word in metrics, progress and reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::BadJson(_) => "bad_json",
            Self::Missing(_) => "missing_field",
            Self::WrongType { .. } => "wrong_type",
            Self::OutOfRange { .. } => "out_of_range",
            Self::NoEventTime => "no_event_time",
            Self::ClockAhead { .. } => "clock_ahead",
            Self::NotADeadLetter(_) => "not_a_dead_letter",
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::BadJson(error) => Self::BadJson(error),
            Fault::Missing(member) => Self::Missing(member),
            Fault::WrongType { member, expected } => Self::WrongType { member, expected },
            Fault::OutOfRange { member, bounds } => Self::OutOfRange { member, bounds },
        }
    }
}
