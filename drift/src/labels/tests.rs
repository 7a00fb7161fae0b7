//! Laws of the sample, the book and their join, and the rows against figures worked out by hand.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use proptest::prelude::*;
use schemas::report::{PerformanceRow, ReportKey};

use super::book::{LabelBook, TruthRecord};
use super::confusion::Confusion;
use super::join::{Join, Pair};
use super::performance::{Subject, rows};
use super::predictions::{EventPrediction, IdHash, Predictions};

/// An event: its id, its predicted label, its score in steps, its time.
type Event = (Option<u8>, Option<u8>, Option<u16>, i64);

fn most(max: usize) -> NonZeroUsize {
    NonZeroUsize::new(max).expect("a bound above 0")
}

fn name(prefix: &str, number: u8) -> Arc<str> {
    Arc::from(format!("{prefix}-{number}").as_str())
}

fn predictions<'a>(events: impl IntoIterator<Item = &'a Event>, max: usize) -> Predictions {
    let mut predictions = Predictions::default();
    for (id, label, score, time_ms) in events {
        let prediction = EventPrediction {
            time_ms: *time_ms,
            label: label.map(|label| name("class", label)),
            score: *score,
            model: name("intents", 1),
        };
        predictions.add(id.map(|id| name("id", id)).as_deref(), prediction, most(max));
    }
    predictions
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (
        prop::option::weighted(0.9, any::<u8>()),
        prop::option::weighted(0.9, 0..4_u8),
        prop::option::of(0..1025_u16),
        0..99_i64,
    );
    prop::collection::vec(event, 0..120)
}

/// Label records: id, label, time; partition and offset are given by the place in the list, as a log would.
fn labels() -> impl Strategy<Value = Vec<TruthRecord>> {
    prop::collection::vec((any::<u8>(), 0..4_u8, 0..200_i64, 0..2_i32), 0..150).prop_map(|labels| {
        let record = |(offset, (id, label, time_ms, partition)): (i64, (u8, u8, i64, i32))| TruthRecord {
            id: IdHash::of(&name("id", id)),
            label: name("class", label),
            time_ms,
            partition,
            offset,
        };
        (0..).zip(labels).map(record).collect()
    })
}

fn book<'a>(labels: impl IntoIterator<Item = &'a TruthRecord>, max: usize) -> LabelBook {
    let mut book = LabelBook::new(most(max));
    labels.into_iter().for_each(|label| book.apply(label.clone()));
    book
}

