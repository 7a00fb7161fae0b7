use schemas::report::Bin;

use super::*;

pub(crate) const HOUR_MS: i64 = 3_600_000;
/// 2026-05-01 01:00 UTC.
pub(crate) const START_MS: i64 = 1_777_597_200_000;

/// A primary finding of one feature; its q-value is what the verdict would come from.
pub(crate) fn row(feature: &str, verdict: Verdict, q_value: f64) -> DriftRow {
    DriftRow {
        key: ReportKey { window_start_ms: START_MS, window_end_ms: START_MS + HOUR_MS, revision: 0, is_final: false },
        report_id: format!("id-{feature}"),
        reference_id: "sha256:0011".to_owned(),
        reference_kind: "fixed".to_owned(),
        slice_key: None,
        slice_value: None,
        feature: feature.to_owned(),
        feature_kind: "categorical".to_owned(),
        test: "chi_square".to_owned(),
        test_variant: "homogeneity".to_owned(),
        statistic: Some(88.2),
        statistic_ci_low: None,
        statistic_ci_high: None,
        statistic_bias: None,
        df: Some(3.0),
        effect: Some(0.057),
        effect_ci_low: Some(0.049),
        effect_ci_high: Some(0.066),
        effect_unit: Some("share".to_owned()),
        p_value: Some(q_value / 2.0),
        p_value_method: Some("asymptotic".to_owned()),
        p_min_effect: Some(q_value),
        min_effect: Some(0.02),
        q_value: Some(q_value),
        correction: Some("bh".to_owned()),
        threshold: Some(0.006),
        threshold_source: Some("1 per week".to_owned()),
        verdict,
        reason: "share of card_arrival rose from 4.1 % to 9.8 %".to_owned(),
        n_ref: 10_003,
        n_cur: 3_400,
        n_missing_cur: 12,
        n_unseen_cur: 0,
        n_late_dropped: 3,
        n_eff_cur: Some(3_100.0),
        approx_error_bound: None,
        bins: vec![bin("card_arrival", 410, 333, 60.0), bin("<b>&\"pin\"</b>", 9_593, 3_067, 28.2)],
        top_contributors: Vec::new(),
        model_version: "1".to_owned(),
        pipeline_version: "0.1.0".to_owned(),
        config_hash: "c0ffee".to_owned(),
        offsets: vec![OffsetRange { topic: "labels".to_owned(), partition: 0, start: 10, end: 3_500 }],
    }
}

pub(crate) fn bin(label: &str, reference: i64, current: i64, contribution: f64) -> Bin {
    Bin { label: label.to_owned(), low: None, high: None, reference, current, contribution }
}

/// A report of some rows, `windows` before [`START_MS`].
pub(crate) fn report(windows_ago: i64, rows: Vec<DriftRow>) -> WindowReport {
    let window_start_ms = START_MS - windows_ago * HOUR_MS;
    let key = ReportKey { window_start_ms, window_end_ms: window_start_ms + HOUR_MS, revision: 1, is_final: true };
    let drift = rows.into_iter().map(|row| DriftRow { key: key.clone(), ..row }).collect();
    WindowReport {
        model: "banking77-minilm".to_owned(),
        granularity: "PT1H".to_owned(),
        key,
        drift,
        summary: Vec::new(),
        performance: Vec::new(),
        words: Vec::new(),
    }
}

pub(crate) fn word(word: &str, verdict: Verdict, q_value: f64, effect: f64) -> WordRow {
    WordRow {
        key: report(0, Vec::new()).key,
        reference_id: "sha256:0011".to_owned(),
        word: Some(word.to_owned()),
        bucket: 7,
        texts_ref: 80,
        n_ref: 10_003,
        texts_cur: 150,
        n_cur: 3_400,
        p_value: q_value / 3.0,
        q_value,
        effect,
        verdict,
    }
}

fn describing(feature: &str) -> DriftRow {
    DriftRow {
        test: "psi".to_owned(),
        correction: None,
        q_value: None,
        threshold: None,
        verdict: Verdict::NotApplicable,
        ..row(feature, Verdict::Ok, 1.0)
    }
}

