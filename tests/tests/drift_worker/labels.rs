//! True labels from a topic of their own: what the last revision of each window says is what the labels say.

use std::collections::BTreeMap;

use schemas::report::PerformanceRow;
use serde_json::{Value, json};
use sink::reports::{ReportStore, ReportsConfig, Selection};
use tempfile::TempDir;
use tests::broker;
use tests::names::unique;
use tests::records::{Record, create_topics, produce};

use crate::events::{PARTITIONS, START_MS, records};
use crate::stage::{Job, Running};

/// A minute of event time.
const EVENTS: usize = 3000;
const WINDOW_MS: i64 = 10_000;
/// Windows that are final for late records at the end: labels are for these.
const FINAL: usize = 5;

/// What one event says about itself.
struct Event {
    id: String,
    label: String,
    time_ms: i64,
}

fn event(record: &Record) -> Event {
    let payload = record.payload.as_deref().expect("a payload");
    let value: Value = serde_json::from_slice(payload).expect("JSON");
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).expect("a text").to_owned();
    let time_ms = value.pointer("/source/event_time_ms").and_then(Value::as_i64).expect("a time");
    Event { id: text("/source/id"), label: text("/label"), time_ms }
}

fn label(id: &str, truth: &str, time_ms: i64) -> Record {
    let payload = json!({ "id": id, "truth": truth, "time": time_ms }).to_string().into_bytes();
    Record { key: Some(id.as_bytes().to_vec()), payload: Some(payload), ..Record::default() }
}

/// Two of three events get their true label, every fifth of these another one than the model gave; first all of them are
/// told wrong and then corrected. What does not count lies between: labels of unknown ids, labels that come too late, and
/// records that are none.
fn truths(events: &[Event]) -> (Vec<Record>, BTreeMap<String, bool>) {
    // Events that are 9 s late may be too late for their window.
    let known = events.iter().enumerate().filter(|(place, _)| place % 3 != 0 && place % 389 != 388);
    let mut expected = BTreeMap::new();
    let mut corrected = Vec::new();
    let mut all = Vec::new();
    for (place, event) in known {
        let is_right = place % 5 != 0;
        let truth = if is_right { &event.label } else { "something_else" };
        expected.insert(event.id.clone(), is_right);
        all.push(label(&event.id, "told_in_haste", event.time_ms + 60_000));
        corrected.push(label(&event.id, truth, event.time_ms + 60_000));
    }
    let late = events.iter().step_by(3).map(|event| label(&event.id, &event.label, event.time_ms + 7_200_000));
    all.extend(late);
    all.extend((0..50).map(|number| label(&format!("unknown-{number}"), "refund", START_MS)));
    all.push(Record { payload: Some(b"no JSON".to_vec()), ..Record::default() });
    all.push(Record { payload: Some(br#"{"id": "7"}"#.to_vec()), ..Record::default() });
    all.extend(corrected);
    (all, expected)
}

fn row<'a>(rows: &'a [PerformanceRow], metric: &str) -> &'a PerformanceRow {
    rows.iter().find(|row| row.metric == metric).unwrap_or_else(|| panic!("no {metric} in {rows:?}"))
}

/// Windows with their labelled events, and the right ones of these.
fn by_window(events: &[Event], expected: &BTreeMap<String, bool>) -> BTreeMap<i64, (i64, i64)> {
    let mut windows: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for event in events {
        if let Some(is_right) = expected.get(&event.id) {
            let (known, right) = windows.entry(event.time_ms - event.time_ms.rem_euclid(WINDOW_MS)).or_default();
            *known += 1;
            *right += i64::from(*is_right);
        }
    }
    windows
}

#[test]
fn the_last_revision_tells_the_true_accuracy() {
    for broker in broker::all() {
        let folder = TempDir::new().expect("a temporary folder");
        let mut job = Job::new(&broker, PARTITIONS, folder.path());
        let topic = unique("truth");
        create_topics(&job.brokers, &[&topic], 2);
        job.labels = Some(topic.clone());
        let stream = records(0, EVENTS);
        let events: Vec<Event> = stream.iter().map(event).collect();
        let (labels, expected) = truths(&events);
        produce(&job.brokers, &job.topic, &stream);
        produce(&job.brokers, &topic, &labels);
        Running::start(&job.until_end()).await_end();

        let store = ReportStore::open(&ReportsConfig::of_folder(folder.path())).expect("a folder");
        let names = store.windows(&Selection::default()).expect("reports");
        let windows = by_window(&events, &expected);
        for (start_ms, (known, right)) in windows.iter().take(FINAL) {
            let of_window = names.iter().filter(|name| name.start_ms == *start_ms && name.granularity == "PT10S");
            let last = of_window.max_by_key(|name| name.revision).expect("every window is reported");
            let report = store.read(last).expect("a report of ours");
            assert!(report.drift.is_empty() && report.key.is_final, "labels make a revision of their own: {last:?}");
            let accuracy = row(&report.performance, "accuracy");
            assert_eq!(accuracy.n, *known, "{:?} {start_ms} {accuracy:?}", broker.kind);
            assert_eq!(accuracy.value, Some(*right as f64 / *known as f64));
            let delay = row(&report.performance, "label_delay_p50_seconds");
            assert_eq!((delay.value, delay.ci_low), (Some(60.0), Some(60.0)));
            let coverage = row(&report.performance, "label_coverage").value.expect("events with ids");
            assert!((0.6..0.73).contains(&coverage), "{coverage}");
        }
        assert!(windows.len() > FINAL, "{windows:?}");

        // Everything is final: another worker has nothing to add.
        let before = crate::stage::files(folder.path());
        Running::start(&job.until_end()).await_end();
        assert_eq!(crate::stage::files(folder.path()).len(), before.len());
        println!("{:?}: {FINAL} windows with true labels", broker.kind);
    }
}