proptest! {
    #[test]
    fn any_split_and_order_gives_the_same_sample(
        events in events(), parts in prop::collection::vec(0..4_usize, 120), max in 1..60_usize, seed in any::<u64>()
    ) {
        let whole = predictions(&events, max);
        let mut split = vec![Vec::new(); 4];
        for (event, part) in events.iter().zip(&parts) {
            split[*part].push(*event);
        }
        let mut random = fastrand::Rng::with_seed(seed);
        split.iter_mut().for_each(|part| random.shuffle(part));
        random.shuffle(&mut split);
        let mut merged = Predictions::default();
        for part in &split {
            merged.merge(&predictions(part, max), most(max));
        }
        prop_assert_eq!(merged.encode(), whole.encode());
    }

    #[test]
    fn the_sample_is_the_smallest_hashes_and_says_its_share(events in events(), max in 1..60_usize) {
        let sample = predictions(&events, max);
        let mut ids: Vec<_> = events.iter().filter_map(|(id, ..)| id.map(|id| IdHash::of(&name("id", id)))).collect();
        ids.sort_unstable();
        ids.dedup();
        let held: Vec<_> = sample.sample().map(|(id, _)| id).collect();
        prop_assert_eq!(&held[..], &ids[..ids.len().min(max)]);
        prop_assert_eq!(sample.sampled_share() < 1.0, ids.len() > max);
        prop_assert_eq!(sample.events(), events.len() as u64);
        prop_assert_eq!(sample.events_without_id(), events.iter().filter(|(id, ..)| id.is_none()).count() as u64);
    }

    #[test]
    fn the_order_of_labels_and_reading_twice_change_nothing(
        labels in labels(), events in events(), max in 1..200_usize, seed in any::<u64>()
    ) {
        let mut shuffled: Vec<_> = labels.iter().chain(&labels).cloned().collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let predictions = predictions(&events, 40);
        let join = |labels: &[TruthRecord]| Join::of(&predictions, &book(labels, max), 150);
        prop_assert_eq!(join(&labels), join(&shuffled));
    }

    #[test]
    fn the_join_is_the_obvious_one(labels in labels(), events in events(), deadline_ms in 0..200_i64) {
        // Slow and obvious: per id and partition the last record, per id the latest of these, in time.
        let mut newest: BTreeMap<(IdHash, i32), &TruthRecord> = BTreeMap::new();
        labels.iter().for_each(|label| { newest.insert((label.id, label.partition), label); });
        let truth = |id: IdHash| {
            let own = newest.values().filter(|label| label.id == id);
            own.max_by_key(|label| (label.time_ms, label.partition)).filter(|label| label.time_ms <= deadline_ms)
        };
        let predictions = predictions(&events, 300);
        let join = Join::of(&predictions, &book(&labels, 1000), deadline_ms);
        let expected: Vec<_> = predictions.sample().filter_map(|(id, prediction)| {
            let label = truth(id)?;
            let delay_ms = label.time_ms - prediction.time_ms;
            Some(Pair { truth: Arc::clone(&label.label), predicted: prediction.label.clone(), score: prediction.score(), delay_ms })
        }).collect();
        prop_assert_eq!(&join.pairs, &expected);
        prop_assert_eq!(join.asked, predictions.len() as u64);
        prop_assert!((0.0..=1.0).contains(&join.coverage()));
    }

    #[test]
    fn rows_are_finite_and_their_intervals_hold_the_value(labels in labels(), events in events()) {
        for row in of(&Join::of(&predictions(&events, 80), &book(&labels, 100), 200)) {
            prop_assert!(row.value.is_none_or(f64::is_finite), "{row:?}");
            prop_assert!(row.ci_low.is_none_or(|low| low <= row.value.unwrap_or(f64::MAX) + 1e-12), "{row:?}");
            prop_assert!(row.ci_high.is_none_or(|high| high >= row.value.unwrap_or(f64::MIN) - 1e-12), "{row:?}");
            prop_assert!(!row.reason.is_empty());
        }
    }
}

#[test]
fn a_label_is_kept_for_an_event_that_comes_later_and_forgotten_in_time() {
    let label = TruthRecord { id: IdHash::of("a"), label: Arc::from("x"), time_ms: 50, partition: 0, offset: 1 };
    let mut book = book([&label], 10);
    book.expire(50);
    assert_eq!(book.truth(label.id, 50).map(|truth| &*truth.label), Some("x"));
    assert_eq!(book.truth(label.id, 49), None, "given too late for that window");
    assert_eq!(book.truth(IdHash::of("unknown"), 50), None);
    book.expire(51);
    assert!(book.is_empty());
}

#[test]
fn a_full_book_says_which_ids_it_cannot_know() {
    let labels: Vec<_> = (0..20)
        .map(|id| TruthRecord {
            id: IdHash::of(&name("id", id)),
            label: name("class", 0),
            time_ms: 0,
            partition: 0,
            offset: 0,
        })
        .collect();
    let full = book(&labels, 5);
    assert_eq!(full.len(), 5);
    let events: Vec<Event> = (0..20).map(|id| (Some(id), Some(0), None, 0)).collect();
    let join = Join::of(&predictions(&events, 100), &full, 0);
    assert_eq!((join.asked, join.pairs.len()), (5, 5), "ids without room count neither as labelled nor as not");
    assert_eq!(join.coverage(), 1.0);
}

