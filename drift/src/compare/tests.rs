//! What must hold of every report, and the sentences that a person reads.

use std::sync::Arc;

use proptest::prelude::*;
use schemas::ModelId;
use schemas::report::{DriftRow, Verdict};

use super::streams::{Mix, Stream, counts, hour, merged, window};
use super::*;
use crate::profile::{About, StreamCalibration};
use crate::reference::Past;
use crate::reference::settings::ReferenceSettings;
use crate::verdict::overall;
use crate::verdict::settings::VerdictSettings;
use crate::verdict::settings::tests::settings;

fn profile(counts: WindowCounts, design_effects: &[(&str, f64)]) -> Arc<Profile> {
    let about = About {
        name: "quiet".to_owned(),
        model: ModelId { name: "banking".to_owned(), version: "1".to_owned(), digest: String::new() },
        made_from: "a test".to_owned(),
        first_ms: 0,
        last_ms: 1,
        records: counts.records(),
        has_words: true,
        has_dead_letters: false,
        calibrations: vec![StreamCalibration {
            granularity_ms: 3_600_000,
            windows: 10,
            records_per_window: 100.0,
            design_effects: design_effects.iter().map(|(name, effect)| ((*name).to_owned(), *effect)).collect(),
            duplicates: None,
        }],
    };
    Arc::new(Profile::new(about, counts))
}

fn reference_config(kind: ReferenceKind) -> ReferenceConfig {
    let settings = ReferenceSettings {
        kind,
        profile: String::new(),
        allow_other_model: false,
        rolling_windows: 24,
        seasonal_weeks: 4,
        windows_min: 3,
    };
    settings.try_into().expect("good settings")
}

/// A comparer with a level of 0.05, the loosest there is.
fn comparer(kind: ReferenceKind, profile: Option<Arc<Profile>>) -> Comparer {
    let settings = VerdictSettings { false_alarm_budget: "1000 per hour".to_owned(), ..settings() };
    Comparer::new(reference_config(kind), settings.try_into().expect("good settings"), &[hour()], profile)
}

/// Some row of all events, for tests that only look at its name and verdict.
pub(crate) fn any_row(counts: WindowCounts) -> DriftRow {
    let report =
        comparer(ReferenceKind::Fixed, None).report(&merged(window(0), counts), &ClosedWindows::default()).report;
    report.drift.into_iter().next().expect("a row for each feature")
}

fn row<'a>(report: &'a WindowReport, feature: &str) -> &'a DriftRow {
    report.drift.iter().find(|row| row.feature == feature && row.slice_key.is_none()).expect(feature)
}

/// What holds of any row: numbers are finite, probabilities are probabilities, verdicts have a sentence.
fn check_rows(report: &WindowReport) {
    for row in &report.drift {
        let numbers =
            [row.statistic, row.statistic_ci_low, row.statistic_ci_high, row.statistic_bias, row.df, row.effect];
        let more = [row.effect_ci_low, row.effect_ci_high, row.n_eff_cur, row.approx_error_bound, row.threshold];
        assert!(numbers.into_iter().chain(more).flatten().all(f64::is_finite), "{row:?}");
        for p_value in [row.p_value, row.p_min_effect, row.q_value].into_iter().flatten() {
            assert!((0.0..=1.0).contains(&p_value), "{row:?}");
        }
        let contributions = row.bins.iter().map(|bin| bin.contribution);
        assert!(contributions.chain(row.top_contributors.iter().map(|top| top.score)).all(f64::is_finite), "{row:?}");
        assert!(!row.reason.is_empty() && !row.reason.contains("NaN") && !row.reason.contains("inf"), "{row:?}");
        assert!(row.q_value.is_none_or(|q| q >= row.p_value.unwrap_or(0.0) * (1.0 - 1e-12)), "{row:?}");
        assert_eq!(row.q_value.is_some(), row.threshold.is_some(), "{row:?}");
    }
    // The smaller the p-value of a test that decides, the smaller its q-value.
    let mut decisions: Vec<_> =
        report.drift.iter().filter(|row| row.feature_kind != "share" || !row.feature.contains(':')).collect();
    // The scores of single labels are corrected as one family.
    decisions.retain(|row| row.q_value.is_some() && !row.feature.starts_with("score:"));
    decisions.sort_by(|one, other| one.p_value.unwrap_or(1.0).total_cmp(&other.p_value.unwrap_or(1.0)));
    assert!(decisions.is_sorted_by(|one, other| one.q_value <= other.q_value), "{decisions:?}");
}

