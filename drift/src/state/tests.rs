//! Keys and values there and back, and what is not one.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::value::{Tally, Totals};
use super::*;
use crate::partition::tests::{Record, observe, source, window};

fn partial() -> Partial {
    let mut partial = Partial::default();
    partial.tally.refuse(7, "bad_json");
    partial.tally.dropped = 3;
    for label in 0..4 {
        partial.counts.observe(&observe(Record::Event { at_ms: 100, label }).expect("an event"));
        partial.tally.cover(8 + i64::from(label));
    }
    partial
}

fn samples() -> Vec<(Key, Value)> {
    let hour = window("1h", 0);
    let name = PartialKey { window: hour, source: source(3), part: Part::OnTime };
    let counts: Vec<u8> = partial().counts.encode();
    let totals = Totals {
        accepted: 9,
        clamped: 1,
        refused: BTreeMap::from([("bad_json".to_owned(), 2)]),
        late: BTreeMap::from([(hour.granularity, 1)]),
        dropped: BTreeMap::new(),
    };
    let (watermark_ms, greatest_ms) = (Some(-5), Some(7));
    let unplaced = Tally::default();
    let progress = CountProgress { next_offset: 12, watermark_ms, greatest_ms, idle: true, totals, unplaced };
    let closed = Closed {
        revision: 2,
        is_final: false,
        records: 4,
        digest: "00ff".to_owned(),
        flags: BTreeSet::from(["score".to_owned()]),
        counts: Some(counts.into()),
    };
    let bare = Closed { counts: None, ..closed.clone() };
    vec![
        (Key::Partial(name), Value::Partial { covered: 12, partial: partial() }),
        (Key::Progress(source(3)), Value::Progress(progress)),
        (Key::Closed(hour), Value::Closed(closed)),
        (Key::Closed(hour), Value::Closed(bare)),
        (Key::Horizon(hour.granularity), Value::Horizon(Horizon { end_ms: 5 })),
    ]
}

#[test]
fn keys_are_readable() {
    let texts: Vec<String> = samples().iter().map(|(key, _)| key.to_string()).collect();
    let closed = "closed/PT1H/1767225600000";
    let partial = "partial/labels/3/PT1H/1767225600000/on_time";
    assert_eq!(texts, [partial, "progress/labels/3", closed, closed, "horizon/PT1H"]);
    for (key, _) in samples() {
        assert_eq!(key.to_string().parse::<Key>().expect("what was written"), key);
    }
}

#[test]
fn what_is_no_key_is_an_error_that_names_it() {
    for text in [
        "",
        "partial",
        "later/PT1H",
        "progress/labels/x",
        "progress/labels/-1",
        "progress/labels/+1",
        "progress//1",
        "closed/PT1H/1",
        "closed/PT1H/01767225600000",
        "closed/1h/1767225600000",
        "partial/labels/3/PT1H/1767225600000/early",
        "partial/labels/3/PT1H/1767225600000/late/",
    ] {
        let error = text.parse::<Key>().expect_err(text);
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
}

#[test]
fn values_come_back() {
    for (key, value) in samples() {
        assert_eq!(Value::decode(&key, &value.encode()).expect("what was written"), value);
    }
    let (key, value) = &samples()[0];
    let header = PartialHeader::peek(key, &value.encode()).expect("what was written");
    assert_eq!((header.covered, header.records), (12, 4));
    assert_eq!((header.tally.start, header.tally.end), (7, 12));
}

#[test]
fn a_newer_version_is_told_apart_from_damage() {
    for (key, value) in samples() {
        let mut bytes = value.encode();
        bytes[0] = 2;
        let error = Value::decode(&key, &bytes).expect_err("a newer format");
        assert!(matches!(error, StateError::Newer { found: 2, known: 1, .. }), "{error}");
        assert!(error.to_string().contains(&key.to_string()), "{error}");
        bytes[0] = 0;
        assert!(matches!(Value::decode(&key, &bytes), Err(StateError::Corrupt { .. })));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Damage never panics, and its error names the key.
    #[test]
    fn damage_is_an_error_that_names_the_key(which in 0..5_usize, place in any::<prop::sample::Index>(), cut in any::<bool>()) {
        let (key, value) = samples().swap_remove(which);
        let mut bytes = value.encode();
        let place = place.index(bytes.len());
        if cut {
            bytes.truncate(place);
        } else {
            bytes[place] ^= 0x55;
        }
        if let Err(error) = Value::decode(&key, &bytes) {
            prop_assert!(error.to_string().contains(&key.to_string()), "{}", error);
        } else {
            prop_assert!(!cut || matches!(key, Key::Closed(_)), "a value that is cut short is no value");
        }
    }
}