#[test]
fn of_two_events_of_one_id_the_earlier_is_joined() {
    let twice = predictions(&[(Some(1), Some(2), Some(9), 20), (Some(1), Some(3), Some(9), 10)], 10);
    assert_eq!(twice.len(), 1);
    assert_eq!(twice.events(), 2);
    assert_eq!(twice.sample().next().map(|(_, prediction)| prediction.time_ms), Some(10));
}

fn of(join: &Join) -> Vec<PerformanceRow> {
    let key = ReportKey { window_start_ms: 0, window_end_ms: 3_600_000, revision: 1, is_final: false };
    rows(join, &Subject { key: &key, model_version: "1.0" })
}

/// So many events of the true class, labelled so (`-`: abstained), of this score, after this many seconds.
fn joined(groups: &[(usize, &str, &str, f64, i64)]) -> Join {
    let mut join = Join::default();
    for (count, truth, predicted, score, seconds) in groups {
        let predicted = (*predicted != "-").then(|| Arc::from(*predicted));
        let pair = Pair { truth: Arc::from(*truth), predicted, score: Some(*score), delay_ms: seconds * 1000 };
        join.pairs.extend(std::iter::repeat_n(pair, *count));
    }
    join.asked = join.pairs.len() as u64;
    join.events = join.asked;
    join
}

fn row<'a>(rows: &'a [PerformanceRow], metric: &str, label: Option<&str>) -> &'a PerformanceRow {
    let wanted = |row: &&PerformanceRow| row.metric == metric && row.label.as_deref() == label;
    rows.iter().find(wanted).unwrap_or_else(|| panic!("no row {metric} {label:?}"))
}

fn check(row: &PerformanceRow, value: f64, interval: Option<(f64, f64)>) {
    let near = |found: Option<f64>, expected: f64| found.is_some_and(|found| (found - expected).abs() < 5e-7);
    assert!(near(row.value, value), "{row:?}");
    if let Some((low, high)) = interval {
        assert!(near(row.ci_low, low) && near(row.ci_high, high), "{row:?}");
    }
}

/// 10 cats (8 hit, 1 as dog, 1 abstained), 10 dogs (6 hit, 4 as cat).
#[test]
fn a_worked_example() {
    let join = joined(&[
        (8, "cat", "cat", 0.9, 60),
        (1, "cat", "dog", 0.6, 120),
        (1, "cat", "-", 0.3, 120),
        (6, "dog", "dog", 0.8, 60),
        (4, "dog", "cat", 0.7, 7200),
    ]);
    let rows = of(&join);
    // scipy.stats.binomtest(14, 19).proportion_ci(method="wilson")
    check(row(&rows, "accuracy", None), 14.0 / 19.0, Some((0.512_084_49, 0.881_935_88)));
    check(row(&rows, "recall", Some("cat")), 0.8, None);
    check(row(&rows, "precision", Some("cat")), 8.0 / 12.0, None);
    check(row(&rows, "precision", Some("dog")), 6.0 / 7.0, None);
    // F1: cat 16/22, dog 12/17.
    check(row(&rows, "macro_f1", None), (16.0 / 22.0 + 12.0 / 17.0) / 2.0, None);
    check(row(&rows, "confidence", None), (8.0 * 0.9 + 0.6 + 6.0 * 0.8 + 4.0 * 0.7) / 19.0, None);
    let expected = (14.0 - (8.0 * 0.9 + 0.6 + 6.0 * 0.8 + 4.0 * 0.7)) / 19.0;
    check(row(&rows, "accuracy_minus_confidence", None), expected, None);
    // Bins: 0.9 has 8 right of 7.2; 0.8 (bin 12) 6 of 4.8; 0.7 (bin 10) 0 of 2.8; 0.6 (bin 9) 0 of 0.6.
    check(row(&rows, "calibration_error", None), (0.8 + 1.2 + 2.8 + 0.6) / 19.0, None);
    check(row(&rows, "label_delay_p50_seconds", None), 60.0, None);
    check(row(&rows, "label_delay_p99_seconds", None), 7200.0, None);
    check(row(&rows, "label_coverage", None), 1.0, None);
    assert!(row(&rows, "accuracy", None).reason.contains("14 of 19"));
}

