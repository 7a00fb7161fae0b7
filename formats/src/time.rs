//! Moments that are written as numbers: their units, and the unit that a number was meant in when it lands in another century.
//!
//! The units are a factor of 1000 apart, so at most one of them puts a number between 2000 and 2100. That makes a wrong unit
//! plain to see: seconds read as milliseconds all fall into January and February 1970.

use std::fmt;
use std::ops::{Range, RangeInclusive};

use serde::Deserialize;

/// The years 1 to 9999 in milliseconds since 1970 UTC: beyond them arithmetic with windows would leave 64 bits.
pub const TIME_RANGE_MS: RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// 2000-01-01 up to 2100-01-01 in milliseconds since 1970 UTC: when the events of a stream happen. Others are labelled and
/// counted too, and called out.
pub const USUAL_MS: Range<i64> = 946_684_800_000..4_102_444_800_000;

/// The unit of a time since 1970 UTC that is written as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Whole or with a fraction, as in Python's `time.time()`.
    Seconds,
    #[default]
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

/// What is wrong with a number as a time. The unit that would fit is named where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTime {
    /// Outside of [`TIME_RANGE_MS`].
    OutOfRange { fits: Option<TimeUnit> },
    /// Only seconds may have a fraction: in other units it is the sign of a wrong unit.
    Fraction { unit: TimeUnit, fits: Option<TimeUnit> },
}

/// A time before 2000 or after 2100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Milliseconds since 1970 UTC, as it was read.
    pub ms: i64,
    /// The unit in which the same number would lie between 2000 and 2100.
    pub fits: Option<TimeUnit>,
}

impl TimeUnit {
    pub const ALL: [Self; 4] = [Self::Seconds, Self::Milliseconds, Self::Microseconds, Self::Nanoseconds];

    /// The word in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
        }
    }

    const fn per_second(self) -> i128 {
        match self {
            Self::Seconds => 1,
            Self::Milliseconds => 1000,
            Self::Microseconds => 1_000_000,
            Self::Nanoseconds => 1_000_000_000,
        }
    }

    /// Milliseconds since 1970 UTC of a whole number in this unit; parts of a millisecond are cut off towards the past.
    ///
    /// # Errors
    /// [`BadTime::OutOfRange`].
    pub fn whole_ms(self, number: i128) -> Result<i64, BadTime> {
        let ms = number.checked_mul(1000).map(|scaled| scaled.div_euclid(self.per_second()));
        let ms = ms.and_then(|ms| i64::try_from(ms).ok()).filter(|ms| TIME_RANGE_MS.contains(ms));
        ms.ok_or_else(|| BadTime::OutOfRange { fits: fitting(number as f64) })
    }

    /// The same of a number with a fraction.
    ///
    /// # Errors
    /// [`BadTime`]: out of range, or a fraction of something else than seconds.
    pub fn real_ms(self, number: f64) -> Result<i64, BadTime> {
        if self != Self::Seconds && number.fract() != 0.0 {
            return Err(BadTime::Fraction { unit: self, fits: fitting(number).filter(|fits| *fits != self) });
        }
        let ms = number * 1000.0 / self.per_second() as f64;
        if !(*TIME_RANGE_MS.start() as f64..=*TIME_RANGE_MS.end() as f64).contains(&ms) {
            return Err(BadTime::OutOfRange { fits: fitting(number) });
        }
        // Doubles hold a second's fraction to a fifth of a microsecond here: rounding first keeps .123 at 123 ms.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the range was checked, and the fraction is cut on purpose"
        )]
        Ok(((ms * 1000.0).round() / 1000.0).floor() as i64)
    }

    /// The same of a JSON number as it was written.
    ///
    /// # Errors
    /// As [`Self::real_ms`].
    pub fn written_ms(self, number: &str) -> Result<i64, BadTime> {
        if let Ok(whole) = number.parse() {
            return self.whole_ms(whole);
        }
        self.real_ms(number.parse().map_err(|_| BadTime::OutOfRange { fits: None })?)
    }

    /// Says of a time that was read in this unit whether it lies outside of [`USUAL_MS`].
    pub fn doubt(self, ms: i64) -> Option<Doubt> {
        if USUAL_MS.contains(&ms) {
            return None;
        }
        let number = ms as f64 * self.per_second() as f64 / 1000.0;
        Some(Doubt { ms, fits: fitting(number).filter(|fits| *fits != self) })
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Doubt {
    /// The year of the time, by the mean length of a year: near enough to tell 1970 from 2026.
    fn year(self) -> i64 {
        1970 + self.ms.div_euclid(31_556_952_000)
    }
}

/// `about 1970; in seconds it would be between 2000 and 2100`.
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "about {}", self.year())?;
        self.fits.map_or(Ok(()), |fits| write!(f, "; in {fits} it would be between 2000 and 2100"))
    }
}

impl fmt::Display for BadTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = match self {
            Self::OutOfRange { fits } => {
                f.write_str("expected a time in the years 1 to 9999, found a number outside")?;
                fits
            }
            Self::Fraction { unit, fits } => {
                write!(f, "expected whole {unit} since 1970, found a fraction")?;
                fits
            }
        };
        fits.map_or(Ok(()), |fits| write!(f, "; in {fits} it would be between 2000 and 2100"))
    }
}