#[test]
fn a_window_that_equals_its_reference_is_in_order() {
    let quiet = Stream::new(1).counts(&Mix::default(), 400);
    let comparer = comparer(ReferenceKind::Fixed, Some(profile(quiet.clone(), &[])));
    let comparison = comparer.report(&merged(window(0), quiet), &ClosedWindows::default());
    check_rows(&comparison.report);
    let decided = comparison.report.drift.iter().filter(|row| row.q_value.is_some() && !row.feature.contains(':'));
    for row in decided {
        assert_eq!((row.verdict, row.p_value), (Verdict::Ok, Some(1.0)), "{row:?}");
    }
    assert!(comparison.flags.is_empty());
    assert!(comparison.report.words.is_empty());
}

#[test]
fn a_change_is_told_in_plain_words_and_is_drift_once_it_persists() {
    let mut stream = Stream::new(2);
    let comparer = comparer(ReferenceKind::Fixed, Some(profile(stream.counts(&Mix::default(), 3000), &[])));
    let changed = Mix {
        labels: vec![("card_arrival", 12.0), ("lost_card", 36.0), ("top_up", 26.0), ("fees", 26.0)],
        lowest_score: 0.4,
        word: ("refund", 0.06),
        tokens_max: 45,
        truncated: 0.08,
        ..Mix::default()
    };
    let mut history = ClosedWindows::default();
    for (place, expected) in [(0, Verdict::Warn), (1, Verdict::Drift)] {
        let comparison = comparer.report(&merged(window(place), stream.counts(&changed, 2000)), &history);
        check_rows(&comparison.report);
        for (feature, begins) in [
            ("label", "share of card_arrival rose from "),
            ("score", "median confidence fell from 0.8"),
            ("words", "the word refund is in "),
            ("tokens", "median length in tokens rose from 1"),
            ("truncated", "share of truncated texts rose from "),
        ] {
            let row = row(&comparison.report, feature);
            assert_eq!(row.verdict, expected, "{row:?}");
            assert!(row.reason.starts_with(begins), "{}", row.reason);
            assert!(comparison.flags.contains(feature));
            assert_eq!(row.reason.contains("seen in 1 of the 2 windows"), expected == Verdict::Warn, "{}", row.reason);
        }
        assert_eq!(row(&comparison.report, "label:card_arrival").verdict, expected);
        assert_eq!(row(&comparison.report, "label:lost_card").verdict, Verdict::Ok);
        let refund = comparison.report.words.iter().find(|word| word.word.as_deref() == Some("refund"));
        assert!(refund.is_some_and(|word| word.verdict == expected && word.effect > 0.03));
        assert_eq!(overall(&comparison.report.drift).verdict, expected);
        history.insert(window(place), Past { counts: None, flags: comparison.flags });
    }
}

