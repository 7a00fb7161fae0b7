//! From closed windows to their last revision, with the state topic as a map.

use std::collections::BTreeMap;
use std::sync::Arc;

use formats::time::TimeUnit;
use proptest::prelude::*;
use schemas::event::Origin;
use schemas::report::PerformanceRow;

use super::*;
use crate::labels::predictions::EventPrediction;
use crate::labels::settings::LabelsSettings;
use crate::settings::WindowSettings;
use crate::state::Closed;

const HOUR_MS: i64 = 3_600_000;
const TTL_MS: i64 = 10 * HOUR_MS;

fn windows() -> WindowConfig {
    WindowConfig::try_from(WindowSettings {
        granularities: ["1m", "1h", "1d"].map(str::to_owned).to_vec(),
        out_of_order_ms: 1000,
        lateness_ms: 1000,
        idle_ms: 1000,
        retention_ms: 1000,
        checkpoint_ms: 1000,
        checkpoint_records_max: 100,
    })
    .expect("valid settings")
}

fn config() -> LabelsConfig {
    let settings = LabelsSettings {
        topic: Some("truth".to_owned()),
        id_pointer: "/id".to_owned(),
        label_pointer: "/label".to_owned(),
        time_pointer: None,
        time_unit: TimeUnit::Milliseconds,
        ttl_ms: TTL_MS,
        predictions_max: 100,
        labels_max: 1000,
        revise_every_ms: HOUR_MS,
    };
    LabelsConfig::new(settings).expect("valid settings").expect("a topic")
}

fn window(length: &str, start_ms: i64) -> Window {
    Granularity::from_short(length).expect("a length").window(start_ms)
}

/// A reviser and the topic that it lives on.
struct Stage {
    reviser: Reviser,
    topic: BTreeMap<String, Vec<u8>>,
    offset: i64,
}

impl Stage {
    fn new() -> Self {
        Self { reviser: Reviser::new(config(), &windows(), None), topic: BTreeMap::new(), offset: 0 }
    }

    /// Publishes entries, and reads them back.
    fn publish(&mut self, entries: Vec<Entry>) {
        for Entry { key, value } in entries {
            let key = key.to_string();
            let bytes = value.clone().map(Arc::from);
            self.reviser.apply(key.as_bytes(), bytes.as_ref()).expect("our own records");
            match value {
                Some(value) => self.topic.insert(key, value),
                None => self.topic.remove(&key),
            };
        }
    }

    /// Another process takes over: it knows what the topic holds, and reads the labels from their beginning.
    fn restart(&mut self) {
        self.reviser = Reviser::new(config(), &windows(), None);
        for (key, value) in &self.topic {
            self.reviser.apply(key.as_bytes(), Some(&Arc::from(value.as_slice()))).expect("our own records");
        }
    }

    /// Predictions of one hour: ids `<hour>-<number>`, all labelled `cat`.
    fn predict(&mut self, start_ms: i64, partition: i32, numbers: std::ops::Range<u32>) {
        let mut predictions = Predictions::default();
        for number in numbers {
            let (label, model) = (Some(Arc::from("cat")), Arc::from("pets@3"));
            let prediction = EventPrediction { time_ms: start_ms, label, score: Some(900), model };
            predictions.add(Some(&format!("{start_ms}-{number}")), prediction, config().predictions_max());
        }
        let source = TopicPartition { topic: "labeled".into(), partition };
        let key = Key::Predictions { window: window("1h", start_ms), source };
        self.publish(vec![Entry::new(key, &Value::Predictions(predictions))]);
    }

    fn close(&mut self, window: Window, is_final: bool) {
        let closed = Closed {
            revision: 1,
            is_final,
            records: 10,
            digest: String::new(),
            flags: Default::default(),
            counts: None,
        };
        self.publish(vec![Entry::new(Key::Closed(window), &Value::Closed(closed))]);
    }

