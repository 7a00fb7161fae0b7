//! Which windows make a reference, and what happens where some are missing.

use super::settings::{ReferenceConfig, ReferenceSettings};
use super::*;
use crate::compare::streams::{Mix, Stream, hour, window};

fn config(kind: ReferenceKind) -> ReferenceConfig {
    let settings = ReferenceSettings {
        kind,
        profile: String::new(),
        allow_other_model: false,
        rolling_windows: 4,
        seasonal_weeks: 2,
        windows_min: 2,
    };
    settings.try_into().expect("good settings")
}

/// Windows by hours after a Monday's midnight, each with ten times as many records as its place in the list.
fn history(hours: &[i64]) -> ClosedWindows {
    let mut stream = Stream::new(1);
    let mut history = ClosedWindows::default();
    for (place, hours) in (1..).zip(hours) {
        let counts = Some(stream.counts(&Mix::default(), place * 10).encode().into());
        history.insert(window(*hours), Past { counts, flags: Flags::new() });
    }
    history
}

/// Which windows were summed is told by the number of records: 10 for the first of the history, 20 for the second, ...
fn check(kind: ReferenceKind, hours: &[i64], asked: i64, expected: Result<(u32, u64), &str>) {
    let found = reference(&config(kind), None, &history(hours), window(asked), &[hour()]);
    let found = found.map(|reference| (reference.windows, reference.counts.records()));
    let expected = expected.map_err(str::to_owned);
    assert_eq!(found.map_err(|missing| missing.to_string()), expected, "{kind} of {asked} in {hours:?}");
}

#[test]
fn only_earlier_windows_are_summed() {
    let week = 7 * 24;
    check(ReferenceKind::Previous, &[1, 2, 3, 4], 3, Ok((1, 20)));
    check(ReferenceKind::Rolling, &[1, 2, 3, 4], 4, Ok((3, 60)));
    check(ReferenceKind::Rolling, &[0, 1, 2, 3, 4, 5], 5, Ok((4, 20 + 30 + 40 + 50)));
    // A gap is not filled with older windows.
    check(ReferenceKind::Rolling, &[0, 1, 4, 5], 6, Ok((2, 70)));
    check(ReferenceKind::Seasonal, &[0, week, 2 * week, 3 * week, 3 * week - 1], 3 * week, Ok((2, 50)));
}

#[test]
fn what_is_missing_is_counted() {
    let missing = |kind: &str, found: u32, least: u32| {
        format!("the {kind} reference has {found} of the {least} windows that it needs, {} more to come", least - found)
    };
    check(ReferenceKind::Previous, &[1, 3], 3, Err(&missing("previous", 0, 1)));
    check(ReferenceKind::Rolling, &[2, 9], 3, Err(&missing("rolling", 1, 2)));
    check(ReferenceKind::Seasonal, &[1, 2, 3], 4, Err(&missing("seasonal", 0, 2)));
    let fixed = reference(&config(ReferenceKind::Fixed), None, &history(&[1]), window(2), &[hour()]);
    assert!(matches!(fixed, Err(Missing::Profile)));
    let mut damaged = history(&[1]);
    damaged.insert(window(2), Past { counts: Some(Arc::from([9_u8].as_slice())), flags: Flags::new() });
    let found = reference(&config(ReferenceKind::Previous), None, &damaged, window(3), &[hour()]);
    assert!(matches!(found, Err(Missing::Unreadable { .. })));
}

#[test]
fn a_minute_is_compared_with_the_hours_of_other_weeks() {
    let minute = Granularity::from_millis(60_000).expect("a minute");
    let inside = minute.window(window(14 * 24 + 5).start_ms + 1_800_000);
    let history = history(&[5, 7 * 24 + 5, 7 * 24 + 6]);
    let found = reference(&config(ReferenceKind::Seasonal), None, &history, inside, &[minute, hour()]);
    assert_eq!(found.map(|reference| reference.counts.records()).map_err(|missing| missing.to_string()), Ok(30));
    let alone = reference(&config(ReferenceKind::Seasonal), None, &history, inside, &[minute]);
    assert!(matches!(alone, Err(Missing::Windows { found: 0, .. })));
}

#[test]
fn flags_are_counted_over_the_windows_before() {
    let mut history = ClosedWindows::default();
    for hours in [0, 1, 3] {
        history.insert(window(hours), Past { counts: None, flags: Flags::from(["label".to_owned()]) });
    }
    for (asked, count, expected) in [(2, 2, 2), (2, 1, 1), (3, 2, 1), (4, 3, 2), (0, 5, 0)] {
        assert_eq!(history.flagged_before(window(asked), count, "label"), expected, "{asked} {count}");
    }
    assert_eq!(history.flagged_before(window(2), 2, "score"), 0);
    history.forget(hour(), window(1).end_ms());
    assert_eq!(history.flagged_before(window(4), 4, "label"), 1);
}

#[test]
fn windows_that_differ_more_than_chance_have_a_design_effect() {
    let mut stream = Stream::new(4);
    let steady: Vec<WindowCounts> = (0..12).map(|_| stream.counts(&Mix::default(), 100)).collect();
    let lowest = |place: usize| 0.6 - 0.04 * (place % 5) as f64;
    let moody: Vec<WindowCounts> =
        (0..12).map(|place| stream.counts(&Mix { lowest_score: lowest(place), ..Mix::default() }, 100)).collect();
    let effects = |windows: &[WindowCounts]| design::effects(&windows.iter().collect::<Vec<_>>());
    let (steady, moody) = (effects(&steady), effects(&moody));
    // Of a ratio with 11 x 9 degrees of freedom the standard deviation is 0.14, of the halves' with 11 it is 0.43.
    assert!(steady.values().all(|effect| (1.0..2.9).contains(effect)), "{steady:?}");
    assert!(moody[&Feature::Score] > steady[&Feature::Score] + 1.0, "{moody:?}");
    assert!(effects(&[WindowCounts::default()]).is_empty());
}
