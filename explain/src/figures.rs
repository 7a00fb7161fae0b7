//! Numbers, times and texts of a report as a person reads them, on a terminal and in a page.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Below it a probability is not told apart from zero: the smallest normal double is about 2e-308.
const PROBABILITY_LEAST: f64 = 1e-300;

/// A share of 0..=1 (or a difference of shares) in percent: `4.1 %`, `0.04 %`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent != 0.0 && percent.abs() < 0.1 { format!("{percent:.2} %") } else { format!("{percent:.1} %") }
}

/// A change of a share, in percentage points with its sign: `+5.7 points`.
pub fn points(change: f64) -> String {
    let points = change * 100.0;
    if points != 0.0 && points.abs() < 0.1 { format!("{points:+.2} points") } else { format!("{points:+.1} points") }
}

/// A p- or q-value: `0.031`, `2.1e-9`, `below 1e-300`.
pub fn probability(value: f64) -> String {
    if value < PROBABILITY_LEAST {
        "below 1e-300".to_owned()
    } else if value < 0.001 {
        format!("{value:.1e}")
    } else if value < 0.1 {
        format!("{value:.3}")
    } else {
        format!("{value:.2}")
    }
}

/// A statistic or an effect: three significant digits.
pub fn value(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if size >= 1000.0 {
        format!("{value:.0}")
    } else if size >= 100.0 {
        format!("{value:.1}")
    } else if size >= 1.0 {
        format!("{value:.2}")
    } else if size >= 0.001 {
        format!("{value:.4}")
    } else {
        format!("{value:.1e}")
    }
}

/// A count with its digits in groups of three; a negative one cannot be, and is shown as it is.
pub fn count(number: i64) -> String {
    u64::try_from(number).map_or_else(|_| number.to_string(), grouped)
}

/// Digits in groups of three: `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A moment in UTC, without seconds where they are zero: `2026-05-01 01:00`.
pub fn moment(ms: i64) -> String {
    let format = if ms.rem_euclid(MINUTE_MS) == 0 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
    utc(ms, format)
}

/// A moment as a command line takes it back: `2026-05-01T01:00:00Z`.
pub fn stamp(ms: i64) -> String {
    utc(ms, "%Y-%m-%dT%H:%M:%SZ")
}

/// A window: the day only once where one day holds it.
pub fn span(start_ms: i64, end_ms: i64) -> String {
    let same_day = start_ms.div_euclid(DAY_MS) == end_ms.div_euclid(DAY_MS);
    let end = moment(end_ms);
    let end = if same_day { end.split_once(' ').map_or(end.as_str(), |(_, time)| time) } else { &end };
    format!("{} to {end} UTC", moment(start_ms))
}

/// A length of time in the largest unit that leaves no rest: `3 h`, `90 min`, `2 days`.
pub fn length(ms: i64) -> String {
    let (number, unit) = match ms {
        _ if ms % DAY_MS == 0 => (ms / DAY_MS, if ms == DAY_MS { "day" } else { "days" }),
        _ if ms % HOUR_MS == 0 => (ms / HOUR_MS, "h"),
        _ if ms % MINUTE_MS == 0 => (ms / MINUTE_MS, "min"),
        _ => (ms / 1000, "s"),
    };
    format!("{number} {unit}")
}

/// `text` cut to `most` characters, its control characters as spaces: neither a terminal nor a page obeys a record.
pub fn tame(text: &str, most: usize) -> String {
    let mut tame: String =
        text.chars().take(most).map(|sign| if sign.is_control() || is_bidi(sign) { ' ' } else { sign }).collect();
    if text.chars().nth(most).is_some() {
        tame.pop();
        tame.push('…');
    }
    tame
}

/// Marks that turn the direction of what follows them.
fn is_bidi(sign: char) -> bool {
    matches!(sign, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A time outside of the years that a calendar knows is shown as its number.
fn utc(ms: i64, format: &str) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.to_zoned(TimeZone::UTC).strftime(format).to_string(),
        Err(_) => format!("{ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: String, expected: &str) {
        assert_eq!(found, expected);
    }

    #[test]
    fn digits_in_groups_of_three() {
        for (number, expected) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn shares_and_probabilities() {
        check(percent(0.0412), "4.1 %");
        check(percent(0.0004), "0.04 %");
        check(percent(0.0), "0.0 %");
        check(points(0.057), "+5.7 points");
        check(points(-0.0004), "-0.04 points");
        check(probability(0.0), "below 1e-300");
        check(probability(2.13e-9), "2.1e-9");
        check(probability(0.0312), "0.031");
        check(probability(0.5), "0.50");
        check(probability(1.0), "1.00");
        check(value(-0.05678), "-0.0568");
        check(value(0.000_012), "1.2e-5");
        check(value(1234.5), "1234");
        check(count(1_234_567), "1,234,567");
        check(count(-5), "-5");
    }

    #[test]
    fn times() {
        let start = 1_777_597_200_000;
        check(span(start, start + HOUR_MS), "2026-05-01 01:00 to 02:00 UTC");
        check(span(start, start + DAY_MS), "2026-05-01 01:00 to 2026-05-02 01:00 UTC");
        check(span(start + 1000, start + 2000), "2026-05-01 01:00:01 to 01:00:02 UTC");
        check(stamp(start), "2026-05-01T01:00:00Z");
        check(moment(i64::MAX), "9223372036854775807 ms");
        for (ms, expected) in [(DAY_MS, "1 day"), (3 * DAY_MS, "3 days"), (3 * HOUR_MS, "3 h"), (90_000, "90 s")] {
            check(length(ms), expected);
        }
    }

    #[test]
    fn texts_of_records_are_tame() {
        check(tame("a\u{1b}[31m\nb\u{202e}c", 20), "a [31m b c");
        check(tame("abcdef", 4), "abc…");
        check(tame("abcd", 4), "abcd");
    }
}
