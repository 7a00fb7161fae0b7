//! How many false alarms a user accepts, such as `1 per week`, and the level that follows for each window.
//!
//! The budget is split evenly over the granularities. A granularity that closes `w` windows in the budget's period may
//! raise an alarm at level `budget / (granularities x w)` in each of them. Expectations add up whether or not windows
//! depend on each other, so that the expected number of false alarms stays within the budget as long as each window
//! keeps its own level. Benjamini-Hochberg inside a window keeps it: without any change, it finds one at most that often.

use std::fmt;
use std::str::FromStr;

use crate::window::Granularity;

const HOUR_MS: f64 = 3_600_000.0;

/// No window is tested more loosely than this, however few windows a budget is spread over: above it a finding would be
/// called sure that a fair coin gives one time in twenty.
pub const ALPHA_MAX: f64 = 0.05;

/// No window is tested more strictly than this: asymptotic p-values are not to be trusted further out.
pub const ALPHA_MIN: f64 = 1e-12;

/// False alarms accepted in a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    alarms: f64,
    period: Period,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Period {
    const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// Milliseconds; a month is 30 days and a year 365.
    fn length_ms(self) -> f64 {
        let hours = match self {
            Self::Hour => 1.0,
            Self::Day => 24.0,
            Self::Week => 7.0 * 24.0,
            Self::Month => 30.0 * 24.0,
            Self::Year => 365.0 * 24.0,
        };
        hours * HOUR_MS
    }
}

/// A budget that is not written as `1 per week`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number above 0 and a period, such as \"1 per week\" (hour, day, week, month or year), found {0:?}")]
pub struct UnknownBudget(pub String);

impl FromStr for Budget {
    type Err = UnknownBudget;

    fn from_str(text: &str) -> Result<Self, UnknownBudget> {
        let unknown = || UnknownBudget(text.to_owned());
        let words: Vec<&str> = text.split_whitespace().collect();
        let [number, "per", name] = words[..] else { return Err(unknown()) };
        let period = Period::ALL.into_iter().find(|period| period.name() == name).ok_or_else(unknown)?;
        let alarms = number.parse().ok().filter(|alarms: &f64| alarms.is_finite() && *alarms > 0.0);
        alarms.map(|alarms| Self { alarms, period }).ok_or_else(unknown)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} per {}", self.alarms, self.period.name())
    }
}

impl Budget {
    /// The level of one window of this granularity where `granularities` are reported, in
    /// [`ALPHA_MIN`]..=[`ALPHA_MAX`].
    pub fn alpha(&self, granularity: Granularity, granularities: usize) -> f64 {
        let share = self.alarms / to_f64(granularities.max(1));
        (share / windows(self.period.length_ms(), granularity)).clamp(ALPHA_MIN, ALPHA_MAX)
    }

    /// False alarms to expect a week at most, over these granularities; the bounds of [`Budget::alpha`] are included.
    pub fn alarms_per_week(&self, granularities: &[Granularity]) -> f64 {
        let week = Period::Week.length_ms();
        granularities
            .iter()
            .map(|&granularity| self.alpha(granularity, granularities.len()) * windows(week, granularity))
            .sum()
    }
}

/// Windows of one granularity in a span of this many milliseconds.
fn windows(span_ms: f64, granularity: Granularity) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "lengths of windows are far below 2^53 ms")]
    let length = granularity.length_ms() as f64;
    span_ms / length
}

fn to_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granularities() -> Vec<Granularity> {
        let lengths = [60_000, 3_600_000, 86_400_000];
        lengths.map(|length| Granularity::from_millis(length).expect("whole seconds")).to_vec()
    }

    #[test]
    fn a_budget_is_a_number_and_a_period() {
        for text in ["1 per week", "2 per day", "0.5 per month", "3 per hour", "1 per year"] {
            assert_eq!(text.parse::<Budget>().expect(text).to_string(), text);
        }
        for text in ["", "1", "per week", "0 per week", "-1 per day", "NaN per day", "inf per day", "1 per fortnight"] {
            assert_eq!(text.parse::<Budget>(), Err(UnknownBudget(text.to_owned())));
        }
    }

    #[test]
    fn the_level_of_a_window_follows_from_the_budget() {
        let all = granularities();
        // A week has 10,080 minutes, 168 hours and 7 days; each granularity gets a third of one alarm.
        let budget: Budget = "1 per week".parse().expect("a budget");
        for (granularity, windows) in all.iter().zip([10_080.0, 168.0, 7.0]) {
            let alpha = budget.alpha(*granularity, 3);
            assert!((alpha - 1.0 / 3.0 / windows).abs() < 1e-15, "{granularity}: {alpha}");
        }
        assert!((budget.alarms_per_week(&all) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn levels_stay_within_their_bounds() {
        let all = granularities();
        let loose: Budget = "100 per hour".parse().expect("a budget");
        assert!((loose.alpha(all[2], 1) - ALPHA_MAX).abs() < 1e-15);
        assert!(loose.alarms_per_week(&all) < 0.05 * (10_080.0 + 168.0 + 7.0) + 1e-9);
        let strict: Budget = "0.000000001 per year".parse().expect("a budget");
        assert!((strict.alpha(all[0], 3) - ALPHA_MIN).abs() < 1e-24);
    }
}
