//! `[verdict]`: how many false alarms are accepted, what counts as large, and for how long it must last.

use schemas::Problem;
use serde::Deserialize;

use crate::budget::Budget;
use crate::feature::{Feature, FeatureKind};
use crate::window::Granularity;

/// The farthest back that persistence may look, in windows.
const PERSISTENCE_MAX: u32 = 100;

/// `[verdict]` as written. The defaults of the least changes stand in the embedded settings:
///
/// | key | default | why |
/// |---|---|---|
/// | `share_change_min` | 0.02 | a topic that grows by 2 points is one text in fifty: the least that changes how work is staffed |
/// | `rate_change_min` | 0.01 | truncated texts, dead letters and the like are near nil when all is well: one in a hundred is a fault |
/// | `score_distance_min` | 0.02 | 2 of 100 events lie on the other side of some score, as for shares; a tenth of the texts from a topic that the model does not know gives 0.05 to 0.06, and with 0.05 here one in nine such windows was called drift, with 0.02 three in four |
/// | `length_change_min` | 0.05 | 5 of 100 texts are of another length class |
/// | `word_change_min` | 0.01 | a word new in one text of a hundred is a topic of its own |
/// | `embedding_distance_min` | 0.05 | what a twentieth of texts from somewhere else altogether gives |
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictSettings {
    /// Such as `1 per week`.
    pub false_alarm_budget: String,
    /// Records that each side of a comparison must hold.
    pub records_min: u64,
    /// Of this many windows in a row, this one included, ...
    pub persistence_windows: u32,
    /// ... so many must show the same finding before it is called drift.
    pub persistence_flagged: u32,
    /// A change counts as large when "it is no larger than the least change" has at most this p-value.
    pub large_level: f64,
    /// Least change of one category's share, 0..=1.
    pub share_change_min: f64,
    /// Least change of a yes-or-no rate, 0..=1.
    pub rate_change_min: f64,
    /// Least Kolmogorov-Smirnov distance of scores, 0..=1: the largest difference in the share of events below a value.
    pub score_distance_min: f64,
    /// Least change of lengths, 0..=1: the share of texts that fell into another length class.
    pub length_change_min: f64,
    /// Least change of the share of texts with one word, 0..=1.
    pub word_change_min: f64,
    /// Least distance of mean embeddings (maximum mean discrepancy), 0..=1.
    pub embedding_distance_min: f64,
}

/// Checked settings of verdicts.
#[derive(Clone, Debug, PartialEq)]
pub struct VerdictConfig {
    pub(crate) budget: Budget,
    pub(crate) records_min: u64,
    pub(crate) persistence_windows: u32,
    pub(crate) persistence_flagged: u32,
    pub(crate) large_level: f64,
    pub(crate) share_change_min: f64,
    pub(crate) rate_change_min: f64,
    pub(crate) score_distance_min: f64,
    pub(crate) length_change_min: f64,
    pub(crate) word_change_min: f64,
    pub(crate) embedding_distance_min: f64,
}

impl VerdictConfig {
    pub fn budget(&self) -> Budget {
        self.budget
    }

    pub fn records_min(&self) -> u64 {
        self.records_min
    }

    /// The least change of this feature that counts as large, in the unit of its effect.
    pub fn min_effect(&self, feature: &Feature) -> f64 {
        match feature.kind() {
            FeatureKind::Numeric => self.score_distance_min,
            FeatureKind::Length => self.length_change_min,
            FeatureKind::Categorical => self.share_change_min,
            FeatureKind::Share | FeatureKind::Estimate => self.rate_change_min,
            FeatureKind::Words => self.word_change_min,
            FeatureKind::Embedding => self.embedding_distance_min,
        }
    }

    /// How long the flags of a closed window of this granularity are needed after its end, in ms.
    pub fn flags_kept_ms(&self, granularity: Granularity) -> i64 {
        granularity.length_ms().saturating_mul(i64::from(self.persistence_windows - 1))
    }
}

impl TryFrom<VerdictSettings> for VerdictConfig {
    type Error = Vec<Problem>;

    fn try_from(settings: VerdictSettings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, expected: String| problems.push(Problem::new(format!("verdict.{key}"), expected));
        let budget = settings.false_alarm_budget.parse::<Budget>();
        if let Err(unknown) = &budget {
            problem("false_alarm_budget", unknown.to_string());
        }
        check_counts(&settings, &mut problem);
        for (key, value) in [
            ("large_level", settings.large_level),
            ("share_change_min", settings.share_change_min),
            ("rate_change_min", settings.rate_change_min),
            ("score_distance_min", settings.score_distance_min),
            ("length_change_min", settings.length_change_min),
            ("word_change_min", settings.word_change_min),
            ("embedding_distance_min", settings.embedding_distance_min),
        ] {
            if !(value > 0.0 && value < 1.0) {
                problem(key, format!("expected a number between 0 and 1, found {value}"));
            }
        }
        match budget {
            Ok(budget) if problems.is_empty() => Ok(Self {
                budget,
                records_min: settings.records_min,
                persistence_windows: settings.persistence_windows,
                persistence_flagged: settings.persistence_flagged,
                large_level: settings.large_level,
                share_change_min: settings.share_change_min,
                rate_change_min: settings.rate_change_min,
                score_distance_min: settings.score_distance_min,
                length_change_min: settings.length_change_min,
                word_change_min: settings.word_change_min,
                embedding_distance_min: settings.embedding_distance_min,
            }),
            _ => Err(problems),
        }
    }
}

fn check_counts(settings: &VerdictSettings, problem: &mut impl FnMut(&str, String)) {
    // Below 20 records on a side no test of shares can be sure at any useful level.
    if settings.records_min < 20 {
        problem("records_min", format!("expected at least 20, found {}", settings.records_min));
    }
    if !(1..=PERSISTENCE_MAX).contains(&settings.persistence_windows) {
        let found = settings.persistence_windows;
        problem("persistence_windows", format!("expected 1 to {PERSISTENCE_MAX}, found {found}"));
    }
    if !(1..=settings.persistence_windows.max(1)).contains(&settings.persistence_flagged) {
        let (most, found) = (settings.persistence_windows, settings.persistence_flagged);
        let expected = format!("expected 1 to verdict.persistence_windows ({most}), found {found}");
        problem("persistence_flagged", expected);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn settings() -> VerdictSettings {
        VerdictSettings {
            false_alarm_budget: "1 per week".to_owned(),
            records_min: 100,
            persistence_windows: 3,
            persistence_flagged: 2,
            large_level: 0.05,
            share_change_min: 0.02,
            rate_change_min: 0.01,
            score_distance_min: 0.02,
            length_change_min: 0.05,
            word_change_min: 0.01,
            embedding_distance_min: 0.05,
        }
    }

    fn check(change: impl FnOnce(&mut VerdictSettings), expected: &[&str]) {
        let mut changed = settings();
        change(&mut changed);
        let problems = VerdictConfig::try_from(changed).err().unwrap_or_default();
        assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn reports_every_problem_with_its_key() {
        check(|_| (), &[]);
        check(|settings| settings.share_change_min = f64::NAN, &["verdict.share_change_min"]);
        check(
            |settings| {
                settings.false_alarm_budget = "weekly".to_owned();
                settings.records_min = 8;
                settings.persistence_windows = 0;
                settings.persistence_flagged = 4;
                settings.large_level = 0.0;
            },
            &[
                "verdict.false_alarm_budget",
                "verdict.records_min",
                "verdict.persistence_windows",
                "verdict.persistence_flagged",
                "verdict.large_level",
            ],
        );
    }
}
