//! A quiet stream makes a profile that raises no alarm on itself, and larger windows find smaller changes.

use super::*;
use crate::compare::streams::{Mix, Stream, hour, window};
use crate::verdict::settings::VerdictSettings;
use crate::verdict::settings::tests::settings;

fn source() -> ProfileSource {
    ProfileSource {
        name: "quiet".to_owned(),
        made_from: "a test".to_owned(),
        model: None,
        has_words: false,
        has_dead_letters: false,
    }
}

fn verdict() -> VerdictConfig {
    VerdictSettings { records_min: 50, ..settings() }.try_into().expect("good settings")
}

fn calibrated(events: usize, mix: impl Fn(i64) -> Mix) -> Calibrated {
    let mut stream = Stream::new(1);
    let mut calibrator = Calibrator::new(&[hour()]);
    for hours in 0..12 {
        calibrator.add(window(hours), &stream.counts(&mix(hours), events));
    }
    calibrator.finish(source(), &verdict()).expect("enough records")
}

#[test]
fn a_quiet_stream_makes_a_profile_that_is_quiet_about_it() {
    let calibrated = calibrated(100, |_| Mix::default());
    let about = calibrated.profile.about();
    assert_eq!((about.records, about.first_ms, about.last_ms), (1200, window(0).start_ms, window(11).end_ms()));
    assert_eq!((about.model.name.as_str(), about.model.version.as_str()), ("banking", "1"));
    assert!(about.calibrations[0].design_effects["score"] >= 1.0);
    let outlook = &calibrated.outlooks[0];
    assert_eq!((outlook.windows, outlook.records_per_window), (12, 100.0));
    assert!((calibrated.alarms_per_week() - 1.0).abs() < 1e-12);
    let expected = trial::Trial { windows: 12, ..trial::Trial::default() };
    assert_eq!(outlook.trial, Some(expected));
}

#[test]
fn a_stream_with_a_rhythm_is_found_out_before_it_wakes_anyone() {
    let calibrated = calibrated(200, |hours| Mix { lowest_score: if hours < 9 { 0.6 } else { 0.1 }, ..Mix::default() });
    let outlook = &calibrated.outlooks[0];
    assert!(calibrated.profile.design_effect(hour(), &Feature::Score).is_some_and(|effect| effect > 3.0));
    let smallest = |calibrated: &Calibrated| {
        let score = calibrated.outlooks[0].detectable.iter().find(|entry| entry.feature == "score");
        score.and_then(|entry| entry.sure)
    };
    assert!(outlook.trial.is_some());
    assert!(smallest(&calibrated) > smallest(&super::tests::calibrated(200, |_| Mix::default())));
}

#[test]
fn larger_windows_find_smaller_changes() {
    let (small, large) = (calibrated(100, |_| Mix::default()), calibrated(400, |_| Mix::default()));
    let of = |calibrated: &Calibrated| calibrated.outlooks[0].detectable.clone();
    for (few, many) in of(&small).iter().zip(of(&large)).filter(|(few, _)| few.feature == "label") {
        assert_eq!((&few.feature, &few.what), (&many.feature, &many.what));
        assert!(few.sure.is_none_or(|few| many.sure.is_some_and(|many| many < few)), "{few:?} {many:?}");
        assert!(many.large.is_none_or(|large| large >= many.sure.unwrap_or(1.0)), "{many:?}");
    }
    assert!(of(&large).iter().any(|entry| entry.feature == "words" && entry.what == "a new word"));
    assert!(of(&large).iter().all(|entry| entry.feature != "dead_letters"));
}

#[test]
fn a_handful_of_records_makes_no_profile() {
    let mut calibrator = Calibrator::new(&[hour()]);
    calibrator.add(window(0), &Stream::new(2).counts(&Mix::default(), 49));
    let error = calibrator.finish(source(), &verdict()).expect_err("too few").to_string();
    assert_eq!(error, "create a profile from 49 records, expected at least 50 (verdict.records_min)");
}

#[test]
fn a_later_revision_of_a_window_replaces_it() {
    let mut stream = Stream::new(1);
    let mut calibrator = Calibrator::new(&[hour()]);
    calibrator.add(window(0), &stream.counts(&Mix::default(), 900));
    calibrator.add(window(0), &stream.counts(&Mix::default(), 100));
    let calibrated = calibrator.finish(source(), &verdict()).expect("enough records");
    assert_eq!((calibrated.profile.about().records, calibrated.outlooks[0].windows), (100, 1));
}
