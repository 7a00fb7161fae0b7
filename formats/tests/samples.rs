//! Golden samples: what is written equals them byte for byte, what is read from them equals the event, and the JSON
//! Schema files agree. A change that breaks one of these breaks a consumer of the labelled topic.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use formats::labeled::{self, Added};
use formats::{Amendments, KeyChange, Layout, LeftOutPayload, dead_letter, encode};
use jsonschema::Validator;
use schemas::{
    DeadLetter, Header, Label, LabeledEvent, Labels, ModelId, Origin, RawEvent, Reason, Signals, TextEvent, UserValue,
};
use serde_json::Value;

/// One written sample: its name, the event and the layout.
struct Sample {
    name: &'static str,
    event: LabeledEvent,
    layout: Layout,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}

/// The samples of a folder by name, without the line end of their last line.
fn read(name: &str) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder(name)).expect("the folder exists").map(|entry| entry.expect("readable").path());
    let sample = |path: PathBuf| {
        let bytes = fs::read(&path).expect("readable");
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        (name, bytes.trim_ascii_end().to_vec())
    };
    files.map(sample).collect()
}

fn schema(name: &str) -> Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/json").join(name);
    let schema: Value = serde_json::from_slice(&fs::read(path).expect("readable")).expect("JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("a JSON Schema of draft 2020-12");
    jsonschema::validator_for(&schema).expect("a JSON Schema")
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

fn raw(payload: &str) -> RawEvent {
    RawEvent {
        origin: Origin { topic: "messages".into(), partition: 3, offset: 1207 },
        key: Some(b"customer-17".to_vec()),
        payload: Some(payload.as_bytes().to_vec()),
        headers: vec![Header { name: "trace".to_owned(), value: Some(b"4bf92f".to_vec()) }],
        timestamp_ms: Some(1_795_395_723_456),
    }
}

/// An event of a JSON object whose member `text` is `text`.
fn object(payload: &str, text: &str) -> LabeledEvent {
    labeled(TextEvent {
        raw: raw(payload),
        text: text.to_owned(),
        id: None,
        event_time_ms: Some(1_795_395_723_456),
        value: UserValue::Json(serde_json::from_str(payload).expect("an object")),
    })
}

fn labeled(event: TextEvent) -> LabeledEvent {
    let label = |name: &str, score| Label { label: name.into(), score };
    LabeledEvent {
        signals: Signals {
            characters: u32::try_from(event.text.chars().count()).expect("a short text"),
            n_tokens: 9,
            truncated: false,
            unknown_rate: 0.0,
            entropy: Some(0.0625),
            margin: Some(0.875),
        },
        labels: Labels {
            label: Some("card_arrival".into()),
            score: Some(0.93),
            top: vec![label("card_arrival", 0.93), label("lost_or_stolen_card", 0.055), label("atm_support", 0.004)],
            value: None,
        },
        model: Arc::new(ModelId {
            name: "banking77-minilm".to_owned(),
            version: "1".to_owned(),
            digest: format!("sha256:{}", "0123456789abcdef".repeat(4)),
        }),
        event,
    }
}

const PLAIN: &str = "My card has not arrived yet";
const OBJECT: &str = r#"{"text": "My card has not arrived yet", "customer": 17, "vip": true}"#;

fn samples() -> Vec<Sample> {
    let sample = |name, layout, event| Sample { name, event, layout };
    let with_id = {
        let mut event = object(r#"{"id": "m-1", "text": "My card has not arrived yet", "at": 1795395720}"#, PLAIN);
        event.event.id = Some("m-1".to_owned());
        event.event.event_time_ms = Some(1_795_395_720_000);
        event
    };
    let plain = labeled(TextEvent {
        raw: RawEvent { timestamp_ms: None, ..raw(PLAIN) },
        text: PLAIN.to_owned(),
        id: None,
        event_time_ms: None,
        value: UserValue::Text,
    });
    let abstained = {
        let mut event = object(OBJECT, PLAIN);
        event.labels.label = None;
        event.labels.score = Some(0.31);
        event.labels.top.iter_mut().for_each(|label| label.score = 0.31);
        event
    };
    let no_label_over_its_threshold = {
        let mut event = object(OBJECT, PLAIN);
        event.labels = Labels { label: None, score: Some(0.42), top: Vec::new(), value: None };
        event
    };
    let regression = {
        let mut event = object(OBJECT, PLAIN);
        event.labels = Labels { label: None, score: None, top: Vec::new(), value: Some(-1.75) };
        (event.signals.entropy, event.signals.margin) = (None, None);
        event
    };
    let clash = r#"{"text": "My card has not arrived yet", "label": "mine", "score": [1, 2.50], "replaced": null}"#;
    let odd = r#"{"text": "My card \u0068as not arrived yet", "n": 12345678901234567890123, "x": 1.50e+05, "n": -0, "deep": [ [ ], {"a" : 1} ], "emoji": "🎉"}"#;
    vec![
        sample("merge", Layout::Merge, object(OBJECT, PLAIN)),
        sample("nest", Layout::Nest, object(OBJECT, PLAIN)),
        sample("bare", Layout::Bare, object(OBJECT, PLAIN)),
        sample("plain-text", Layout::Merge, plain),
        sample("id-and-event-time", Layout::Merge, with_id),
        sample("abstained", Layout::Merge, abstained),
        sample("sigmoid-no-label", Layout::Merge, no_label_over_its_threshold),
        sample("regression", Layout::Merge, regression),
        sample("clash-replaced", Layout::Merge, object(clash, PLAIN)),
        sample("odd-values", Layout::Merge, object(odd, PLAIN)),
    ]
}

#[test]
fn labelled_events_are_written_as_the_samples() {
    let mut golden = read("labeled");
    for Sample { name, event, layout } in samples() {
        let written = encode(&event, layout).expect("every event can be written").payload;
        let expected = golden.remove(name).unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&expected), "sample {name}");
        assert_eq!(labeled::decode(&expected).expect(name), Added::new(&event), "sample {name}");
    }
    let left: Vec<_> = golden.keys().collect();
    assert_eq!(left, ["from-a-newer-version", "from-version-0.1.0"], "every sample is written by a case");
}

