//! How right the model probably was, without true labels: the mean of its calibrated confidence.
//!
//! A calibrated model is right as often as it is confident, so that the mean of the highest probabilities estimates the
//! accuracy (arXiv 2407.08649). It holds while the texts are like those that the model was calibrated on, and it cannot
//! see labels that changed their meaning: on data where that was done (30 % of one class) the truth was 0.699 and the
//! estimate 0.750. So each estimate says how far it can be trusted, and it is never the only number: true labels, where
//! they come, make rows of their own.

use schemas::report::{DriftRow, PerformanceRow, ReportKey, Verdict};
use statistics::distribution::normal_isf;

use crate::board::MergedWindow;
use crate::compare::slice_columns;
use crate::counts::{Counts, Histogram, View};
use crate::feature::Feature;
use crate::profile::Profile;
use crate::slice::Slice;

/// Confidence of the intervals.
const CONFIDENCE: f64 = 0.95;

/// A calibration older than this many days is doubted: language and customers change within a quarter.
const AGE_DAYS_MAX: i64 = 90;

const DAY_MS: i64 = 24 * 3_600_000;

/// How far an estimate can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reliability {
    Reliable,
    Doubtful,
    Unreliable,
}

impl Reliability {
    const fn name(self) -> &'static str {
        match self {
            Self::Reliable => "reliable",
            Self::Doubtful => "doubtful",
            Self::Unreliable => "unreliable",
        }
    }
}

/// The estimated accuracy of all events, then of each slice that carries scores. `rows` are the findings of the window,
/// which tell how like the reference it is.
pub(crate) fn estimates(
    merged: &MergedWindow,
    key: &ReportKey,
    rows: &[DriftRow],
    profile: Option<&Profile>,
    model_version: &str,
) -> Vec<PerformanceRow> {
    let trust = |slice: &Slice| trust(merged, rows, profile, slice);
    let mut estimates: Vec<PerformanceRow> =
        estimate(key, &Slice::All, merged.counts.all(), trust(&Slice::All)).into_iter().collect();
    for (slice, counts) in merged.counts.slices() {
        estimates.extend(estimate(key, &slice, counts, trust(&slice)));
    }
    estimates.iter_mut().for_each(|row| model_version.clone_into(&mut row.model_version));
    estimates
}

fn estimate(key: &ReportKey, slice: &Slice, counts: &Counts, trust: (Reliability, String)) -> Option<PerformanceRow> {
    let Some(View::Histogram(scores)) = counts.view(&Feature::Score) else { return None };
    let mean = scores.mean()?;
    let reach = normal_isf((1.0 - CONFIDENCE) / 2.0) * standard_error(scores, mean);
    let (slice_key, slice_value) = slice_columns(slice);
    let (reliability, why) = trust;
    Some(PerformanceRow {
        key: key.clone(),
        slice_key,
        slice_value,
        metric: "estimated_accuracy".to_owned(),
        label: None,
        value: Some(mean),
        ci_low: Some((mean - reach).max(0.0)),
        ci_high: Some((mean + reach).min(1.0)),
        ci_method: Some("normal".to_owned()),
        n: i64::try_from(scores.total()).unwrap_or(i64::MAX),
        label_coverage: None,
        reliability: Some(reliability.name().to_owned()),
        reason: format!("about {:.1} % of labels are right if confidence is calibrated; {why}", 100.0 * mean),
        model_version: String::new(),
    })
}

/// The standard error of the accuracy that these very events have: each is right with its own probability, so that the
/// share of right ones varies by `sqrt(sum p (1 - p)) / n`.
fn standard_error(scores: &Histogram, mean: f64) -> f64 {
    let n = scores.total() as f64;
    let variance: f64 = scores.bins().map(|bin| bin.count as f64 * bernoulli(f64::midpoint(bin.low, bin.high))).sum();
    // Bins are narrow; rounding can only matter where all values are in one.
    (variance.min(n * bernoulli(mean.clamp(0.0, 1.0)).max(f64::EPSILON))).sqrt() / n
}

