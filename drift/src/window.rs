//! Windows of event time: tumbling, aligned to 1970 UTC, of several granularities that nest.
//!
//! Each granularity's length is a multiple of the next finer one's, so that a coarse window is the sum of fine ones.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The length of a window, in milliseconds; at least a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Granularity(i64);

impl Granularity {
    /// A length of whole seconds; `None` when it is none.
    pub fn from_millis(length_ms: i64) -> Option<Self> {
        (length_ms >= 1000 && length_ms % 1000 == 0).then_some(Self(length_ms))
    }

    /// A length as people write it: `30s`, `1m`, `1h`, `1d`.
    pub fn from_short(text: &str) -> Option<Self> {
        let unit_ms = match text.chars().last()? {
            's' => 1000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return None,
        };
        positive(&text[..text.len() - 1])?.checked_mul(unit_ms).and_then(Self::from_millis)
    }

    pub fn length_ms(self) -> i64 {
        self.0
    }

    /// The window that holds this moment (milliseconds since 1970 UTC).
    pub fn window(self, time_ms: i64) -> Window {
        Window { granularity: self, start_ms: time_ms.saturating_sub(time_ms.rem_euclid(self.0)) }
    }
}

/// ISO 8601, as it is written in the path of a report: `PT1M`, `PT1H`, `P1D`.
impl fmt::Display for Granularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        match seconds {
            _ if seconds % 86_400 == 0 => write!(f, "P{}D", seconds / 86_400),
            _ if seconds % 3600 == 0 => write!(f, "PT{}H", seconds / 3600),
            _ if seconds % 60 == 0 => write!(f, "PT{}M", seconds / 60),
            _ => write!(f, "PT{seconds}S"),
        }
    }
}

/// A text that is no length as [`Granularity`] writes it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a window length")]
pub struct UnknownLength(pub String);

/// Reads what [`Granularity`] writes: `PT1M`, `PT1H`, `P1D`.
impl FromStr for Granularity {
    type Err = UnknownLength;

    fn from_str(text: &str) -> Result<Self, UnknownLength> {
        let short = match (text.strip_prefix("PT"), text.strip_prefix('P')) {
            (Some(time), _) if !time.ends_with('D') => Some(time),
            (None, Some(days)) if days.ends_with('D') => Some(days),
            _ => None,
        };
        let granularity = short.and_then(|short| Self::from_short(&short.to_ascii_lowercase()));
        granularity.filter(|known| known.to_string() == text).ok_or_else(|| UnknownLength(text.to_owned()))
    }
}

impl TryFrom<String> for Granularity {
    type Error = UnknownLength;

    fn try_from(text: String) -> Result<Self, UnknownLength> {
        text.parse()
    }
}

impl From<Granularity> for String {
    fn from(granularity: Granularity) -> Self {
        granularity.to_string()
    }
}

/// A whole number above zero, written in digits only.
fn positive(digits: &str) -> Option<i64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten().filter(|&number: &i64| number > 0)
}

/// One span of event time: `start_ms <= time < end_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    pub granularity: Granularity,
    /// Milliseconds since 1970 UTC, a multiple of the granularity's length.
    pub start_ms: i64,
}

impl Window {
    pub fn end_ms(self) -> i64 {
        self.start_ms.saturating_add(self.granularity.0)
    }

    /// The number of this window, counted from 1970 UTC.
    pub fn sequence(self) -> i64 {
        self.start_ms.div_euclid(self.granularity.0)
    }

    /// The window `count` places later (earlier when negative) of the same granularity.
    #[must_use]
    pub fn later(self, count: i64) -> Self {
        Self { start_ms: self.start_ms.saturating_add(self.granularity.0.saturating_mul(count)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let minute = Granularity::from_millis(60_000).expect("a minute is whole seconds");
        for (time, start) in [(0, 0), (59_999, 0), (60_000, 60_000), (-1, -60_000)] {
            let window = minute.window(time);
            assert_eq!(window.start_ms, start, "{time}");
            assert!(window.start_ms <= time && time < window.end_ms());
            assert_eq!(window.sequence() * 60_000, start);
            assert_eq!(window.later(-2).start_ms, start - 120_000);
        }
    }

    #[test]
    fn granularities_are_whole_seconds_written_in_iso_8601() {
        for (length_ms, text) in
            [(1000, "PT1S"), (60_000, "PT1M"), (900_000, "PT15M"), (3_600_000, "PT1H"), (86_400_000, "P1D")]
        {
            let granularity = Granularity::from_millis(length_ms).expect("whole seconds");
            assert_eq!(granularity.to_string(), text);
            assert_eq!(text.parse(), Ok(granularity));
        }
        for text in ["", "P", "1m", "PT", "PT0M", "PT60S", "PT24H", "P1H", "PT1D", "PT-1M", "PT+1M", "pt1m"] {
            assert_eq!(text.parse::<Granularity>(), Err(UnknownLength(text.to_owned())));
        }
        for length_ms in [-1000, 0, 999, 1500] {
            assert_eq!(Granularity::from_millis(length_ms), None);
        }
    }

    #[test]
    fn people_write_short_lengths() {
        for (text, length_ms) in [("30s", 30_000), ("1m", 60_000), ("90s", 90_000), ("12h", 43_200_000)] {
            assert_eq!(Granularity::from_short(text), Granularity::from_millis(length_ms));
        }
        assert_eq!(Granularity::from_short("2d").expect("two days").to_string(), "P2D");
        for text in ["", "m", "1", "0m", "-1m", "+1m", "1 m", "1M", "1w", "1é", "99999999999999999999d"] {
            assert_eq!(Granularity::from_short(text), None, "{text}");
        }
    }
}
