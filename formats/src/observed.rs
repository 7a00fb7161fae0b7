//! A labelled event as its readers take it from any producer: what must be there, what may be, and in which range.
//!
//! `schemas/json/observed-event.schema.json` says the same to other programs. It asks for less than `labeled-event.schema.json`,
//! which says what labelstream writes: only label, score and model must be there. The payload is scanned once and its
//! members are borrowed from it; members that nobody asks for are only skipped. Of repeated names the last counts.
//!
//! A share that rounding pushed over 0 or 1 is clamped and counted: a softmax in 32 bits adds up to 1.0000001.

mod pick;

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde_json::value::RawValue;

pub use pick::pick;

use crate::layout::{FIELD_NAMES, NEST_NAME};
use crate::time::{BadTime, TimeUnit};

/// What is wrong with a labelled event. Messages never repeat what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotALabeledEvent {
    #[error("the payload is not a JSON object: {0}")]
    BadJson(String),
    #[error("the member {0} is missing")]
    Missing(&'static str),
    #[error("the member {member} is not {expected}")]
    WrongType { member: &'static str, expected: &'static str },
    #[error("the member {member} is outside {bounds}")]
    OutOfRange { member: &'static str, bounds: &'static str },
    #[error("the member source.event_time_ms: {0}")]
    BadTime(BadTime),
}

/// The members that a labeller adds.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedEvent<'a> {
    /// `None` where the model abstained, and for regression.
    pub label: Option<Cow<'a, str>>,
    /// 0..=1; `None` for regression.
    pub score: Option<f64>,
    /// Labels with their scores, 0..=1, in the order of the payload.
    pub labels: Vec<(Cow<'a, str>, f64)>,
    /// The raw output of a regression model; within the range of an `f32`.
    pub value: Option<f64>,
    pub model_name: Cow<'a, str>,
    pub model_version: Cow<'a, str>,
    pub signals: ObservedSignals,
    pub id: Option<Cow<'a, str>>,
    /// Milliseconds since 1970 UTC.
    pub event_time_ms: Option<i64>,
    /// Shares that lay outside of 0..=1 by no more than rounding explains, and were set to the bound.
    pub clamped: u32,
}

/// Facts about text and scores, each only where the producer knows it; see [`schemas::Signals`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ObservedSignals {
    pub characters: Option<u64>,
    pub n_tokens: Option<u64>,
    pub truncated: Option<bool>,
    /// 0..=1, as the next two.
    pub unknown_rate: Option<f64>,
    pub entropy: Option<f64>,
    pub margin: Option<f64>,
}

/// The event, and the values of the root members that the reader asked for, in the order in which it named them.
#[derive(Debug)]
pub struct Read<'a> {
    pub event: ObservedEvent<'a>,
    pub wanted: Vec<Option<&'a RawValue>>,
}

const SHARE: &str = "0 to 1";

/// How far outside of 0..=1 a share may lie: 2^-10, one step of half precision above 1; single precision rounds by far
/// less. What is beyond is another quantity, such as a logit or a percentage.
const ROUNDING: f64 = 0.000_976_562_5;

