//! When an event happened, out of an RFC 3339 text.

use crate::time::TIME_RANGE_MS;

/// What is wrong with the text of an event time. It is not repeated: the pointer may lead to the text by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TextError {
    #[error("expected an RFC 3339 time with its offset, such as 2026-01-31T12:00:00Z, found another string")]
    NotRfc3339,
    #[error("expected a time in the years 1 to 9999, found one outside")]
    OutOfRange,
}

/// Milliseconds since 1970 UTC; parts of a millisecond are cut off towards the past.
pub(crate) fn from_text(text: &str) -> Result<i64, TextError> {
    let time: jiff::Timestamp = text.parse().map_err(|_| TextError::NotRfc3339)?;
    let millisecond = time.as_nanosecond().div_euclid(1_000_000);
    let ms = i64::try_from(millisecond).ok().filter(|ms| TIME_RANGE_MS.contains(ms));
    ms.ok_or(TextError::OutOfRange)
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
            ("0001-01-01T00:00:00Z", Ok(*TIME_RANGE_MS.start())),
            ("9999-12-30T21:59:59.999Z", Ok(*TIME_RANGE_MS.end() - 26 * 3_600_000)),
            ("2026-11-23T01:02:03", Err(TextError::NotRfc3339)),
            ("2026-11-23", Err(TextError::NotRfc3339)),
            ("2026-13-01T00:00:00Z", Err(TextError::NotRfc3339)),
            ("yesterday", Err(TextError::NotRfc3339)),
            ("", Err(TextError::NotRfc3339)),
        ];
        for (text, expected) in cases {
            assert_eq!(from_text(text), expected, "{text:?}");
        }
    }
}
