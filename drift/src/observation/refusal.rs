//! Why a record is no usable labelled event: a closed set of names for metrics, each with a sentence for a person.

use formats::framing::Frame;
use formats::observed::NotALabeledEvent;
use formats::time::{BadTime, Doubt};

/// What is wrong with a record. Messages name members and bounds, and never repeat what was written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No fault: it says that its key is gone, and there is nothing in it to count.
    #[error("the record has no payload (a tombstone)")]
    Tombstone,
    #[error("the payload begins with {0}, which is not decoded: expected a JSON object in UTF-8")]
    SchemaFramed(Frame),
    #[error("the payload is not a JSON object in UTF-8: {0}")]
    BadJson(String),
    #[error("the member {0} is missing")]
    Missing(&'static str),
    #[error("the member {member} is not {expected}")]
    WrongType { member: &'static str, expected: &'static str },
    #[error("the member {member} is outside {bounds}")]
    OutOfRange { member: &'static str, bounds: &'static str },
    #[error("the member source.event_time_ms: {0}: check observe.event_time_unit (--time-unit)")]
    BadTime(BadTime),
    /// Far from the present, and near it in another unit: counted, it would fill one window of 1970.
    #[error("the event time is not plausible, {0}: check observe.event_time_unit (--time-unit)")]
    OtherUnit(Doubt),
    #[error("neither the event nor the record has a time")]
    NoEventTime,
    #[error("the event time is {ahead_ms} ms ahead of the clock")]
    ClockAhead { ahead_ms: i64 },
    #[error("the record on a dead-letter topic is not a dead letter: header {0} is missing or unreadable")]
    NotADeadLetter(&'static str),
}

impl Refusal {
    /// Every name.
    pub const NAMES: [&'static str; 10] = [
        "tombstone",
        "schema_framed",
        "bad_json",
        "missing_field",
        "wrong_type",
        "out_of_range",
        "bad_event_time",
        "no_event_time",
        "clock_ahead",
        "not_a_dead_letter",
    ];

    /// The word in metrics, progress and reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Tombstone => "tombstone",
            Self::SchemaFramed(_) => "schema_framed",
            Self::BadJson(_) => "bad_json",
            Self::Missing(_) => "missing_field",
            Self::WrongType { .. } => "wrong_type",
            Self::OutOfRange { .. } => "out_of_range",
            Self::BadTime(_) | Self::OtherUnit(_) => "bad_event_time",
            Self::NoEventTime => "no_event_time",
            Self::ClockAhead { .. } => "clock_ahead",
            Self::NotADeadLetter(_) => "not_a_dead_letter",
        }
    }
}

impl From<NotALabeledEvent> for Refusal {
    fn from(fault: NotALabeledEvent) -> Self {
        match fault {
            NotALabeledEvent::BadJson(error) => Self::BadJson(error),
            NotALabeledEvent::Missing(member) => Self::Missing(member),
            NotALabeledEvent::WrongType { member, expected } => Self::WrongType { member, expected },
            NotALabeledEvent::OutOfRange { member, bounds } => Self::OutOfRange { member, bounds },
            NotALabeledEvent::BadTime(error) => Self::BadTime(error),
        }
    }
}