#[test]
fn the_schema_accepts_every_labelled_event() {
    let schema = schema("labeled-event.schema.json");
    for (name, bytes) in read("labeled") {
        let errors: Vec<_> = schema.iter_errors(&json(&bytes)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "sample {name}: {errors:?}");
    }
}

/// This sample is never written again: topics keep such events for years.
#[test]
fn an_event_of_the_first_version_stays_readable() {
    let bytes = &read("labeled")["from-version-0.1.0"];
    let added = labeled::decode(bytes).expect("readable");
    assert_eq!(added.label.as_deref(), Some("card_arrival"));
    assert_eq!(added.source.event_time_ms, None);
    assert_eq!(added.signals.n_tokens, 9);
}

#[test]
fn members_that_a_later_version_adds_are_ignored() {
    let bytes = &read("labeled")["from-a-newer-version"];
    assert_eq!(labeled::decode(bytes).expect("readable").model.version, "7");
}

#[test]
fn what_is_no_labelled_event_is_refused_by_the_schema_and_by_decode() {
    let schema = schema("labeled-event.schema.json");
    let refused = read("refused");
    assert!(refused.len() >= 6, "samples are missing");
    for (name, bytes) in refused {
        assert!(!schema.is_valid(&json(&bytes)), "the schema accepts {name}");
        assert!(labeled::decode(&bytes).is_err(), "decode accepts {name}");
    }
}

fn dead_letter(reason: Reason) -> DeadLetter {
    DeadLetter::new(raw("{"), reason, "not JSON: EOF while parsing an object at line 1 column 1")
}

/// Headers as one JSON object, in their order.
fn headers(headers: &[Header]) -> String {
    let text = |header: &Header| {
        let value = header.value.as_deref().map(|value| std::str::from_utf8(value).expect("text headers"));
        format!("{}:{}", Value::from(header.name.as_str()), Value::from(value))
    };
    format!("{{{}}}", headers.iter().map(text).collect::<Vec<_>>().join(","))
}

