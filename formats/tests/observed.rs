//! What the drift worker reads: the JSON Schema and the reader agree on every sample and on events that are drawn, and
//! every labelled event of ours is one of them.

use formats::labeled;
use std::fs;
use std::path::{Path, PathBuf};

use formats::observed::{self, ObservedEvent, ObservedSignals};
use formats::time::TimeUnit;
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The samples of a folder: name and text.
fn samples(name: &str) -> Vec<(String, String)> {
    let files = fs::read_dir(folder("samples").join(name)).expect("the folder exists");
    let paths = files.map(|entry| entry.expect("readable").path());
    paths.map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("UTF-8"))).collect()
}

fn schema() -> Validator {
    let text = fs::read(folder("../schemas/json/observed-event.schema.json")).expect("readable");
    let schema: Value = serde_json::from_slice(&text).expect("JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("a JSON Schema of draft 2020-12");
    jsonschema::validator_for(&schema).expect("a JSON Schema")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn read(text: &str) -> Result<ObservedEvent<'_>, observed::NotALabeledEvent> {
    observed::read(text, &[], TimeUnit::Milliseconds).map(|read| read.event)
}

#[test]
fn every_labelled_event_of_ours_is_read_with_all_that_it_says() {
    let schema = schema();
    let samples = samples("labeled");
    assert!(samples.len() >= 12, "samples are missing");
    for (name, text) in samples {
        assert!(schema.is_valid(&json(&text)), "the schema refuses {name}");
        let event = read(&text).expect(&name);
        let added = labeled::decode(text.as_bytes()).expect(&name);
        assert_eq!(event.label.as_deref(), added.label.as_deref(), "{name}");
        // Both are read from the same digits, one as f64 and one as f32.
        let close = |one: Option<f64>, other: Option<f32>| match (one, other) {
            (Some(one), Some(other)) => (one - f64::from(other)).abs() < 1e-7,
            (one, other) => one.is_none() && other.is_none(),
        };
        assert!(close(event.score, added.score) && close(event.value, added.value), "{name}");
        assert!(close(event.signals.entropy, added.signals.entropy), "{name}");
        assert_eq!(event.labels.len(), added.labels.len(), "{name}");
        assert_eq!(event.signals.characters, Some(u64::from(added.signals.characters)), "{name}");
        assert_eq!(event.signals.truncated, Some(added.signals.truncated), "{name}");
        assert_eq!((&*event.model_name, &*event.model_version), (&*added.model.name, &*added.model.version), "{name}");
        assert_eq!(event.id.as_deref(), added.source.id.as_deref(), "{name}");
        assert_eq!(event.event_time_ms, added.source.event_time_ms, "{name}");
    }
}

#[test]
fn events_of_other_producers_are_read() {
    let schema = schema();
    let samples = samples("observed");
    assert!(samples.len() >= 6, "samples are missing");
    for (name, text) in samples {
        let errors: Vec<_> = schema.iter_errors(&json(&text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
        read(&text).expect(&name);
    }
}

#[test]
fn a_full_sample_of_another_producer_reads_as_it_says() {
    let text = fs::read_to_string(folder("samples/observed/another-library.json")).expect("readable");
    let observed::Read { event, wanted } =
        observed::read(&text, &["language", "text", "language", "none"], TimeUnit::Milliseconds).expect("good");
    assert_eq!(event.labels, [("card_arrival".into(), 0.93), ("lost_or_stolen_card".into(), 0.07)]);
    let signals = ObservedSignals { entropy: Some(0.21), margin: Some(0.86), ..ObservedSignals::default() };
    assert_eq!(event.signals, signals);
    assert_eq!((event.id.as_deref(), event.event_time_ms), (Some("m-1"), Some(1_795_395_723_456)));
    let wanted: Vec<_> = wanted.iter().map(|raw| raw.map(serde_json::value::RawValue::get)).collect();
    assert_eq!(wanted, [Some("\"en\""), Some("\"My card has not arrived yet\""), Some("\"en\""), None]);
}

#[test]
fn what_cannot_be_counted_is_refused_by_the_schema_and_by_reading() {
    let schema = schema();
    let samples = samples("unobserved");
    assert!(samples.len() >= 20, "samples are missing");
    for (name, text) in samples {
        assert!(!schema.is_valid(&json(&text)), "the schema accepts {name}");
        assert!(read(&text).is_err(), "reading accepts {name}");
    }
}

#[test]
fn faults_name_the_member() {
    for (event, expected) in [
        (json!({"score": 0.5}), "the member model is missing"),
        (
            json!({"label": "a", "score": 1.7, "model": {"name": "m", "version": "1"}}),
            "the member score is outside 0 to 1",
        ),
        (json!({"label": "a", "score": 1, "model": {"name": "m"}}), "the member model.version is missing"),
        (json!({"labelstream": 3}), "the member labelstream is not an object"),
        (json!(["secret"]), "the payload is not a JSON object: another value"),
    ] {
        assert_eq!(read(&event.to_string()).expect_err("refused").to_string(), expected);
    }
}

#[test]
fn a_share_that_rounding_pushed_over_its_bound_is_clamped_and_counted() {
    let event = |score: &str, listed: &str| {
        format!(
            r#"{{"label":"a","score":{score},"labels":[{{"label":"a","score":{listed}}}],"model":{{"name":"m","version":"1"}},"signals":{{"entropy":-1e-8}}}}"#
        )
    };
    for (score, listed, expected) in [
        ("1.0000001", "0.5", (Some(1.0), 0.5, 2)),
        ("1.0009765625", "1", (Some(1.0), 1.0, 2)), // half precision
        ("-1e-8", "1.0000001192092896", (Some(0.0), 1.0, 3)),
        ("0.5", "0.5", (Some(0.5), 0.5, 1)),
        ("null", "0.5", (None, 0.5, 1)),
    ] {
        let text = event(score, listed);
        let read = read(&text).expect(&text);
        assert_eq!((read.score, read.labels[0].1, read.clamped), expected, "{text}");
        assert_eq!(read.signals.entropy, Some(0.0));
    }
    for wrong in ["1.7", "1.01", "-0.01", "97.5"] {
        let text = event(wrong, "0.5");
        assert_eq!(read(&text).expect_err(&text).to_string(), "the member score is outside 0 to 1");
    }
}

#[test]
fn an_event_time_is_read_in_the_unit_that_was_set() {
    let event = |time: &str| {
        format!(
            r#"{{"label":"a","score":0.5,"model":{{"name":"m","version":"1"}},"source":{{"event_time_ms":{time}}}}}"#
        )
    };
    for (time, unit, expected) in [
        ("1795395723456", TimeUnit::Milliseconds, Ok(1_795_395_723_456)),
        ("1795395723.456", TimeUnit::Seconds, Ok(1_795_395_723_456)),
        ("1795395723456789", TimeUnit::Microseconds, Ok(1_795_395_723_456)),
        ("1795395723456789012", TimeUnit::Nanoseconds, Ok(1_795_395_723_456)),
        (
            "1795395723456789",
            TimeUnit::Milliseconds,
            Err("the member source.event_time_ms: expected a time in the years 1 to 9999, found a number outside; in \
                 microseconds it would be between 2000 and 2100"),
        ),
        (
            "1795395723.456",
            TimeUnit::Milliseconds,
            Err(
                "the member source.event_time_ms: expected whole milliseconds since 1970, found a fraction; in seconds it would be between 2000 and 2100",
            ),
        ),
        ("\"2026\"", TimeUnit::Seconds, Err("the member source.event_time_ms is not a number")),
    ] {
        let text = event(time);
        let found = observed::read(&text, &[], unit).map(|read| read.event.event_time_ms);
        match expected {
            Ok(ms) => assert_eq!(found.expect(&text), Some(ms)),
            Err(error) => assert_eq!(found.expect_err(&text).to_string(), error),
        }
    }
}

/// Any of the values that JSON can hold, near the bounds and far from them.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (0.0..=1.0_f64).prop_map(Value::from),
        4 => prop_oneof![Just("card"), Just(""), Just("\u{61}\"b")].prop_map(Value::from),
        2 => prop_oneof![Just(0_i64), Just(1), Just(-1), Just(27), Just(i64::MIN), Just(253_402_300_800_000)].prop_map(Value::from),
        2 => prop_oneof![Just(1.0_f64), Just(-0.0), Just(1.5), Just(1e30), Just(1e39), Just(1.000_000_1)].prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(json!([])),
        1 => Just(json!([{"label": "a", "score": 0.5}, {"score": 2, "label": "b"}])),
        1 => Just(json!({})),
    ]
}

/// A good event of which a few members are missing or replaced by any value.
fn event() -> impl Strategy<Value = Value> {
    let paths = [
        "label",
        "score",
        "labels",
        "value",
        "model",
        "signals",
        "source",
        "model.name",
        "model.version",
        "signals.characters",
        "signals.n_tokens",
        "signals.truncated",
        "signals.unknown_rate",
        "signals.entropy",
        "signals.margin",
        "source.id",
        "source.event_time_ms",
        "embedding",
        "labelstream",
    ];
    let change = (prop::sample::select(paths.to_vec()), prop::option::of(value()));
    prop::collection::vec(change, 0..4).prop_map(|changes| {
        let mut event = json!({
            "label": "a", "score": 0.5, "labels": [{"label": "a", "score": 0.5}],
            "model": {"name": "m", "version": "1"},
            "signals": {"characters": 27, "truncated": false, "entropy": 0.5},
            "source": {"id": "m-1", "event_time_ms": 1_795_395_723_456_i64},
        });
        for (path, value) in changes {
            let (object, name) = match path.split_once('.') {
                Some((first, name)) => (event.get_mut(first).and_then(Value::as_object_mut), name),
                None => (event.as_object_mut(), path),
            };
            let Some(object) = object else { continue };
            change_member(object, name, value);
        }
        event
    })
}

fn change_member(object: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => object.insert(name.to_owned(), value),
        None => object.remove(name),
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_schema_and_the_reader_agree(event in event(), nest in any::<bool>()) {
        thread_local!(static SCHEMA: Validator = schema());
        let event = if nest { json!({"text": "x", "labelstream": event}) } else { event };
        let valid = SCHEMA.with(|schema| schema.is_valid(&event));
        let text = event.to_string();
        let read = read(&text);
        prop_assert_eq!(read.is_ok(), valid, "{} {:?}", text, read);
    }
}
