//! `[reference]`: what a window is compared with, and how much of the past that needs.

use std::fmt;
use std::path::PathBuf;

use schemas::Problem;
use serde::Deserialize;

use crate::window::Granularity;

pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const WEEK_MS: i64 = 7 * 24 * HOUR_MS;

/// Above this, a rolling reference would keep more of the past in memory than a profile holds better.
const WINDOWS_MAX: u32 = 1000;

/// Above this, a seasonal reference would keep more than a quarter of a year.
const WEEKS_MAX: u32 = 13;

/// Where the counts that a window is compared with come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceKind {
    /// A profile in a file or in the model package.
    Fixed,
    /// The window before.
    Previous,
    /// The sum of the last k windows.
    Rolling,
    /// The sum of the windows of the same hour of the week in the last k weeks. A window shorter than an hour is
    /// compared with the whole hour where hours are counted: more records, and the same time of day.
    Seasonal,
}

impl ReferenceKind {
    /// The word in reports and settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Previous => "previous",
            Self::Rolling => "rolling",
            Self::Seasonal => "seasonal",
        }
    }
}

impl fmt::Display for ReferenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `[reference]` as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceSettings {
    pub kind: ReferenceKind,
    /// The file of a fixed reference; empty: the one inside the model package.
    pub profile: String,
    /// Compare with a profile of another model, too.
    pub allow_other_model: bool,
    /// How many windows before this one a rolling reference sums.
    pub rolling_windows: u32,
    /// How many weeks back a seasonal reference looks.
    pub seasonal_weeks: u32,
    /// How many of those windows must be there.
    pub windows_min: u32,
}

/// Checked settings of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceConfig {
    pub(crate) kind: ReferenceKind,
    pub(crate) profile: Option<PathBuf>,
    pub(crate) allow_other_model: bool,
    pub(crate) rolling_windows: u32,
    pub(crate) seasonal_weeks: u32,
    pub(crate) windows_min: u32,
}

impl ReferenceConfig {
    /// A fixed reference of whatever model, given by hand.
    pub(crate) fn fixed() -> Self {
        Self {
            kind: ReferenceKind::Fixed,
            profile: None,
            allow_other_model: true,
            rolling_windows: 1,
            seasonal_weeks: 1,
            windows_min: 1,
        }
    }

    pub fn kind(&self) -> ReferenceKind {
        self.kind
    }

    /// The profile's file; `None` for the one inside the model package.
    pub fn profile(&self) -> Option<&PathBuf> {
        self.profile.as_ref()
    }

    pub fn allow_other_model(&self) -> bool {
        self.allow_other_model
    }

    /// How long the counts of a closed window of this granularity are needed after its end, in ms; 0 when never.
    /// `granularities` are all that are counted.
    pub fn counts_kept_ms(&self, granularity: Granularity, granularities: &[Granularity]) -> i64 {
        match self.kind {
            ReferenceKind::Seasonal if seasonal_granularity(granularity, granularities) != granularity => 0,
            ReferenceKind::Fixed => 0,
            ReferenceKind::Previous => granularity.length_ms(),
            ReferenceKind::Rolling => granularity.length_ms().saturating_mul(i64::from(self.rolling_windows)),
            // The window of the oldest week begins that long ago.
            ReferenceKind::Seasonal => {
                WEEK_MS.max(granularity.length_ms()).saturating_mul(i64::from(self.seasonal_weeks))
            }
        }
    }

    /// How many windows are asked for, and how many of them must be there.
    pub(super) fn windows(&self) -> (u32, u32) {
        match self.kind {
            ReferenceKind::Fixed => (0, 0),
            ReferenceKind::Previous => (1, 1),
            ReferenceKind::Rolling => (self.rolling_windows, self.windows_min.min(self.rolling_windows)),
            ReferenceKind::Seasonal => (self.seasonal_weeks, self.windows_min.min(self.seasonal_weeks)),
        }
    }
}