/// The delta method against a bootstrap of the same sample: two ways to one number.
#[test]
fn the_standard_error_of_macro_f1_is_that_of_a_bootstrap() {
    let join = joined(&[
        (300, "a", "a", 0.9, 1),
        (60, "a", "b", 0.5, 1),
        (200, "b", "b", 0.9, 1),
        (30, "b", "c", 0.5, 1),
        (40, "c", "c", 0.9, 1),
        (25, "c", "a", 0.5, 1),
        (15, "c", "-", 0.5, 1),
    ]);
    let f1 = Confusion::of(&join.pairs).macro_f1().expect("events");
    let mut random = fastrand::Rng::with_seed(5);
    let values: Vec<f64> = (0..600)
        .map(|_| {
            let drawn: Vec<Pair> =
                (0..join.pairs.len()).map(|_| join.pairs[random.usize(..join.pairs.len())].clone()).collect();
            Confusion::of(&drawn).macro_f1().expect("events").value
        })
        .collect();
    let mean = values.iter().sum::<f64>() / 600.0;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 599.0).sqrt();
    assert!((f1.standard_error / deviation - 1.0).abs() < 0.1, "{f1:?} against {deviation}");
}

#[test]
fn a_sample_says_how_much_of_the_window_it_holds() {
    let events: Vec<Event> = (0..200).map(|id| (Some(id), Some(0), None, 0)).collect();
    let label = |id| TruthRecord {
        id: IdHash::of(&name("id", id)),
        label: name("class", 0),
        time_ms: 0,
        partition: 0,
        offset: 0,
    };
    let labels: Vec<_> = (0..200).map(label).collect();
    let rows = of(&Join::of(&predictions(&events, 50), &book(&labels, 300), 100));
    let coverage = row(&rows, "label_coverage", None);
    check(coverage, 1.0, None);
    assert!(
        coverage.reason.starts_with("50 of 50 sampled events have a true label; the sample holds 2"),
        "{coverage:?}"
    );
}

#[test]
fn without_a_label_one_row_says_why() {
    let events: Vec<Event> = vec![(None, Some(1), Some(5), 0); 3];
    let rows = of(&Join::of(&predictions(&events, 10), &book([], 10), 100));
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].value, rows[0].ci_low, rows[0].n), (None, None, 0));
    assert!(rows[0].reason.contains("none of 3 events carries an id"), "{}", rows[0].reason);
    let rows = of(&Join::of(&predictions(&[(Some(1), None, None, 0)], 10), &book([], 10), 100));
    assert!(rows[0].reason.contains("none of 1 sampled events has a true label yet"), "{}", rows[0].reason);
}

#[test]
fn labels_of_the_hard_events_only_are_called_doubtful() {
    let events: Vec<Event> =
        (0..200).map(|id| (Some(id), Some(0), Some(if id < 60 { 500 } else { 1000 }), 0)).collect();
    let label = |id: u8| TruthRecord {
        id: IdHash::of(&name("id", id)),
        label: name("class", 0),
        time_ms: 9,
        partition: 0,
        offset: 0,
    };
    let reliability = |ids: Vec<u8>| {
        let labels: Vec<_> = ids.into_iter().map(label).collect();
        let rows = of(&Join::of(&predictions(&events, 300), &book(&labels, 300), 100));
        row(&rows, "accuracy", None).reliability.clone().expect("both sides have scores")
    };
    assert!(reliability((0..50).collect()).starts_with("doubtful: labelled events have a mean score of 0.488"));
    assert_eq!(reliability((0..200).step_by(3).collect()), "reliable");
}