fn bernoulli(p: f64) -> f64 {
    p * (1.0 - p)
}

/// How far the estimate of this slice can be trusted, and why.
fn trust(merged: &MergedWindow, rows: &[DriftRow], profile: Option<&Profile>, slice: &Slice) -> (Reliability, String) {
    let (slice_key, slice_value) = slice_columns(slice);
    let verdict = |feature: &Feature| {
        let found = rows
            .iter()
            .find(|row| row.feature == feature.name() && row.slice_key == slice_key && row.slice_value == slice_value);
        found.map_or(Verdict::InsufficientData, |row| row.verdict)
    };
    let mut worst = (Reliability::Reliable, "the texts are like those of the reference".to_owned());
    let mut doubt = |reliability: Reliability, why: String| {
        if reliability > worst.0 {
            worst = (reliability, why);
        }
    };
    for (feature, name) in [
        (Feature::Score, "confidence"),
        (Feature::UnknownRate, "the share of unknown tokens"),
        (Feature::Words, "the vocabulary"),
    ] {
        match verdict(&feature) {
            Verdict::Drift => {
                doubt(Reliability::Unreliable, format!("{name} drifted, so calibration may no longer hold"))
            }
            Verdict::Warn => {
                doubt(Reliability::Doubtful, format!("{name} has changed, so calibration may no longer hold"))
            }
            Verdict::InsufficientData | Verdict::Error if feature == Feature::Score => {
                doubt(Reliability::Doubtful, "the window could not be compared with a reference".to_owned());
            }
            _ => {}
        }
    }
    if let Some(age) = profile.map(|profile| (merged.window.end_ms() - profile.about().last_ms) / DAY_MS)
        && age > AGE_DAYS_MAX
    {
        doubt(Reliability::Doubtful, format!("the profile is {age} days old"));
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::streams::{Mix, Stream, merged, window};

    fn row(feature: &str, verdict: Verdict) -> DriftRow {
        let mut stream = Stream::new(1);
        let quiet = stream.counts(&Mix::default(), 30);
        let mut row = crate::compare::tests::any_row(quiet);
        (row.feature, row.verdict) = (feature.to_owned(), verdict);
        row
    }

    fn check(rows: &[DriftRow], expected: &str, why: &str) {
        let window = merged(window(0), Stream::new(2).counts(&Mix::default(), 2000));
        let key = ReportKey { window_start_ms: 0, window_end_ms: 1, revision: 0, is_final: false };
        let estimates = estimates(&window, &key, rows, None, "banking@1");
        let all = &estimates[0];
        assert_eq!((all.metric.as_str(), all.slice_key.as_deref(), all.n), ("estimated_accuracy", None, 2000));
        assert_eq!(all.reliability.as_deref(), Some(expected), "{}", all.reason);
        assert!(all.reason.ends_with(why), "{}", all.reason);
        // Scores are spread evenly over 0.6 to 1.
        let (low, value, high) = (all.ci_low.unwrap_or(1.0), all.value.unwrap_or(0.0), all.ci_high.unwrap_or(0.0));
        assert!((value - 0.8).abs() < 0.02 && low < value && value < high && high - low < 0.04, "{low} {value} {high}");
        assert_eq!(estimates.len(), 3);
    }

    #[test]
    fn an_estimate_says_how_far_it_can_be_trusted() {
        let quiet = || row("score", Verdict::Ok);
        check(&[quiet()], "reliable", "the texts are like those of the reference");
        check(&[], "doubtful", "the window could not be compared with a reference");
        check(&[row("score", Verdict::Drift)], "unreliable", "confidence drifted, so calibration may no longer hold");
        check(
            &[quiet(), row("words", Verdict::Warn)],
            "doubtful",
            "the vocabulary has changed, so calibration may no longer hold",
        );
        check(
            &[row("score", Verdict::Warn), row("unknown_rate", Verdict::Drift)],
            "unreliable",
            "unknown tokens drifted, so calibration may no longer hold",
        );
    }
}