/// Which windows a seasonal reference of windows of this length sums: whole hours where they are counted and longer.
pub(super) fn seasonal_granularity(granularity: Granularity, granularities: &[Granularity]) -> Granularity {
    let hour = granularities.iter().find(|other| other.length_ms() == HOUR_MS && granularity < **other);
    hour.copied().unwrap_or(granularity)
}

impl TryFrom<ReferenceSettings> for ReferenceConfig {
    type Error = Vec<Problem>;

    fn try_from(settings: ReferenceSettings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        for (key, value, most) in [
            ("rolling_windows", settings.rolling_windows, WINDOWS_MAX),
            ("seasonal_weeks", settings.seasonal_weeks, WEEKS_MAX),
            ("windows_min", settings.windows_min, WINDOWS_MAX),
        ] {
            if !(1..=most).contains(&value) {
                problems.push(Problem::new(format!("reference.{key}"), format!("expected 1 to {most}, found {value}")));
            }
        }
        let asked = match settings.kind {
            ReferenceKind::Rolling => Some(("rolling_windows", settings.rolling_windows)),
            ReferenceKind::Seasonal => Some(("seasonal_weeks", settings.seasonal_weeks)),
            ReferenceKind::Fixed | ReferenceKind::Previous => None,
        };
        if let Some((key, count)) = asked.filter(|(_, count)| settings.windows_min > *count) {
            let found = settings.windows_min;
            let expected = format!("expected no more than reference.{key} ({count}), found {found}");
            problems.push(Problem::new("reference.windows_min", expected));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            kind: settings.kind,
            profile: (!settings.profile.is_empty()).then(|| PathBuf::from(settings.profile)),
            allow_other_model: settings.allow_other_model,
            rolling_windows: settings.rolling_windows,
            seasonal_weeks: settings.seasonal_weeks,
            windows_min: settings.windows_min,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> ReferenceSettings {
        ReferenceSettings {
            kind: ReferenceKind::Rolling,
            profile: String::new(),
            allow_other_model: false,
            rolling_windows: 24,
            seasonal_weeks: 4,
            windows_min: 3,
        }
    }

    fn check(change: impl FnOnce(&mut ReferenceSettings), expected: &[&str]) {
        let mut changed = settings();
        change(&mut changed);
        let problems = ReferenceConfig::try_from(changed).err().unwrap_or_default();
        assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn reports_every_problem_with_its_key() {
        check(|_| (), &[]);
        check(|settings| settings.windows_min = 25, &["reference.windows_min"]);
        check(
            |settings| {
                settings.kind = ReferenceKind::Seasonal;
                settings.rolling_windows = 0;
                settings.seasonal_weeks = 14;
                settings.windows_min = 0;
            },
            &["reference.rolling_windows", "reference.seasonal_weeks", "reference.windows_min"],
        );
    }

    #[test]
    fn the_past_is_kept_as_long_as_the_reference_looks_back() {
        let hour = Granularity::from_millis(3_600_000).expect("an hour");
        let minute = Granularity::from_millis(60_000).expect("a minute");
        let config = |kind| ReferenceConfig::try_from(ReferenceSettings { kind, ..settings() }).expect("valid");
        let kept = |kind| config(kind).counts_kept_ms(hour, &[minute, hour]);
        assert_eq!(kept(ReferenceKind::Fixed), 0);
        assert_eq!(kept(ReferenceKind::Previous), 3_600_000);
        assert_eq!(kept(ReferenceKind::Rolling), 24 * 3_600_000);
        assert_eq!(kept(ReferenceKind::Seasonal), 4 * 7 * 24 * 3_600_000);
        // Minutes look up whole hours, where there are any.
        let seasonal = config(ReferenceKind::Seasonal);
        assert_eq!(seasonal.counts_kept_ms(minute, &[minute, hour]), 0);
        assert_eq!(seasonal.counts_kept_ms(minute, &[minute]), 4 * 7 * 24 * 3_600_000);
    }
}
