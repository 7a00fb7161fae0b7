//! Durations and sizes in words: `"1m30s"` for a key in milliseconds, `"16MiB"` for a key in bytes. The key's name says
//! which it is, and a plain number stays what it was.

use bytesize::ByteSize;
use jiff::{Span, SpanRelativeTo};

/// What the number of a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Milliseconds,
    Bytes,
}

impl Unit {
    /// The unit in a key's last name: `publish_wait_ms`, `part_bytes`, `queue_bytes_max`.
    pub(super) fn of_key(name: &str) -> Option<Self> {
        let last = name.strip_suffix("_max").unwrap_or(name).rsplit('_').next();
        match last {
            Some("ms") => Some(Self::Milliseconds),
            Some("bytes") => Some(Self::Bytes),
            _ => None,
        }
    }

    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Milliseconds => "a whole number of milliseconds, or a duration such as \"10s\", \"1m30s\" or \"7d\"",
            Self::Bytes => "a whole number of bytes, or a size such as \"16MiB\" or \"1MB\"",
        }
    }

    /// The number that a text stands for; `None` where it has no unit, is no whole number of ours, or is below 0.
    pub(super) fn read(self, text: &str) -> Option<i64> {
        if !text.contains(char::is_alphabetic) {
            return None; // a number in quotes is a text
        }
        match self {
            Self::Milliseconds => {
                let span: Span = text.parse().ok()?;
                let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
                let ms = i64::try_from(duration.as_millis()).ok()?;
                (ms >= 0 && duration.subsec_nanos() % 1_000_000 == 0).then_some(ms)
            }
            Self::Bytes => i64::try_from(text.parse::<ByteSize>().ok()?.as_u64()).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_key_tells_its_unit() {
        for (name, unit) in [
            ("publish_wait_ms", Some(Unit::Milliseconds)),
            ("clock_ahead_max_ms", Some(Unit::Milliseconds)),
            ("part_bytes", Some(Unit::Bytes)),
            ("bytes_max", Some(Unit::Bytes)),
            ("queue_bytes_max", Some(Unit::Bytes)),
            ("records_max", None),
            ("ms_of", None),
        ] {
            assert_eq!(Unit::of_key(name), unit, "{name}");
        }
    }

    #[test]
    fn texts_with_a_unit_are_read_and_no_others() {
        for (text, ms) in [
            ("10s", Some(10_000)),
            ("1m30s", Some(90_000)),
            ("1m 30s", Some(90_000)),
            ("250ms", Some(250)),
            ("1.5s", Some(1_500)),
            ("7d", Some(604_800_000)),
            ("2 hours", Some(7_200_000)),
            ("PT1M", Some(60_000)),
            ("0s", Some(0)),
            ("100us", None),
            ("-1s", None),
            ("1 month", None),
            ("10", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(Unit::Milliseconds.read(text), ms, "{text:?}");
        }
        for (text, bytes) in [
            ("16MiB", Some(16_777_216)),
            ("1MB", Some(1_000_000)),
            ("1 kB", Some(1_000)),
            ("1.5GiB", Some(1_610_612_736)),
            ("7B", Some(7)),
            ("10s", None),
            ("-1MB", None),
            ("1_000", None),
            ("16", None),
            ("9EiB", None),
        ] {
            assert_eq!(Unit::Bytes.read(text), bytes, "{text:?}");
        }
    }
}
