//! From a draft to a row of the report: what all rows of a window share, and the digests that name a finding.

use schemas::report::{DriftRow, OffsetRange, ReportKey, Verdict};
use sha2::{Digest, Sha256};
use statistics::Interval;

use super::draft::{Draft, signed};
use crate::feature::Feature;
use crate::slice::Slice;

/// Digits of a digest in a report: 128 bits, so that no two findings ever meet.
const DIGEST_DIGITS: usize = 32;

/// What all rows of one report share.
pub(super) struct Frame {
    pub(super) key: ReportKey,
    /// ISO 8601.
    pub(super) granularity: String,
    pub(super) model: String,
    pub(super) model_version: String,
    pub(super) pipeline_version: String,
    pub(super) config_hash: String,
    pub(super) reference_id: String,
    pub(super) reference_kind: &'static str,
    pub(super) late_dropped: i64,
    pub(super) offsets: Vec<OffsetRange>,
}

/// One feature in one slice.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) slice: Slice,
    pub(super) feature: Feature,
    pub(super) n_ref: u64,
    pub(super) n_cur: u64,
    pub(super) n_missing: u64,
    pub(super) design_effect: f64,
}

/// What the whole window says about a draft.
pub(super) struct Ruling {
    pub(super) verdict: Verdict,
    pub(super) reason: String,
    pub(super) q_value: Option<f64>,
    /// The level of the q-value and where it comes from; `None` for rows that only describe.
    pub(super) threshold: Option<(f64, String)>,
}

impl Frame {
    pub(super) fn row(&self, subject: &Subject, draft: Draft, ruling: Ruling) -> DriftRow {
        let feature = draft.feature.clone().unwrap_or_else(|| subject.feature.name().into_owned());
        let (slice_key, slice_value) = slice_columns(&subject.slice);
        let is_part = draft.feature.is_some();
        let low = |interval: Option<Interval>| interval.and_then(|interval| finite(interval.low));
        let high = |interval: Option<Interval>| interval.and_then(|interval| finite(interval.high));
        let effect_interval = draft.effect.and_then(|effect| effect.interval);
        let report_id = self.report_id(subject, &feature, &draft);
        DriftRow {
            key: self.key.clone(),
            report_id,
            reference_id: self.reference_id.clone(),
            reference_kind: self.reference_kind.to_owned(),
            slice_key,
            slice_value,
            feature_kind: if is_part { "share" } else { subject.feature.kind().name() }.to_owned(),
            feature,
            test: draft.test.to_owned(),
            test_variant: draft.variant.to_owned(),
            statistic: draft.statistic.and_then(finite),
            statistic_ci_low: low(draft.statistic_interval),
            statistic_ci_high: high(draft.statistic_interval),
            statistic_bias: draft.statistic_bias.and_then(finite),
            df: draft.df.and_then(finite),
            effect: draft.effect.and_then(|effect| finite(effect.value)),
            effect_ci_low: low(effect_interval),
            effect_ci_high: high(effect_interval),
            effect_unit: draft.effect.map(|effect| effect.unit.to_owned()),
            p_value: draft.p_value.and_then(finite),
            p_value_method: draft.p_value_method,
            p_min_effect: draft.least.and_then(|least| finite(least.p_value)),
            min_effect: draft.least.map(|least| least.least),
            q_value: ruling.q_value.and_then(finite),
            correction: ruling.q_value.map(|_| "bh".to_owned()),
            threshold: ruling.threshold.as_ref().map(|(level, _)| *level),
            threshold_source: ruling.threshold.map(|(_, source)| source),
            verdict: ruling.verdict,
            reason: ruling.reason,
            n_ref: signed(subject.n_ref),
            n_cur: signed(subject.n_cur),
            n_missing_cur: signed(subject.n_missing),
            n_unseen_cur: signed(draft.n_unseen),
            n_late_dropped: self.late_dropped,
            n_eff_cur: finite(subject.n_cur as f64 / subject.design_effect),
            approx_error_bound: draft.approx_error_bound.and_then(finite),
            bins: draft.bins,
            top_contributors: draft.contributors,
            model_version: self.model_version.clone(),
            pipeline_version: self.pipeline_version.clone(),
            config_hash: self.config_hash.clone(),
            offsets: self.offsets.clone(),
        }
    }

    /// Names the finding whatever its revision: the same question asked again has the same id.
    fn report_id(&self, subject: &Subject, feature: &str, draft: &Draft) -> String {
        digest(&[
            &self.model,
            &self.granularity,
            &self.key.window_start_ms.to_string(),
            &subject.slice.to_string(),
            feature,
            draft.test,
            draft.variant,
            &self.reference_id,
            &self.config_hash,
        ])
    }
}

pub(crate) fn slice_columns(slice: &Slice) -> (Option<String>, Option<String>) {
    match slice {
        Slice::All => (None, None),
        Slice::Of { key, value } => (Some(key.to_string()), Some(value.to_string())),
    }
}

/// Parquet and people have no use for NaN and infinity.
pub(super) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// The first digits of the SHA-256 of these parts, each ended by a zero byte.
pub(super) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    format!("{:x}", hash.finalize())[..DIGEST_DIGITS].to_owned()
}
