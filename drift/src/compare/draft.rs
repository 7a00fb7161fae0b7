//! One row of a report before the window's q-values are known.

use schemas::report::{Bin, Contributor};
use statistics::{Interval, Outcome, Undefined};

/// Confidence of every interval in a report.
pub(super) const CONFIDENCE: f64 = 0.95;

/// Contributors named in a row: more than a person reads.
pub(super) const CONTRIBUTORS_MAX: usize = 10;

/// What a row is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The one test of its feature and slice that enters the correction of the window.
    Decides,
    /// A part of the feature above it, such as one label: corrected among the parts, never worse than the whole.
    Part,
    /// Tells how large the change is in another unit; has no verdict of its own.
    Describes,
}

/// A change in the unit of the feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Effect {
    pub(super) value: f64,
    pub(super) interval: Option<Interval>,
    pub(super) unit: &'static str,
}

/// "The change is no larger than `least`", and how well that can be held up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Least {
    pub(super) least: f64,
    pub(super) p_value: f64,
}

/// One test's results, or why it has none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    pub(super) role: Role,
    /// The feature's own name, or that of a part of it.
    pub(super) feature: Option<String>,
    pub(super) test: &'static str,
    pub(super) variant: &'static str,
    pub(super) statistic: Option<f64>,
    pub(super) statistic_interval: Option<Interval>,
    pub(super) statistic_bias: Option<f64>,
    pub(super) df: Option<f64>,
    pub(super) p_value: Option<f64>,
    pub(super) p_value_method: Option<String>,
    pub(super) effect: Option<Effect>,
    pub(super) least: Option<Least>,
    pub(super) n_unseen: u64,
    pub(super) approx_error_bound: Option<f64>,
    pub(super) bins: Vec<Bin>,
    pub(super) contributors: Vec<Contributor>,
    /// What moved, for a person; or why there is nothing to say.
    pub(super) sentence: String,
    /// The statistic is not defined for these counts.
    pub(super) is_error: bool,
}

impl Draft {
    pub(super) fn new(role: Role, test: &'static str, variant: &'static str) -> Self {
        Self {
            role,
            feature: None,
            test,
            variant,
            statistic: None,
            statistic_interval: None,
            statistic_bias: None,
            df: None,
            p_value: None,
            p_value_method: None,
            effect: None,
            least: None,
            n_unseen: 0,
            approx_error_bound: None,
            bins: Vec::new(),
            contributors: Vec::new(),
            sentence: String::new(),
            is_error: false,
        }
    }

    /// The row of a test, or the row that says why it failed: the other tests go on.
    pub(super) fn of(
        role: Role,
        test: &'static str,
        variant: &'static str,
        fill: impl FnOnce(&mut Self) -> Result<(), Undefined>,
    ) -> Self {
        let mut draft = Self::new(role, test, variant);
        match fill(&mut draft) {
            Ok(()) => draft,
            Err(why) => {
                let sentence = format!("{test} could not be computed: {why}");
                Self { is_error: true, sentence, ..Self::new(role, test, variant) }
            }
        }
    }

    pub(super) fn outcome(&mut self, outcome: Outcome) {
        self.statistic = Some(outcome.statistic);
        self.df = outcome.df;
        self.p_value = Some(outcome.p_value);
        self.p_value_method = Some(outcome.method.to_string());
    }

    /// A statistic that only describes, without a p-value.
    pub(super) fn describe(test: &'static str, variant: &'static str, value: Result<f64, Undefined>) -> Self {
        Self::of(Role::Describes, test, variant, |draft| {
            draft.statistic = Some(value?);
            Ok(())
        })
    }
}

/// The first few contributors by score, those of equal score by name.
pub(super) fn top(mut contributors: Vec<Contributor>) -> Vec<Contributor> {
    contributors.retain(|contributor| contributor.score > 0.0);
    contributors.sort_by(|one, other| other.score.total_cmp(&one.score).then_with(|| one.key.cmp(&other.key)));
    contributors.truncate(CONTRIBUTORS_MAX);
    contributors
}

/// Counts as the signed numbers of Parquet.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// `of` in shares of `total`; 0 of nothing is 0.
pub(super) fn share(of: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { of as f64 / total as f64 }
}