/// Reads a labelled event, and the root members of the user's object that `wanted` names. `unit` is that of the event
/// time; the JSON Schema knows milliseconds only.
///
/// # Errors
/// [`NotALabeledEvent`] names the first member that is missing, of the wrong type or outside its range.
pub fn read<'a>(payload: &'a str, wanted: &[&str], unit: TimeUnit) -> Result<Read<'a>, NotALabeledEvent> {
    let fixed = FIELD_NAMES.len();
    let names: Vec<&str> = FIELD_NAMES.iter().copied().chain([NEST_NAME]).chain(wanted.iter().copied()).collect();
    let mut found = vec![None; names.len()];
    pick(payload, &names, &mut found).map_err(|error| bad_json(&error))?;
    let wanted = found.split_off(fixed + 1);
    let is_nested = found[0].is_none() || found[5].is_none();
    if let Some(nested) = found[fixed].filter(|_| is_nested) {
        found.fill(None);
        pick(nested.get(), &FIELD_NAMES, &mut found[..fixed])
            .map_err(|_| NotALabeledEvent::WrongType { member: NEST_NAME, expected: "an object" })?;
    }
    let [label, score, labels, value, model, signals, source] = [0, 1, 2, 3, 4, 5, 6].map(|place| found[place]);
    let [model_name, model_version] =
        members(model.ok_or(NotALabeledEvent::Missing("model"))?, "model", ["name", "version"])?;
    let [id, event_time] = optional(source, "source", ["id", "event_time_ms"])?;
    let required = |member| move |raw: Option<&'a RawValue>| raw.ok_or(NotALabeledEvent::Missing(member));
    let mut clamped = 0;
    let event = ObservedEvent {
        label: nullable(required("label")(label)?).map(|raw| text(raw, "label")).transpose()?,
        score: nullable(required("score")(score)?).map(|raw| share(raw, "score", &mut clamped)).transpose()?,
        labels: present(labels).map_or(Ok(Vec::new()), |raw| list(raw, &mut clamped))?,
        value: present(value).map(real).transpose()?,
        model_name: text(required("model.name")(model_name)?, "model.name")?,
        model_version: text(required("model.version")(model_version)?, "model.version")?,
        signals: read_signals(signals, &mut clamped)?,
        id: present(id).map(|raw| text(raw, "source.id")).transpose()?,
        event_time_ms: present(event_time).map(|raw| time(raw, unit)).transpose()?,
        clamped,
    };
    Ok(Read { event, wanted })
}

fn bad_json(error: &serde_json::Error) -> NotALabeledEvent {
    let text = match error.classify() {
        // The library would quote the value.
        serde_json::error::Category::Data => "another value".to_owned(),
        _ => error.to_string(),
    };
    NotALabeledEvent::BadJson(text)
}

fn read_signals(raw: Option<&RawValue>, clamped: &mut u32) -> Result<ObservedSignals, NotALabeledEvent> {
    let names = ["characters", "n_tokens", "truncated", "unknown_rate", "entropy", "margin"];
    let [characters, n_tokens, truncated, unknown_rate, entropy, margin] = optional(raw, "signals", names)?;
    Ok(ObservedSignals {
        characters: present(characters).map(|raw| length(raw, "signals.characters")).transpose()?,
        n_tokens: present(n_tokens).map(|raw| length(raw, "signals.n_tokens")).transpose()?,
        truncated: present(truncated).map(|raw| switch(raw, "signals.truncated")).transpose()?,
        unknown_rate: present(unknown_rate).map(|raw| share(raw, "signals.unknown_rate", clamped)).transpose()?,
        entropy: present(entropy).map(|raw| share(raw, "signals.entropy", clamped)).transpose()?,
        margin: present(margin).map(|raw| share(raw, "signals.margin", clamped)).transpose()?,
    })
}

fn list<'a>(raw: &'a RawValue, clamped: &mut u32) -> Result<Vec<(Cow<'a, str>, f64)>, NotALabeledEvent> {
    let items: Vec<&RawValue> = serde_json::from_str(raw.get())
        .map_err(|_| NotALabeledEvent::WrongType { member: "labels", expected: "an array" })?;
    let item = |raw| {
        let [label, score] = members(raw, "labels[]", ["label", "score"])?;
        let label = text(label.ok_or(NotALabeledEvent::Missing("labels[].label"))?, "labels[].label")?;
        Ok((label, share(score.ok_or(NotALabeledEvent::Missing("labels[].score"))?, "labels[].score", clamped)?))
    };
    items.into_iter().map(item).collect()
}

fn members<'a, const N: usize>(
    raw: &'a RawValue,
    member: &'static str,
    names: [&str; N],
) -> Result<[Option<&'a RawValue>; N], NotALabeledEvent> {
    let mut found = [None; N];
    pick(raw.get(), &names, &mut found).map_err(|_| NotALabeledEvent::WrongType { member, expected: "an object" })?;
    Ok(found)
}