/// 60 labels of which one grows from 1.6 % to 4.7 %: chi-square over all of them is not sure, the one label is.
#[test]
fn one_label_among_many_does_not_drown() {
    let names: Vec<&'static str> = (0..60).map(|number| &*format!("label_{number}").leak()).collect();
    let even: Vec<(&'static str, f64)> = names.iter().map(|name| (*name, 1.0)).collect();
    let mut grown = even.clone();
    grown[7].1 = 3.0;
    let mut stream = Stream::new(10);
    let quiet = stream.counts(&Mix { labels: even, ..Mix::default() }, 3000);
    let comparer = comparer(ReferenceKind::Fixed, Some(profile(quiet, &[])));
    let window = merged(window(0), stream.counts(&Mix { labels: grown, ..Mix::default() }, 1500));
    let report = comparer.report(&window, &ClosedWindows::default()).report;
    check_rows(&report);
    let row = row(&report, "label");
    assert!(row.verdict == Verdict::Warn && row.reason.starts_with("share of label_7 rose from "), "{row:?}");
    assert_eq!((row.test_variant.as_str(), row.p_value_method.as_deref()), ("homogeneity_or_single", Some("exact")));
    let classes = report.drift.iter().filter(|row| row.feature.starts_with("score:") && row.q_value.is_some());
    assert!(classes.map(|row| row.verdict).all(|verdict| verdict == Verdict::Ok));
}

#[test]
fn the_slice_that_changed_is_named() {
    let mut stream = Stream::new(3);
    let comparer = comparer(ReferenceKind::Fixed, Some(profile(stream.counts(&Mix::default(), 2000), &[])));
    let report = comparer
        .report(
            &merged(window(0), stream.counts(&Mix { lowest_score: 0.3, ..Mix::default() }, 1000)),
            &ClosedWindows::default(),
        )
        .report;
    let slices: Vec<_> = report.drift.iter().filter(|row| row.feature == "score" && row.slice_key.is_some()).collect();
    assert_eq!(slices.iter().map(|row| row.slice_value.as_deref()).collect::<Vec<_>>(), [Some("phone"), Some("web")]);
    for row in slices {
        assert!(row.reason.starts_with("where header:source is "), "{}", row.reason);
        assert_eq!(row.verdict, Verdict::Warn);
    }
}

#[test]
fn a_handful_of_records_is_never_an_alarm() {
    let mut stream = Stream::new(4);
    let comparer = comparer(ReferenceKind::Fixed, Some(profile(stream.counts(&Mix::default(), 500), &[])));
    let odd = Mix { labels: vec![("new", 1.0)], lowest_score: 0.0, ..Mix::default() };
    let report = comparer.report(&merged(window(0), stream.counts(&odd, 8)), &ClosedWindows::default()).report;
    check_rows(&report);
    assert_eq!(row(&report, "score").reason, "only 8 records in the window, at least 100 are needed");
    assert!(report.drift.iter().all(|row| row.verdict <= Verdict::InsufficientData));
    assert!(!report.summary.is_empty());
}

#[test]
fn a_reference_that_is_not_there_yet_says_what_is_missing() {
    let mut stream = Stream::new(5);
    let (comparer, mut history) = (comparer(ReferenceKind::Rolling, None), ClosedWindows::default());
    let quiet = stream.counts(&Mix::default(), 200);
    for hours in 0..4 {
        let report = comparer.report(&merged(window(hours), quiet.clone()), &history).report;
        check_rows(&report);
        let row = row(&report, "score");
        if hours < 3 {
            assert_eq!(row.verdict, Verdict::InsufficientData);
            let expected =
                format!("the rolling reference has {hours} of the 3 windows that it needs, {} more to come", 3 - hours);
            assert_eq!(row.reason, expected);
        } else {
            assert_eq!((row.verdict, row.n_ref), (Verdict::Ok, 600));
            assert!(row.reference_id.starts_with("rolling:PT1H:3:"), "{}", row.reference_id);
        }
        let counts = Some(quiet.encode().into());
        history.insert(window(hours), Past { counts, ..Past::default() });
    }
    let report = super::tests::comparer(ReferenceKind::Fixed, None).report(&merged(window(0), quiet), &history).report;
    assert!(row(&report, "label").reason.contains("labelstream drift calibrate"));
}

#[test]
fn the_reference_of_another_model_is_refused() {
    let mut stream = Stream::new(6);
    let comparer = comparer(ReferenceKind::Fixed, Some(profile(stream.counts(&Mix::default(), 500), &[])));
    let other = stream.counts(&Mix { model: "other", ..Mix::default() }, 500);
    let report = comparer.report(&merged(window(0), other), &ClosedWindows::default()).report;
    assert_eq!((report.drift.len(), report.drift[0].verdict, report.model.as_str()), (1, Verdict::Error, "other"));
    assert!(report.drift[0].reason.contains("made with the model banking@1, most events here come from other@1"));
}

#[test]
fn one_failing_statistic_stops_no_other() {
    let mut stream = Stream::new(7);
    // No calibration writes a design effect below 1: the tests of this feature refuse it.
    let comparer =
        comparer(ReferenceKind::Fixed, Some(profile(stream.counts(&Mix::default(), 500), &[("score", 0.5)])));
    let report =
        comparer.report(&merged(window(0), stream.counts(&Mix::default(), 500)), &ClosedWindows::default()).report;
    check_rows(&report);
    assert_eq!(row(&report, "score").verdict, Verdict::Error);
    assert!(row(&report, "score").reason.contains("a design effect is at least 1"), "{}", row(&report, "score").reason);
    assert_eq!((row(&report, "label").verdict, row(&report, "entropy").verdict), (Verdict::Ok, Verdict::Ok));
}

#[test]
fn records_that_resemble_their_neighbours_are_worth_less() {
    let mut stream = Stream::new(8);
    let quiet = stream.counts(&Mix::default(), 1000);
    let changed = stream.counts(&Mix { lowest_score: 0.55, ..Mix::default() }, 1000);
    let p_value = |effect: f64| {
        let comparer =
            comparer(ReferenceKind::Fixed, Some(profile(quiet.clone(), &[("score", effect), ("label", effect)])));
        let report = comparer.report(&merged(window(0), changed.clone()), &ClosedWindows::default()).report;
        assert_eq!(row(&report, "score").n_eff_cur, Some(1000.0 / effect));
        [row(&report, "score").p_value.expect("tested"), row(&report, "label").p_value.expect("tested")]
    };
    let (independent, clustered) = (p_value(1.0), p_value(5.0));
    assert!(independent[0] < 0.001 && clustered[0] > 0.01, "{independent:?} {clustered:?}");
    assert!(clustered[1] >= independent[1]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is compared with whatever: rows hold, and neither the order of the events nor asking again matters.
    #[test]
    fn reports_are_sound_and_depend_on_counts_alone(
        seed in any::<u64>(),
        sizes in (20..160_usize, 20..160_usize),
        lowest_score in prop::sample::select(vec![0.0, 0.6, 1.0]),
        word in 0.0..1.0_f64,
        one_label in any::<bool>(),
    ) {
        let mut stream = Stream::new(seed);
        let reference = stream.counts(&Mix::default(), sizes.0);
        let labels = if one_label { vec![("new", 1.0)] } else { Mix::default().labels };
        let mut events = stream.events(&Mix { labels, lowest_score, word: ("refund", word), ..Mix::default() }, sizes.1);
        let comparer = {
            let settings = VerdictSettings { records_min: 20, ..settings() };
            let config = settings.try_into().expect("good settings");
            Comparer::new(reference_config(ReferenceKind::Fixed), config, &[hour()], Some(profile(reference, &[])))
        };
        let first = comparer.report(&merged(window(0), counts(&events)), &ClosedWindows::default());
        check_rows(&first.report);
        events.reverse();
        let again = comparer.report(&merged(window(0), counts(&events)), &ClosedWindows::default());
        prop_assert_eq!(first, again);
    }
}

/// 200 windows without any change, each with a reference of its own: a finding in any of its some 25 tests is a false
/// alarm, and Benjamini-Hochberg's correction promises at most 5 % of windows with one. 20 of 200 are passed with
/// probability 0.001 at 5 %.
#[test]
fn false_alarms_stay_within_the_level() {
    let mut stream = Stream::new(9);
    let pool = stream.events(&Mix::default(), 3000);
    let (mut alarmed, mut low) = (0, 0);
    for place in 0..200 {
        let (reference, current) = (stream.resample(&pool, 300), stream.resample(&pool, 150));
        let comparer = comparer(ReferenceKind::Fixed, Some(profile(reference, &[])));
        let report = comparer.report(&merged(window(place), current), &ClosedWindows::default()).report;
        alarmed += usize::from(report.drift.iter().any(|row| row.verdict > Verdict::Ok));
        low += usize::from(row(&report, "score").p_value.is_some_and(|p_value| p_value <= 0.2));
    }
    assert!(alarmed <= 20, "{alarmed} of 200 windows");
    // The exact test of a continuous score: 40 expected, standard deviation 5.7.
    assert!((18..=62).contains(&low), "{low} of 200 p-values are at most 0.2");
}
