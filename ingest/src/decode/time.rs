//! When an event happened, out of what people write for it: RFC 3339 texts, and seconds or milliseconds since 1970.

use serde::Deserialize;

/// The unit of an event time that is written as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Whole or with a fraction, as in Python's `time.time()`.
    Seconds,
    #[default]
    Milliseconds,
}

/// The years 1 to 9999 in milliseconds since 1970: a number outside is in another unit than the one configured.
const RANGE_MS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// What is wrong with an event time. Values are not repeated: the pointer may lead to the text by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TimeError {
    #[error("expected an RFC 3339 time with its offset, such as 2026-01-31T12:00:00Z, found another text")]
    NotRfc3339,
    #[error("expected a time in the years 1 to 9999, found a number outside: check decode.event_time_unit")]
    OutOfRange,
    #[error("expected whole milliseconds since 1970, found a fraction: check decode.event_time_unit")]
    Fraction,
}

/// Milliseconds since 1970 UTC; parts of a millisecond are cut off towards the past.
pub(super) fn from_text(text: &str) -> Result<i64, TimeError> {
    let time: jiff::Timestamp = text.parse().map_err(|_| TimeError::NotRfc3339)?;
    let millisecond = time.as_nanosecond().div_euclid(1_000_000);
    in_range(i64::try_from(millisecond).map_err(|_| TimeError::OutOfRange)?)
}

/// Milliseconds since 1970 UTC from a JSON number as it was written.
pub(super) fn from_number(number: &str, unit: TimeUnit) -> Result<i64, TimeError> {
    let per_unit = match unit {
        TimeUnit::Seconds => 1000,
        TimeUnit::Milliseconds => 1,
    };
    if let Ok(whole) = number.parse::<i64>() {
        return in_range(whole.checked_mul(per_unit).ok_or(TimeError::OutOfRange)?);
    }
    let scaled = number.parse::<f64>().map_err(|_| TimeError::OutOfRange)? * per_unit as f64;
    if unit == TimeUnit::Milliseconds && scaled.fract() != 0.0 {
        return Err(TimeError::Fraction);
    }
    if !(*RANGE_MS.start() as f64..=*RANGE_MS.end() as f64).contains(&scaled) {
        return Err(TimeError::OutOfRange);
    }
    // Doubles hold a second's fraction to a fifth of a microsecond here: rounding first keeps .123 at 123 ms.
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked, and the fraction is cut on purpose")]
    Ok(((scaled * 1000.0).round() / 1000.0).floor() as i64)
}

fn in_range(ms: i64) -> Result<i64, TimeError> {
    RANGE_MS.contains(&ms).then_some(ms).ok_or(TimeError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_texts() {
        let cases = [
            ("1970-01-01T00:00:00Z", Ok(0)),
            ("2026-11-23T01:02:03.456789Z", Ok(1_795_395_723_456)),
            ("2026-11-23T03:02:03.456+02:00", Ok(1_795_395_723_456)),
            ("1969-12-31T23:59:59.9995Z", Ok(-1)),
            ("2026-11-23t01:02:03z", Ok(1_795_395_723_000)),
            ("0001-01-01T00:00:00Z", Ok(*RANGE_MS.start())),
            ("9999-12-30T21:59:59.999Z", Ok(*RANGE_MS.end() - 26 * 3_600_000)),
            ("2026-11-23T01:02:03", Err(TimeError::NotRfc3339)),
            ("2026-11-23", Err(TimeError::NotRfc3339)),
            ("2026-13-01T00:00:00Z", Err(TimeError::NotRfc3339)),
            ("yesterday", Err(TimeError::NotRfc3339)),
            ("", Err(TimeError::NotRfc3339)),
        ];
        for (text, expected) in cases {
            assert_eq!(from_text(text), expected, "{text:?}");
        }
    }

    #[test]
    fn reads_numbers_in_their_unit() {
        use TimeUnit::{Milliseconds, Seconds};
        let cases = [
            ("1795395723456", Milliseconds, Ok(1_795_395_723_456)),
            ("1795395723", Seconds, Ok(1_795_395_723_000)),
            ("1795395723.456", Seconds, Ok(1_795_395_723_456)),
            ("-0.5", Seconds, Ok(-500)),
            ("1.795395723456e12", Milliseconds, Ok(1_795_395_723_456)),
            ("0", Seconds, Ok(0)),
            ("1795395723456", Seconds, Err(TimeError::OutOfRange)),
            ("1795395723456000", Milliseconds, Err(TimeError::OutOfRange)),
            ("9223372036854775807", Seconds, Err(TimeError::OutOfRange)),
            ("99999999999999999999999", Milliseconds, Err(TimeError::OutOfRange)),
            ("1e400", Seconds, Err(TimeError::OutOfRange)),
            ("1795395723456.5", Milliseconds, Err(TimeError::Fraction)),
        ];
        for (number, unit, expected) in cases {
            assert_eq!(from_number(number, unit), expected, "{number} {unit:?}");
        }
    }
}