/// The unit in which a number lies between 2000 and 2100.
fn fitting(number: f64) -> Option<TimeUnit> {
    TimeUnit::ALL.into_iter().find(|unit| {
        let ms = number * 1000.0 / unit.per_second() as f64;
        (USUAL_MS.start as f64..USUAL_MS.end as f64).contains(&ms)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::TimeUnit::{Microseconds, Milliseconds, Nanoseconds, Seconds};
    use super::*;

    #[test]
    fn numbers_are_read_in_their_unit_and_no_size_overflows() {
        let out = |fits| Err(BadTime::OutOfRange { fits });
        for (number, unit, expected) in [
            ("1795395723456", Milliseconds, Ok(1_795_395_723_456)),
            ("1795395723", Seconds, Ok(1_795_395_723_000)),
            ("1795395723.456", Seconds, Ok(1_795_395_723_456)),
            ("1795395723456789", Microseconds, Ok(1_795_395_723_456)),
            ("1795395723456789012", Nanoseconds, Ok(1_795_395_723_456)),
            ("1.795395723456e15", Microseconds, Ok(1_795_395_723_456)),
            ("-0.5", Seconds, Ok(-500)),
            ("-1", Nanoseconds, Ok(-1)),
            ("0", Seconds, Ok(0)),
            // the year 9999 in nanoseconds is beyond 64 bits
            ("253402300799999999999", Nanoseconds, Ok(*TIME_RANGE_MS.end())),
            ("253402300800000000000", Nanoseconds, out(None)),
            ("1795395723456", Seconds, out(Some(Milliseconds))),
            ("1795395723456789", Milliseconds, out(Some(Microseconds))),
            ("1795395723456789012", Milliseconds, out(Some(Nanoseconds))),
            ("9223372036854775807", Seconds, out(None)),
            ("170141183460469231731687303715884105727", Seconds, out(None)),
            ("-170141183460469231731687303715884105728", Nanoseconds, out(None)),
            ("999999999999999999999999999999999999999999", Milliseconds, out(None)),
            ("1e400", Seconds, out(None)),
            ("1795395723.5", Milliseconds, Err(BadTime::Fraction { unit: Milliseconds, fits: Some(Seconds) })),
            ("1795395723456.5", Milliseconds, Err(BadTime::Fraction { unit: Milliseconds, fits: None })),
        ] {
            assert_eq!(unit.written_ms(number), expected, "{number} {unit}");
        }
    }

    #[test]
    fn a_time_of_another_century_names_the_unit_that_would_fit() {
        for (ms, unit, expected) in [
            (1_795_395_723_456, Milliseconds, None),
            (946_684_800_000, Seconds, None),
            (1_795_395_723, Milliseconds, Some("about 1970; in seconds it would be between 2000 and 2100")),
            (1_795_395, Microseconds, Some("about 1970; in seconds it would be between 2000 and 2100")),
            (1_795_395_723, Nanoseconds, Some("about 1970; in microseconds it would be between 2000 and 2100")),
            (0, Milliseconds, Some("about 1970")),
            (540_000_000_000, Milliseconds, Some("about 1987")),
            (4_102_444_800_000, Milliseconds, Some("about 2100")),
        ] {
            let found = unit.doubt(ms).map(|doubt| doubt.to_string());
            assert_eq!(found.as_deref(), expected, "{ms} {unit}");
        }
    }

    proptest! {
        /// Whatever the number and the unit: a time or a reason, and a usual time is never doubted.
        #[test]
        fn every_number_is_settled(number in any::<i64>(), real in any::<f64>(), unit in prop::sample::select(TimeUnit::ALL.to_vec())) {
            if let Ok(ms) = unit.whole_ms(i128::from(number)) {
                prop_assert_eq!(unit.doubt(ms).is_none(), USUAL_MS.contains(&ms));
            }
            if let Ok(ms) = unit.real_ms(real) {
                prop_assert!(TIME_RANGE_MS.contains(&ms));
            }
        }

        /// A usual time that is read in a wrong unit is refused or doubted, with the right unit.
        #[test]
        fn a_wrong_unit_is_always_seen(ms in USUAL_MS, meant in prop::sample::select(TimeUnit::ALL.to_vec()), read in prop::sample::select(TimeUnit::ALL.to_vec())) {
            prop_assume!(meant != read);
            // a day inside: what is cut off by the reading must not cross the edge
            prop_assume!((USUAL_MS.start + 86_400_000..USUAL_MS.end - 86_400_000).contains(&ms));
            let number = i128::from(ms) * meant.per_second() / 1000;
            let fits = match read.whole_ms(number) {
                Ok(ms) => read.doubt(ms).expect("no usual time").fits,
                Err(BadTime::OutOfRange { fits }) => fits,
                Err(other) => panic!("{other:?}"),
            };
            // Seconds that are read as nanoseconds are cut to whole milliseconds, which are 11 days of seconds.
            if (meant, read) != (Seconds, Nanoseconds) {
                prop_assert_eq!(fits, Some(meant));
            }
        }
    }
}