#[test]
fn the_gravest_and_surest_come_first_with_their_other_tests() {
    let mut sliced = row("label", Verdict::Drift, 1e-4);
    (sliced.slice_key, sliced.slice_value) = (Some("source".to_owned()), Some("mobile".to_owned()));
    let rows = vec![
        row("score", Verdict::Warn, 1e-8),
        describing("label"),
        row("label", Verdict::Drift, 1e-4),
        sliced,
        row("margin", Verdict::Error, 1.0),
        row("tokens", Verdict::Ok, 0.4),
        row("words", Verdict::InsufficientData, 1.0),
    ];
    let page = page(&report(0, rows), &[]);
    let names: Vec<_> = page.moved.iter().map(|moved| name(&moved.finding)).collect();
    assert_eq!(names, ["label", "label where source = mobile", "score", "margin"]);
    assert_eq!(page.moved[0].others.iter().map(|row| row.test.as_str()).collect::<Vec<_>>(), ["psi"]);
    assert_eq!(page.verdict, Verdict::Drift);
    assert_eq!(
        page.quiet,
        [(Verdict::Ok, vec!["tokens".to_owned()]), (Verdict::InsufficientData, vec!["words".to_owned()])]
    );
    let Facts { records, late_dropped, reference_records, tests, .. } = page.facts;
    assert_eq!((records, late_dropped, reference_records, tests), (3_412, 3, 10_003, 6));
}

#[test]
fn a_feature_without_a_corrected_test_is_told_once() {
    let rows = vec![describing("embedding"), DriftRow { test: "js_distance".to_owned(), ..describing("embedding") }];
    let page = page(&report(0, rows), &[]);
    assert_eq!(page.quiet, [(Verdict::NotApplicable, vec!["embedding".to_owned()])]);
    assert_eq!(page.verdict, Verdict::NotApplicable);
}

#[test]
fn since_when_is_found_by_walking_back() {
    let history = |verdicts: &[Verdict]| -> Vec<WindowReport> {
        let ago = (1..).zip(verdicts);
        ago.map(|(ago, verdict)| report(ago, vec![row("label", *verdict, 0.001)])).collect()
    };
    let check = |earlier: &[Verdict], hours_ago: i64, windows: usize, is_open: bool| {
        let page = page(&report(0, vec![row("label", Verdict::Drift, 1e-9)]), &history(earlier));
        let expected = Since { start_ms: START_MS - hours_ago * HOUR_MS, windows, is_open };
        assert_eq!(page.moved[0].since, expected, "{earlier:?}");
        assert_eq!(page.moved[0].history.len(), earlier.len() + 1);
        assert!(page.timeline.is_sorted_by_key(|point| point.start_ms));
    };
    check(&[], 0, 1, true);
    check(&[Verdict::Ok], 0, 1, false);
    check(&[Verdict::Warn, Verdict::Drift, Verdict::Ok, Verdict::Drift], 2, 3, false);
    check(&[Verdict::Warn, Verdict::InsufficientData, Verdict::Drift], 3, 3, true);
    check(&[Verdict::InsufficientData, Verdict::Ok], 0, 1, false);
}

#[test]
fn words_are_those_that_moved_the_surest_first() {
    let mut current = report(0, vec![row("words", Verdict::Drift, 1e-9)]);
    current.words = vec![
        word("quiet", Verdict::Ok, 0.9, 0.1),
        word("small", Verdict::Drift, 1e-9, 0.01),
        word("large", Verdict::Drift, 1e-9, -0.3),
        word("sure", Verdict::Warn, 1e-20, 0.02),
    ];
    let words: Vec<_> = page(&current, &[]).words.into_iter().filter_map(|row| row.word).collect();
    assert_eq!(words, ["sure", "large", "small"]);
}

#[test]
fn a_window_without_findings_has_a_page() {
    let page = page(&report(0, Vec::new()), &[]);
    assert_eq!((page.verdict, page.moved.len(), page.facts), (Verdict::InsufficientData, 0, Facts::default()));
}