fn optional<'a, const N: usize>(
    raw: Option<&'a RawValue>,
    member: &'static str,
    names: [&str; N],
) -> Result<[Option<&'a RawValue>; N], NotALabeledEvent> {
    present(raw).map_or(Ok([None; N]), |raw| members(raw, member, names))
}

fn nullable(raw: &RawValue) -> Option<&RawValue> {
    (raw.get() != "null").then_some(raw)
}

/// Where a member may be left out, null says the same.
fn present(raw: Option<&RawValue>) -> Option<&RawValue> {
    raw.and_then(nullable)
}

/// A string; without escapes it is borrowed from the payload.
///
/// # Errors
/// [`NotALabeledEvent::WrongType`] for anything else, and for half a surrogate pair.
pub fn text<'a>(raw: &'a RawValue, member: &'static str) -> Result<Cow<'a, str>, NotALabeledEvent> {
    let fault = || NotALabeledEvent::WrongType { member, expected: "a string" };
    let inner = raw.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(fault)?;
    if inner.contains('\\') {
        serde_json::from_str(raw.get()).map(Cow::Owned).map_err(|_| fault())
    } else {
        Ok(Cow::Borrowed(inner))
    }
}

/// A JSON number is a number to Rust too; one beyond the range of an `f64` becomes infinite.
fn number(raw: &RawValue, member: &'static str) -> Result<f64, NotALabeledEvent> {
    let digits = raw.get().starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let number = raw.get().parse().ok().filter(|_| digits);
    number.ok_or(NotALabeledEvent::WrongType { member, expected: "a number" })
}

/// A number of 0..=1; [`ROUNDING`] beyond is set to the bound, and counted.
fn share(raw: &RawValue, member: &'static str, clamped: &mut u32) -> Result<f64, NotALabeledEvent> {
    let share = number(raw, member)?;
    if !(-ROUNDING..=1.0 + ROUNDING).contains(&share) {
        return Err(NotALabeledEvent::OutOfRange { member, bounds: SHARE });
    }
    *clamped += u32::from(!(0.0..=1.0).contains(&share));
    // Adding zero makes -0 equal to 0.
    Ok(share.clamp(0.0, 1.0) + 0.0)
}

fn real(raw: &RawValue) -> Result<f64, NotALabeledEvent> {
    let value = number(raw, "value")?;
    let range: RangeInclusive<f64> = f64::from(f32::MIN)..=f64::from(f32::MAX);
    if range.contains(&value) {
        Ok(value)
    } else {
        Err(NotALabeledEvent::OutOfRange { member: "value", bounds: "the range of an f32" })
    }
}

/// An integer; JSON Schema counts 27.0 as one.
fn integer(raw: &RawValue, member: &'static str) -> Result<i64, NotALabeledEvent> {
    if let Ok(integer) = raw.get().parse() {
        return Ok(integer);
    }
    let number = number(raw, member)?;
    if number.fract() != 0.0 {
        return Err(NotALabeledEvent::WrongType { member, expected: "an integer" });
    }
    // 2^63 is a double, the greatest i64 is not
    if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number) {
        return Err(NotALabeledEvent::OutOfRange { member, bounds: "64 bits" });
    }
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
    Ok(number as i64)
}

fn length(raw: &RawValue, member: &'static str) -> Result<u64, NotALabeledEvent> {
    u64::try_from(integer(raw, member)?).map_err(|_| NotALabeledEvent::OutOfRange { member, bounds: "0 and above" })
}

fn time(raw: &RawValue, unit: TimeUnit) -> Result<i64, NotALabeledEvent> {
    number(raw, "source.event_time_ms")?;
    unit.written_ms(raw.get()).map_err(NotALabeledEvent::BadTime)
}

fn switch(raw: &RawValue, member: &'static str) -> Result<bool, NotALabeledEvent> {
    match raw.get() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(NotALabeledEvent::WrongType { member, expected: "true or false" }),
    }
}
