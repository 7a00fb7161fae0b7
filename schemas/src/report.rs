//! The rows of a drift report, one struct per table: what analysts query, and what `sink` writes as Parquet.
//!
//! `docs/reports.md` describes every column. Changes are additive. Numbers that could not be had are `None`, never NaN.
//! The window's granularity and the model stand in the path, not in the rows.

use std::fmt;
use std::str::FromStr;

/// What a finding, or a whole window, comes to: in ascending order of concern, so that the worst of many is the maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing to decide: events do not carry the feature, or the row only describes a change that another test decides.
    NotApplicable,
    /// Too few records on one side.
    InsufficientData,
    Ok,
    /// The statistic could not be computed; the reason says why. The others are not affected.
    Error,
    /// Sure but not large enough, or not yet for as many windows as asked.
    Warn,
    /// Sure, large enough, and persistent.
    Drift,
}

impl Verdict {
    /// Every verdict, in ascending order of concern.
    pub const ALL: [Self; 6] =
        [Self::NotApplicable, Self::InsufficientData, Self::Ok, Self::Error, Self::Warn, Self::Drift];

    /// The word in reports, in metrics and on the terminal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotApplicable => "not_applicable",
            Self::InsufficientData => "insufficient_data",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Drift => "drift",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no verdict.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a verdict")]
pub struct UnknownVerdict(pub String);

impl FromStr for Verdict {
    type Err = UnknownVerdict;

    fn from_str(name: &str) -> Result<Self, UnknownVerdict> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name).ok_or_else(|| UnknownVerdict(name.to_owned()))
    }
}

/// Which report a row belongs to; every table begins with these columns.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportKey {
    /// Milliseconds since 1970 UTC; the window holds its start and not its end.
    pub window_start_ms: i64,
    pub window_end_ms: i64,
    /// 0 for the first report of a window; late records and late labels make further ones. The highest is right.
    pub revision: i32,
    /// No further revision will come for late records.
    pub is_final: bool,
}

/// Table `drift`: one test of one feature in one slice of one window.
#[derive(Clone, Debug, PartialEq)]
pub struct DriftRow {
    pub key: ReportKey,
    /// Names the finding for ever: a digest over model, window, slice, feature, test, reference and settings.
    pub report_id: String,
    pub reference_id: String,
    /// `fixed`, `previous`, `rolling` or `seasonal`.
    pub reference_kind: String,
    /// `None` for all events.
    pub slice_key: Option<String>,
    pub slice_value: Option<String>,
    pub feature: String,
    /// `numeric`, `categorical`, `share`, `words` or `embedding`.
    pub feature_kind: String,
    pub test: String,
    pub test_variant: String,
    pub statistic: Option<f64>,
    pub statistic_ci_low: Option<f64>,
    pub statistic_ci_high: Option<f64>,
    /// What the statistic is expected to be without drift, where that is not zero.
    pub statistic_bias: Option<f64>,
    pub df: Option<f64>,
    pub effect: Option<f64>,
    pub effect_ci_low: Option<f64>,
    pub effect_ci_high: Option<f64>,
    pub effect_unit: Option<String>,
    pub p_value: Option<f64>,
    /// `exact`, `asymptotic` or `monte_carlo(B)`.
    pub p_value_method: Option<String>,
    /// p-value of "the effect is no larger than `min_effect`".
    pub p_min_effect: Option<f64>,
    pub min_effect: Option<f64>,
    pub q_value: Option<f64>,
    /// `bh` within the window, or `None` for statistics that only describe.
    pub correction: Option<String>,
    /// The q-value at or below which this window's finding counts as sure.
    pub threshold: Option<f64>,
    pub threshold_source: Option<String>,
    pub verdict: Verdict,
    /// One sentence for a person.
    pub reason: String,
    pub n_ref: i64,
    pub n_cur: i64,
    /// Events of the window that do not carry the feature.
    pub n_missing_cur: i64,
    /// Events of the window in categories or bins that the reference never had.
    pub n_unseen_cur: i64,
    pub n_late_dropped: i64,
    /// The window's size after its autocorrelation is taken into account.
    pub n_eff_cur: Option<f64>,
    /// How far the statistic may be from that of the raw values because they were binned.
    pub approx_error_bound: Option<f64>,
    pub bins: Vec<Bin>,
    pub top_contributors: Vec<Contributor>,
    pub model_version: String,
    pub pipeline_version: String,
    /// A digest over the settings that the finding depends on.
    pub config_hash: String,
    pub offsets: Vec<OffsetRange>,
}

/// One bin or category of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Bin {
    pub label: String,
    /// Bounds of a numeric bin; `None` is open, or a category.
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub reference: i64,
    pub current: i64,
    /// Its part of the statistic.
    pub contribution: f64,
}

/// What moved most.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributor {
    pub key: String,
    pub score: f64,
    /// Shares in the reference and in the window, 0..=1.
    pub reference_share: f64,
    pub current_share: f64,
    pub p_value: Option<f64>,
}

/// Offsets that a report covers: `start <= offset < end`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetRange {
    pub topic: String,
    pub partition: i32,
    pub start: i64,
    pub end: i64,
}

/// Table `window_summary`: the counts themselves, sparse, so that a window can be tested again years later.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryRow {
    pub key: ReportKey,
    pub slice_key: Option<String>,
    pub slice_value: Option<String>,
    pub feature: String,
    pub feature_kind: String,
    /// Bin number, or `None` for a category.
    pub bin: Option<i32>,
    pub label: Option<String>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub count: i64,
}

/// Table `performance`: how right the model was, estimated or known.
#[derive(Clone, Debug, PartialEq)]
pub struct PerformanceRow {
    pub key: ReportKey,
    pub slice_key: Option<String>,
    pub slice_value: Option<String>,
    /// `estimated_accuracy`, `accuracy`, `macro_f1`, `calibration_error`, `label_delay_p50_seconds`, ...
    pub metric: String,
    /// For metrics of one class.
    pub label: Option<String>,
    pub value: Option<f64>,
    pub ci_low: Option<f64>,
    pub ci_high: Option<f64>,
    pub ci_method: Option<String>,
    /// Events that the value rests on.
    pub n: i64,
    /// Share of the window's events whose true label is known, 0..=1; `None` for estimates without labels.
    pub label_coverage: Option<f64>,
    /// For estimates: `reliable`, `doubtful` or `unreliable`, and why.
    pub reliability: Option<String>,
    pub reason: String,
    pub model_version: String,
}

/// Table `words`: one word whose share of texts was tested.
#[derive(Clone, Debug, PartialEq)]
pub struct WordRow {
    pub key: ReportKey,
    pub reference_id: String,
    /// `None` where only the hash is known.
    pub word: Option<String>,
    /// Hash bucket, 0..65536.
    pub bucket: i32,
    /// Texts with the word, and texts in all.
    pub texts_ref: i64,
    pub n_ref: i64,
    pub texts_cur: i64,
    pub n_cur: i64,
    pub p_value: f64,
    pub q_value: f64,
    /// Share now minus share before, -1..=1.
    pub effect: f64,
    pub verdict: Verdict,
}

/// All rows of one window at one revision.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowReport {
    pub model: String,
    /// ISO 8601, such as `PT1H`.
    pub granularity: String,
    pub key: ReportKey,
    pub drift: Vec<DriftRow>,
    pub summary: Vec<SummaryRow>,
    pub performance: Vec<PerformanceRow>,
    pub words: Vec<WordRow>,
}