    fn label(&mut self, id: &str, label: &str, time_ms: i64) {
        let payload = format!(r#"{{"id": "{id}", "label": "{label}"}}"#);
        assert!(self.reviser.label(self.record(payload, time_ms)));
        self.offset += 1;
    }

    fn record(&self, payload: String, time_ms: i64) -> RawEvent {
        RawEvent {
            origin: Origin { topic: "truth".into(), partition: 0, offset: self.offset },
            key: None,
            payload: Some(payload.into_bytes()),
            headers: Vec::new(),
            timestamp_ms: Some(time_ms),
        }
    }

    /// Writes what is due, and saves it.
    fn work(&mut self, now_ms: i64) -> Vec<WindowReport> {
        let mut reports = Vec::new();
        while let Some(revision) = self.reviser.due(now_ms, Some(now_ms)).expect("our own records") {
            reports.push(revision.report.clone());
            self.reviser.written(revision);
        }
        let entries = self.reviser.checkpoint();
        self.publish(entries);
        reports
    }
}

fn accuracy(report: &WindowReport) -> (i32, bool, Option<f64>, i64) {
    let row: Option<&PerformanceRow> = report.performance.iter().find(|row| row.metric == "accuracy");
    let row = row.expect("every report has it");
    (report.key.revision, report.key.is_final, row.value, row.n)
}

#[test]
fn a_window_goes_from_closed_to_its_last_revision() {
    let mut stage = Stage::new();
    let hour = window("1h", 0);
    stage.predict(0, 0, 0..4);
    stage.predict(0, 1, 4..6);
    stage.label("0-0", "cat", HOUR_MS + 5);
    stage.close(hour, false);
    assert_eq!(stage.work(2 * HOUR_MS), [], "late records may still make a revision");
    stage.close(hour, true);
    let first = stage.work(2 * HOUR_MS);
    assert_eq!(first.iter().map(accuracy).collect::<Vec<_>>(), [(2, false, Some(1.0), 1)]);
    assert_eq!((first[0].model.as_str(), first[0].performance[0].model_version.as_str()), ("pets", "pets@3"));
    assert!(first[0].drift.is_empty());

    stage.label("0-5", "dog", 2 * HOUR_MS);
    assert_eq!(stage.work(2 * HOUR_MS + 1), [], "labels.revise_every_ms has not passed");
    let second = stage.work(3 * HOUR_MS);
    assert_eq!(second.iter().map(accuracy).collect::<Vec<_>>(), [(3, false, Some(0.5), 2)]);
    stage.label("0-5", "dog", 3 * HOUR_MS);
    assert_eq!(stage.work(4 * HOUR_MS).len(), 1, "the same label, given later: the delay is another");
    assert_eq!(stage.work(8 * HOUR_MS), [], "nothing new");

    stage.label("0-1", "cat", HOUR_MS + TTL_MS + 1);
    let last = stage.work(HOUR_MS + TTL_MS);
    assert_eq!(last.iter().map(accuracy).collect::<Vec<_>>(), [(5, true, Some(0.5), 2)], "given after the deadline");
    assert_eq!(stage.work(HOUR_MS + 2 * TTL_MS), []);
}

#[test]
fn another_process_goes_on_where_the_last_one_was() {
    let mut stage = Stage::new();
    stage.predict(0, 0, 0..4);
    stage.label("0-0", "cat", HOUR_MS);
    stage.close(window("1h", 0), true);
    assert_eq!(stage.work(2 * HOUR_MS).len(), 1);
    stage.restart();
    stage.offset = 0;
    stage.label("0-0", "cat", HOUR_MS);
    assert_eq!(stage.work(9 * HOUR_MS), [], "the same labels make no revision");
    let last = stage.work(HOUR_MS + TTL_MS);
    assert_eq!(last.iter().map(accuracy).collect::<Vec<_>>(), [(3, true, Some(1.0), 1)]);
    stage.restart();
    assert_eq!(stage.work(99 * HOUR_MS), [], "final is final, after a restart, too");
}

#[test]
fn a_day_is_the_sum_of_its_hours_and_predictions_go_with_it() {
    let mut stage = Stage::new();
    let day = window("1d", 0);
    for hour in 0..24 {
        stage.predict(hour * HOUR_MS, 0, 0..2);
        stage.close(window("1h", hour * HOUR_MS), true);
        stage.label(&format!("{}-0", hour * HOUR_MS), "cat", hour * HOUR_MS + 9);
    }
    stage.close(day, true);
    let end_ms = day.end_ms() + TTL_MS;
    let reports = stage.work(end_ms);
    assert_eq!(reports.len(), 25);
    assert_eq!(accuracy(&reports[24]), (2, true, Some(1.0), 24));
    assert_eq!(reports[24].granularity, "P1D");
    stage.work(end_ms + 1);
    assert!(!stage.topic.keys().any(|key| key.starts_with("predictions/")), "{:?}", stage.topic.keys());
    // The records of what was reported go when the closed windows do.
    let closed: Vec<Key> = stage.topic.keys().filter_map(|key| key.parse().ok()).collect();
    let closed = closed.into_iter().filter(|key| matches!(key, Key::Closed(_)));
    stage.publish(closed.map(Entry::tombstone).collect());
    stage.work(end_ms + 2);
    assert!(stage.topic.is_empty(), "{:?}", stage.topic.keys());
}

#[test]
fn labels_of_old_events_are_kept_and_go_with_their_windows() {
    let mut stage = Stage::new();
    stage.predict(0, 0, 0..4);
    stage.label("0-0", "cat", HOUR_MS);
    stage.close(window("1h", 0), true);
    // The clock is a year ahead of the events, as when a history is counted.
    assert_eq!(stage.work(9000 * HOUR_MS).iter().map(accuracy).collect::<Vec<_>>(), [(2, true, Some(1.0), 1)]);
    assert_eq!(stage.reviser.labels(), 1);
    stage.close(window("1d", 0), true);
    stage.work(9000 * HOUR_MS);
    stage.predict(72 * HOUR_MS, 0, 0..4);
    stage.work(9000 * HOUR_MS);
    assert_eq!(stage.reviser.labels(), 0);
}

#[test]
fn windows_without_predictions_and_records_without_labels_are_passed_over() {
    let mut stage = Stage::new();
    stage.close(window("1h", 0), true);
    stage.close(window("1m", 0), true);
    assert_eq!(stage.work(99 * HOUR_MS), []);
    for payload in ["", "no JSON", r#"{"id": "a"}"#, r#"{"label": "cat"}"#, r#"{"id": "a", "label": 7}"#] {
        assert!(!stage.reviser.label(stage.record(payload.to_owned(), 0)), "{payload}");
    }
    assert_eq!(stage.reviser.labels(), 0);
}

proptest! {
    /// Whatever was written on the way, the last revision follows from predictions and labels alone.
    #[test]
    fn the_last_revision_does_not_depend_on_the_way(
        labels in prop::collection::vec((0..6_u32, 0..3_u8, 0..20_i64), 1..30), looks in prop::collection::vec(any::<bool>(), 30),
        restart in 0..30_usize
    ) {
        let deadline_ms = HOUR_MS + TTL_MS;
        let labels: Vec<_> = labels.into_iter().map(|(id, label, hour)| (format!("0-{id}"), ["cat", "dog", "cow"][usize::from(label)], hour * HOUR_MS)).collect();
        let mut straight = Stage::new();
        straight.predict(0, 0, 0..6);
        labels.iter().for_each(|(id, label, time_ms)| straight.label(id, label, *time_ms));
        straight.close(window("1h", 0), true);
        let expected = straight.work(deadline_ms);

        let mut winding = Stage::new();
        winding.predict(0, 1, 3..6);
        winding.close(window("1h", 0), true);
        winding.predict(0, 0, 0..3);
        let mut now_ms = 2 * HOUR_MS;
        for (place, (id, label, time_ms)) in labels.iter().enumerate() {
            winding.label(id, label, *time_ms);
            if looks[place] && now_ms < deadline_ms {
                winding.work(now_ms);
                now_ms += HOUR_MS;
            }
            if place == restart {
                winding.restart();
                winding.offset = 0;
                labels[..=place].iter().for_each(|(id, label, time_ms)| winding.label(id, label, *time_ms));
            }
        }
        let last = winding.work(deadline_ms);
        let rows = |reports: &[WindowReport]| {
            let rows = reports.last().map(|report| report.performance.clone()).unwrap_or_default();
            rows.into_iter().map(|row| (row.metric, row.label, row.value, row.ci_low, row.n)).collect::<Vec<_>>()
        };
        prop_assert_eq!(rows(&last), rows(&expected));
        prop_assert!(last.last().is_none_or(|report| report.key.is_final));
    }
}
