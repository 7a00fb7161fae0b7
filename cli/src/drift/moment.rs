//! Moments on the command line: RFC 3339, a date, or how long ago.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// What may stand behind a number, with its milliseconds.
const UNITS: &[(&str, i64)] = &[("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

/// A moment as a person writes it; the reader's clock gives the relative ones their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Milliseconds since 1970 UTC.
    At(i64),
    /// Milliseconds before now.
    Ago(i64),
}

/// A text that names no moment.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a time such as 2026-05-01T01:00:00Z, 2026-05-01T01:00 or 2026-05-01 (UTC), or -2h (s, m, h, d, w) or now, found {0:?}"
)]
pub(super) struct NoMoment(String);

impl Moment {
    /// Milliseconds since 1970 UTC.
    pub(super) fn ms(self, now_ms: i64) -> i64 {
        match self {
            Self::At(ms) => ms,
            Self::Ago(ms) => now_ms.saturating_sub(ms),
        }
    }
}

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        let refused = || NoMoment(text.to_owned());
        if text == "now" {
            return Ok(Self::Ago(0));
        }
        if let Some(length) = text.strip_prefix('-') {
            return length_ms(length).map(Self::Ago).ok_or_else(refused);
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(Self::At(time.as_millisecond()));
        }
        let civil = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(|date| date.at(0, 0, 0, 0)));
        let time = civil.and_then(|civil| civil.to_zoned(TimeZone::UTC)).map_err(|_| refused())?;
        Ok(Self::At(time.timestamp().as_millisecond()))
    }
}

/// A length such as `90s`, `15m`, `2h`, `7d` or `1w`, in milliseconds; `None` for anything else.
fn length_ms(text: &str) -> Option<i64> {
    let (unit, per_unit) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
    i64::from(count).checked_mul(*per_unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_absolute_or_relative() {
        let at = |ms| Ok(Moment::At(ms));
        for (text, expected) in [
            ("2026-05-01T01:00:00Z", at(1_777_597_200_000)),
            ("2026-05-01T03:00:00+02:00", at(1_777_597_200_000)),
            ("2026-05-01T01:00", at(1_777_597_200_000)),
            ("2026-05-01", at(1_777_593_600_000)),
            ("-2h", Ok(Moment::Ago(7_200_000))),
            ("-90s", Ok(Moment::Ago(90_000))),
            ("-1w", Ok(Moment::Ago(604_800_000))),
            ("now", Ok(Moment::Ago(0))),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        for text in ["", "-", "-h", "2h", "-2y", "--2h", "yesterday", "2026-13-01", "-9999999999h"] {
            assert_eq!(text.parse::<Moment>(), Err(NoMoment(text.to_owned())));
        }
    }

    #[test]
    fn now_is_an_argument() {
        assert_eq!(Moment::At(5).ms(100), 5);
        assert_eq!(Moment::Ago(30).ms(100), 70);
    }
}