#[test]
fn dead_letters_are_written_as_the_sample_and_read_back() {
    let schema = schema("dead-letter-headers.schema.json");
    let golden = read("dead-letter");
    let letter = dead_letter(Reason::BadJson);
    let written = dead_letter::headers(&letter);
    assert_eq!(headers(&written), String::from_utf8_lossy(&golden["bad_json"]));
    for reason in Reason::ALL {
        let letter = dead_letter(*reason);
        let written = dead_letter::headers(&letter);
        assert!(schema.is_valid(&json(headers(&written).as_bytes())), "{reason}");
        let found = dead_letter::read_headers(&written).expect("our own headers");
        assert_eq!((found.reason, &found.origin), (*reason, &letter.raw.origin));
        assert_eq!((found.error, found.headers), (letter.error, letter.raw.headers));
    }
}

/// Every place among headers of other tools, which add theirs behind ours; and a dead letter that was read as input.
#[test]
fn dead_letter_headers_are_found_anywhere_and_the_last_set_counts() {
    let letter = dead_letter(Reason::BadJson);
    let ours = dead_letter::headers(&letter);
    let own = letter.raw.headers.len();
    let stranger = |name: &str| Header { name: name.to_owned(), value: Some(b"00-4bf92f".to_vec()) };
    for place in own..=ours.len() {
        let mut mixed = ours.clone();
        mixed.insert(place, stranger("traceparent"));
        mixed.push(stranger("kafka_mirror"));
        let found = dead_letter::read_headers(&mixed).expect("all five are there");
        assert_eq!((found.reason, &found.origin), (letter.reason, &letter.raw.origin));
        let names: Vec<_> = found.headers.iter().map(|header| header.name.as_str()).collect();
        assert_eq!(names, ["trace", "traceparent", "kafka_mirror"], "in their order");
    }
    let mut reversed = ours.clone();
    reversed.reverse();
    assert!(dead_letter::read_headers(&reversed).is_ok(), "the order of a map means nothing");

    let again = DeadLetter::new(RawEvent { headers: ours.clone(), ..raw("x") }, Reason::NotUtf8, "again");
    let found = dead_letter::read_headers(&dead_letter::headers(&again)).expect("the last set");
    assert_eq!((found.reason, found.headers), (Reason::NotUtf8, ours.clone()), "the first set is the record's own");

    let renamed = |place: usize, value: Option<&[u8]>| {
        let mut altered = ours.clone();
        altered[own + place].value = value.map(<[u8]>::to_vec);
        dead_letter::read_headers(&altered).expect_err("altered").to_string()
    };
    assert_eq!(renamed(0, Some(b"tired")), "header labelstream-dead-letter-reason is not a reason of this version");
    assert_eq!(renamed(2, None), "header labelstream-dead-letter-topic is not the name of a topic");
    assert_eq!(renamed(3, Some(b"-1")), "header labelstream-dead-letter-partition is not the number of a partition");
    assert_eq!(renamed(4, Some(b"\xff")), "header labelstream-dead-letter-offset is not an offset");
    let missing = dead_letter::read_headers(&ours[..own + 3]).expect_err("two are missing").to_string();
    assert_eq!(missing, "header labelstream-dead-letter-partition is missing");
}

#[test]
fn altered_dead_letter_headers_are_refused_by_the_schema_and_by_reading() {
    let schema = schema("dead-letter-headers.schema.json");
    let good = dead_letter::headers(&dead_letter(Reason::BadJson));
    let own = good.len() - dead_letter::DEAD_LETTER_HEADERS.len();
    let mut bad = Vec::new();
    for place in own..good.len() {
        let mut without = good.clone();
        without.remove(place);
        bad.push(without);
    }
    for (place, value) in [(own, "tired"), (own + 3, "three"), (own + 4, "")] {
        let mut altered = good.clone();
        altered[place].value = Some(value.as_bytes().to_vec());
        bad.push(altered);
    }
    for altered in bad {
        let text = headers(&altered);
        assert!(!schema.is_valid(&json(text.as_bytes())), "the schema accepts {text}");
        assert!(dead_letter::read_headers(&altered).is_err(), "reading accepts {text}");
    }
}

/// The headers of a dead letter with these amendments.
fn amended(letter: &DeadLetter, amendments: &Amendments) -> Vec<Header> {
    let mut headers = letter.raw.headers.clone();
    headers.extend(amendments.headers());
    dead_letter::add_headers(letter, &mut headers);
    headers
}

