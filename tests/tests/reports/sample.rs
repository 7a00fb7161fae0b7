//! A report as an hour of a busy stream makes it: every table, texts of real length, one finding that drifts.

use schemas::report::{
    Bin, Contributor, DriftRow, OffsetRange, PerformanceRow, ReportKey, SummaryRow, Verdict, WindowReport, WordRow,
};
use sink::reports::ReportName;

/// 2026-05-01T00:00:00Z, the start of hour 0.
pub(crate) const DAY_MS: i64 = 1_777_593_600_000;

const HOUR_MS: i64 = 3_600_000;

const TESTS: [&str; 6] = ["ks", "cramer_von_mises", "mann_whitney", "wasserstein", "psi", "js_distance"];

/// The report of an hour, counted from [`DAY_MS`], with `rows` findings; the first is that of a label that tripled.
pub(crate) fn hour(hour: i64, rows: usize) -> WindowReport {
    let start = DAY_MS + hour * HOUR_MS;
    let key = ReportKey { window_start_ms: start, window_end_ms: start + HOUR_MS, revision: 0, is_final: false };
    WindowReport {
        model: "banking77-minilm".to_owned(),
        granularity: "PT1H".to_owned(),
        drift: (0..rows).map(|row| finding(&key, hour, row)).collect(),
        summary: (0..100).map(|bin| count(&key, bin)).collect(),
        performance: vec![accuracy(&key)],
        words: (0..20).map(|word| moved(&key, word)).collect(),
        key,
    }
}

/// A report whose table `words` takes more than two parts of an upload: texts that do not compress.
pub(crate) fn large() -> WindowReport {
    let mut report = hour(5, 20);
    let mut state = 1u64;
    let mut sign = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + u8::try_from((state >> 33) % 90).unwrap_or(0))
    };
    let words = (0..2000).map(|word| {
        let text = (0..8000).map(|_| sign()).collect();
        WordRow { word: Some(text), ..moved(&report.key, word) }
    });
    report.words = words.collect();
    report
}

pub(crate) fn name(report: &WindowReport) -> ReportName {
    ReportName {
        model: report.model.clone(),
        granularity: report.granularity.clone(),
        start_ms: report.key.window_start_ms,
        revision: report.key.revision,
    }
}

fn finding(key: &ReportKey, hour: i64, row: usize) -> DriftRow {
    let noise = fraction(hour, row);
    let drifts = row == 0;
    let label = format!("label_{:02}", row % 77);
    let bin = |place: usize| Bin {
        label: format!("{label}_{place}"),
        low: Some(place as f64 / 10.0),
        high: Some((place + 1) as f64 / 10.0),
        reference: 1000 + i64::try_from(row * place % 300).unwrap_or(0),
        current: 950 + i64::try_from(row * place % 310).unwrap_or(0),
        contribution: noise / (place + 1) as f64,
    };
    let n_cur = 41_237 + hour;
    DriftRow {
        key: key.clone(),
        report_id: format!("{:016x}{:016x}", noise.to_bits(), hour.wrapping_mul(31)),
        reference_id: "sha256:8d1c6f0a".to_owned(),
        reference_kind: "rolling".to_owned(),
        slice_key: (!row.is_multiple_of(4)).then(|| "language".to_owned()),
        slice_value: (!row.is_multiple_of(4)).then(|| ["en", "de", "fr"][row % 3].to_owned()),
        feature: if drifts { "label".to_owned() } else { format!("score_{label}") },
        feature_kind: if drifts { "categorical" } else { "numeric" }.to_owned(),
        test: if drifts { "chi_square" } else { TESTS[row % TESTS.len()] }.to_owned(),
        test_variant: "hist1024".to_owned(),
        statistic: Some(noise * 0.02),
        statistic_ci_low: Some(noise * 0.01),
        statistic_ci_high: Some(noise * 0.03),
        statistic_bias: row.is_multiple_of(3).then_some(1e-4),
        df: drifts.then_some(76.0),
        effect: Some(noise * 0.05),
        effect_ci_low: Some(noise * 0.04),
        effect_ci_high: Some(noise * 0.06),
        effect_unit: Some("share".to_owned()),
        p_value: Some(if drifts { 1e-40 } else { noise }),
        p_value_method: Some("asymptotic".to_owned()),
        p_min_effect: Some(if drifts { 1e-9 } else { 1.0 }),
        min_effect: Some(0.02),
        q_value: Some(if drifts { 6e-38 } else { noise }),
        correction: Some("bh".to_owned()),
        threshold: Some(0.00198),
        threshold_source: Some("false_alarm_budget".to_owned()),
        verdict: if drifts { Verdict::Drift } else { Verdict::Ok },
        reason: if drifts {
            "share of card_arrival rose from 4.1 % to 12.3 %".to_owned()
        } else {
            format!("the scores of {label} lie within {:.1} % of the last 4 windows", noise * 100.0)
        },
        n_ref: 164_948,
        n_cur,
        n_missing_cur: 0,
        n_unseen_cur: 0,
        n_late_dropped: 3,
        n_eff_cur: Some(n_cur as f64 / 1.3),
        approx_error_bound: Some(0.0004),
        bins: (0..if drifts { 10 } else { 0 }).map(bin).collect(),
        top_contributors: (0..usize::from(row.is_multiple_of(6))).map(|_| contributor(&label, noise)).collect(),
        model_version: "1".to_owned(),
        pipeline_version: "0.1.0".to_owned(),
        config_hash: "5f0f4a3e".to_owned(),
        offsets: (0..3).map(|partition| read(partition, hour)).collect(),
    }
}