#[test]
fn a_claim_check_is_written_as_the_sample_and_read_back() {
    let digest = "sha256:021fb596db81e6d02bf3d2586ee3981fe519f275c0ac9ca76bbcf2ebb4097d96".to_owned();
    let amendments = Amendments {
        payload: Some(LeftOutPayload { bytes: 1, digest }),
        headers_left_out: 2,
        key: Some(KeyChange::Given),
        timestamp_ms: Some(i64::MAX),
    };
    let letter = dead_letter(Reason::OutputRefused);
    let written = amended(&letter, &amendments);
    let golden = &read("dead-letter")["claim-check"];
    assert_eq!(headers(&written), String::from_utf8_lossy(golden));
    assert!(schema("dead-letter-headers.schema.json").is_valid(&json(golden)));
    let mut found = dead_letter::read_headers(&written).expect("an old reader finds what it knows");
    assert_eq!(Amendments::take(&mut found.headers), amendments);
    assert_eq!(found.headers, letter.raw.headers);

    // A letter that became a record again, and then a letter once more: each time has its own headers.
    let again = DeadLetter::new(RawEvent { headers: written.clone(), ..letter.raw }, Reason::NoText, "why");
    let mut outer = dead_letter::read_headers(&dead_letter::headers(&again)).expect("a dead letter");
    assert_eq!(Amendments::take(&mut outer.headers), Amendments::default());
    assert_eq!(outer.headers, written);
    let once = Amendments { timestamp_ms: Some(-5), ..Amendments::default() };
    let mut outer = dead_letter::read_headers(&amended(&again, &once)).expect("a dead letter");
    assert_eq!(Amendments::take(&mut outer.headers), once);
    assert_eq!(outer.headers, written);
}

#[test]
fn amendments_that_make_no_sense_stay_headers_of_the_record() {
    let schema = schema("dead-letter-headers.schema.json");
    for (name, value) in [
        (dead_letter::PAYLOAD_BYTES_HEADER, "many"),
        (dead_letter::PAYLOAD_DIGEST_HEADER, "sha256:0"),
        (dead_letter::HEADERS_LEFT_OUT_HEADER, "0"),
        (dead_letter::KEY_HEADER, "lost"),
        (dead_letter::TIMESTAMP_HEADER, "yesterday"),
    ] {
        let mut own = vec![Header { name: name.to_owned(), value: Some(value.as_bytes().to_vec()) }];
        let mut letter = dead_letter(Reason::NoText);
        letter.raw.headers.clone_from(&own);
        let written = headers(&dead_letter::headers(&letter));
        assert!(!schema.is_valid(&json(written.as_bytes())), "the schema accepts {written}");
        assert_eq!(Amendments::take(&mut own), Amendments::default());
        assert_eq!(own, letter.raw.headers);
    }
}

#[test]
fn the_schema_lists_every_reason_and_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/json/dead-letter-headers.schema.json");
    let schema = json(&fs::read(path).expect("readable"));
    let listed = &schema["properties"][dead_letter::REASON_HEADER]["enum"];
    let ours: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(*listed, Value::from(ours));
    let required = schema["required"].as_array().expect("a list");
    assert_eq!(required.iter().filter_map(Value::as_str).collect::<Vec<_>>(), dead_letter::DEAD_LETTER_HEADERS);
}

#[test]
fn a_labelled_event_tells_its_label_in_headers_too() {
    let text =
        |event: &LabeledEvent| headers(&encode(event, Layout::Merge).expect("every event can be written").headers);
    let named = |name| samples().into_iter().find(|sample| sample.name == name).expect("a sample").event;
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let rest = format!(r#""labelstream-model":"banking77-minilm@1","labelstream-model-digest":"{digest}"}}"#);
    let start = r#"{"trace":"4bf92f","labelstream-label":"#;
    for (name, label, score) in [
        ("merge", "\"card_arrival\"", "\"0.93\""),
        ("abstained", "null", "\"0.31\""),
        ("regression", "null", "\"-1.75\""),
    ] {
        assert_eq!(text(&named(name)), format!(r#"{start}{label},"labelstream-score":{score},{rest}"#), "{name}");
    }
}