fn contributor(label: &str, noise: f64) -> Contributor {
    Contributor {
        key: label.to_owned(),
        score: noise,
        reference_share: 0.041,
        current_share: 0.041 + noise / 100.0,
        p_value: Some(noise),
    }
}

fn read(partition: i32, hour: i64) -> OffsetRange {
    let start = 13_700 * hour + i64::from(partition);
    OffsetRange { topic: "messages-labeled".to_owned(), partition, start, end: start + 13_745 }
}

fn count(key: &ReportKey, bin: i32) -> SummaryRow {
    SummaryRow {
        key: key.clone(),
        slice_key: None,
        slice_value: None,
        feature: "score".to_owned(),
        feature_kind: "numeric".to_owned(),
        bin: Some(bin),
        label: None,
        low: Some(f64::from(bin) / 1024.0),
        high: Some(f64::from(bin + 1) / 1024.0),
        count: i64::from(bin * bin % 911),
    }
}

fn accuracy(key: &ReportKey) -> PerformanceRow {
    PerformanceRow {
        key: key.clone(),
        slice_key: None,
        slice_value: None,
        metric: "estimated_accuracy".to_owned(),
        label: None,
        value: Some(0.912),
        ci_low: Some(0.904),
        ci_high: Some(0.92),
        ci_method: Some("wilson".to_owned()),
        n: 41_237,
        label_coverage: None,
        reliability: Some("doubtful: the scores have drifted".to_owned()),
        reason: "the mean score of the window".to_owned(),
        model_version: "1".to_owned(),
    }
}

fn moved(key: &ReportKey, word: i32) -> WordRow {
    WordRow {
        key: key.clone(),
        reference_id: "sha256:8d1c6f0a".to_owned(),
        word: (word > 0).then(|| format!("word{word}")),
        bucket: word * 37,
        texts_ref: 40,
        n_ref: 164_948,
        texts_cur: 900 - i64::from(word),
        n_cur: 41_237,
        p_value: 1e-12,
        q_value: 1e-9,
        effect: 0.02,
        verdict: Verdict::Drift,
    }
}

/// A share that differs from row to row and is the same for ever.
fn fraction(hour: i64, row: usize) -> f64 {
    let place = u64::try_from(hour).unwrap_or(0).wrapping_mul(1_000_003).wrapping_add(row as u64 + 1);
    (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1u64 << 53) as f64
}
