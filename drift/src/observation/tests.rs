//! Records of every kind, good and bad: what is counted, and under which name the rest is refused.

use formats::dead_letter;
use formats::time::TimeUnit;
use schemas::{DeadLetter, Header, Origin, RawEvent, Reason};
use serde_json::{Value, json};

use super::*;
use crate::feature::Feature;

const NOW: i64 = 1_795_395_723_456;

fn record(payload: impl Into<Vec<u8>>) -> RawEvent {
    RawEvent {
        origin: Origin { topic: "labels".into(), partition: 0, offset: 7 },
        key: None,
        payload: Some(payload.into()),
        headers: Vec::new(),
        timestamp_ms: Some(NOW),
    }
}

fn observer(change: impl FnOnce(&mut ObserverSettings)) -> Observer {
    let mut settings = ObserverSettings::default();
    change(&mut settings);
    Observer::new(settings.try_into().expect("good settings"))
}

/// The least that any producer must write.
fn least() -> Value {
    json!({"label": "card_arrival", "score": 0.93, "model": {"name": "m", "version": "1"}})
}

/// The least with one member changed; a path such as `signals.entropy` makes the objects on its way.
fn with(path: &str, value: Value) -> Value {
    let mut event = least();
    let place = path.split('.').fold(&mut event, |object, name| &mut object[name]);
    *place = value;
    event
}

fn without(name: &str) -> Value {
    let mut event = least();
    event.as_object_mut().expect("an object").remove(name);
    event
}

fn refusal(payload: impl Into<Vec<u8>>) -> Option<Refusal> {
    observer(|_| ()).observe(&record(payload), NOW).err()
}

fn check(event: &Value, name: Option<&str>) {
    let refusal = refusal(event.to_string());
    assert_eq!(refusal.as_ref().map(Refusal::name), name, "{event}: {refusal:?}");
    assert!(name.is_none_or(|name| Refusal::NAMES.contains(&name)));
}

#[test]
fn the_least_is_enough() {
    let observation = observer(|_| ()).observe(&record(least().to_string()), NOW).expect("a labelled event");
    assert_eq!((observation.label(), observation.score()), (Some("card_arrival"), Some(0.93)));
    assert_eq!((observation.model(), observation.event_time_ms()), ("m@1", NOW));
    assert_eq!((observation.id(), observation.clamped(), observation.dead_letter()), (None, false, None));
    let mut counts = crate::counts::WindowCounts::default();
    counts.observe(&observation);
    assert_eq!(counts.all().features(), [Feature::Score, Feature::Label, Feature::DeadLetters, Feature::Model]);
}

#[test]
fn bad_events_are_refused_under_their_name() {
    for member in ["label", "score", "model"] {
        check(&without(member), Some("missing_field"));
    }
    for (path, value) in [
        ("label", json!(3)),
        ("score", json!("0.93")),
        ("score", json!([0.5])),
        ("model", json!("m@1")),
        ("model.version", json!(1)),
        ("labels", json!({"card_arrival": 0.9})),
        ("labels", json!(["card_arrival"])),
        ("labels", json!([{"label": 1, "score": 0.5}])),
        ("signals", json!([])),
        ("signals.characters", json!(2.5)),
        ("signals.n_tokens", json!("9")),
        ("signals.truncated", json!(0)),
        ("source", json!("messages")),
        ("source.id", json!(17)),
        ("source.event_time_ms", json!("2026-01-01T00:00:00Z")),
        ("text", json!(17)),
    ] {
        check(&with(path, value), Some("wrong_type"));
    }
    for (path, value) in [
        ("score", json!(1.7)),
        ("score", json!(-0.1)),
        ("labels", json!([{"label": "a", "score": 1.01}])),
        ("signals.entropy", json!(1.01)),
        ("signals.margin", json!(-0.5)),
        ("signals.unknown_rate", json!(2)),
        ("signals.characters", json!(-1)),
        ("signals.n_tokens", json!(1e30)),
        ("value", json!(1e39)),
    ] {
        check(&with(path, value), Some("out_of_range"));
    }
    // beyond all years; and in January 1970, which in seconds is today
    for time in [json!(-1e17), json!(1_795_395_723_456_789_i64), json!(1_795_395_723)] {
        check(&with("source.event_time_ms", time), Some("bad_event_time"));
    }
    check(&with("labels", json!([{"label": "a"}])), Some("missing_field"));
    check(&with("model", json!({"name": "m"})), Some("missing_field"));
    check(&with("source.event_time_ms", json!(32_503_680_000_000_i64)), Some("clock_ahead"));
}

#[test]
fn times_of_another_century_are_refused_only_where_another_unit_fits() {
    let seconds = refusal(with("source.event_time_ms", json!(1_795_395_723)).to_string()).expect("January 1970");
    assert_eq!(
        seconds.to_string(),
        "the event time is not plausible, about 1970; in seconds it would be between 2000 and 2100: check \
         observe.event_time_unit (--time-unit)"
    );
    let stamped = RawEvent { timestamp_ms: Some(1_795_395_723), ..record(least().to_string()) };
    assert_eq!(observer(|_| ()).observe(&stamped, NOW).expect_err("a timestamp in seconds").name(), "bad_event_time");
    let in_seconds = observer(|settings| settings.event_time_unit = TimeUnit::Seconds);
    let observe = |time: Value| in_seconds.observe(&record(with("source.event_time_ms", time).to_string()), NOW);
    assert_eq!(observe(json!(1_795_395_700.5)).expect("seconds").event_time_ms(), 1_795_395_700_500);
    assert_eq!(observe(json!(NOW)).expect_err("milliseconds").name(), "bad_event_time");
    // Reuters of 1987: no unit puts it into this century, so it is what it says.
    let old =
        observer(|_| ()).observe(&record(with("source.event_time_ms", json!(540_000_000_000_i64)).to_string()), NOW);
    let old = old.expect("an old event");
    let mut odd = Odd::default();
    odd.add(&Ok(old));
    assert_eq!(odd.unusual_times, 1);
}

#[test]
fn shares_that_rounding_pushed_over_their_bound_are_counted() {
    let mut odd = Odd::default();
    for (path, value) in [("score", json!(1.000_000_1)), ("score", json!(-1e-8)), ("score", json!(1))] {
        let observed = observer(|_| ()).observe(&record(with(path, value).to_string()), NOW);
        assert!(observed.as_ref().is_ok_and(|one| one.score().is_some_and(|score| (0.0..=1.0).contains(&score))));
        odd.add(&observed);
    }
    let gone = observer(|_| ()).observe(&RawEvent { payload: None, ..record("") }, NOW);
    odd.add(&gone);
    assert_eq!(odd, Odd { tombstones: 1, clamped_shares: 2, unusual_times: 0 });
}

#[test]
fn what_is_no_object_is_refused() {
    for payload in ["", " ", "{", "[]", "null", "17", "\"text\"", "{\"score\": NaN}", "{\"label\": \"a\",}", "{} {}"] {
        assert_eq!(refusal(payload).as_ref().map(Refusal::name), Some("bad_json"), "{payload:?}");
    }
    assert_eq!(refusal(b"\xff{}".to_vec()).as_ref().map(Refusal::name), Some("bad_json"));
    let deep = format!("{{\"deep\": {}{}, \"label\": 3}}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(refusal(deep).as_ref().map(Refusal::name), Some("missing_field"));
    let tombstone = RawEvent { payload: None, ..record("") };
    assert_eq!(observer(|_| ()).observe(&tombstone, NOW), Err(Refusal::Tombstone));
    let framed = RawEvent { payload: Some(b"\0\0\x01\x86\xa1{}".to_vec()), ..record(String::new()) };
    let framed = observer(|_| ()).observe(&framed, NOW).expect_err("framed");
    assert!(framed.to_string().contains("schema id 100001"), "{framed}");
    assert_eq!(framed.name(), "schema_framed");
    let timeless = RawEvent { timestamp_ms: None, ..record(least().to_string()) };
    assert_eq!(observer(|_| ()).observe(&timeless, NOW), Err(Refusal::NoEventTime));
    assert!(!refusal("\"my secret\"").expect("refused").to_string().contains("secret"), "texts do not go to logs");
}

#[test]
fn what_the_schema_leaves_free_is_accepted() {
    for (path, value) in [
        ("label", json!(null)),
        ("score", json!(null)),
        ("score", json!(1)),
        ("score", json!(-0.0)),
        ("labels", json!([])),
        ("signals", json!({})),
        ("signals.entropy", json!(null)),
        ("signals.characters", json!(27.0)),
        ("signals.n_tokens", json!(0)),
        ("source.event_time_ms", json!(1.795e12)),
        ("source.id", json!(null)),
        ("text", json!(null)),
        ("text", json!("")),
        ("unheard_of", json!({"deep": [1, 2]})),
    ] {
        check(&with(path, value), None);
    }
    // of repeated members the last counts
    let twice = r#"{"score": "x", "label": "a", "score": 0.5, "model": {"name": "m", "version": "1"}}"#;
    assert_eq!(refusal(twice), None);
}

#[test]
fn every_layout_of_ours_is_read() {
    let nested = json!({"text": "My card", "label": 3, "labelstream": least()});
    let observation = observer(|_| ()).observe(&record(nested.to_string()), NOW).expect("nested");
    assert_eq!(observation.label(), Some("card_arrival"));
    assert_eq!(observation.text.map(|text| text.script), Some(Some("Latn")));
    check(&json!({"text": "x", "labelstream": "card_arrival"}), Some("wrong_type"));
}

#[test]
fn texts_give_words_once_and_characters_where_none_are_told() {
    let event = with("text", json!("Card \"card\" CARD 12 345 x\u{301} https://a.b me@c.de"));
    let observation = observer(|_| ()).observe(&record(event.to_string()), NOW).expect("a text");
    let mut words: Vec<_> = observation.words().map(|(_, word)| word).collect();
    words.sort_unstable();
    assert_eq!(words, ["0", "a.b", "c.de", "card", "https", "me", "x\u{301}"]);
    let facts = observation.text.expect("a text");
    assert!(facts.url && facts.email && facts.number);
    assert_eq!(observation.characters, Some(46.0));
    let bare = observer(|settings| settings.text_pointer = None).observe(&record(event.to_string()), NOW);
    assert_eq!(bare.expect("without text").text, None);
}

#[test]
fn slices_come_from_headers_fields_and_the_model() {
    let observer = observer(|settings| {
        settings.slices = ["field:/user/tier", "header:source", "model", "field:/vip"].map(str::to_owned).into();
    });
    let header = |value: &str| Header { name: "source".to_owned(), value: Some(value.as_bytes().to_vec()) };
    let slices = |event: Value, headers| {
        let observation = observer.observe(&RawEvent { headers, ..record(event.to_string()) }, NOW).expect("good");
        let slices: Vec<_> = observation.slices().map(|(key, value)| format!("{key}={value}")).collect();
        slices.join(" ")
    };
    let mut event = with("user", json!({"tier": "gold"}));
    event["vip"] = json!(true);
    let expected = "field:/user/tier=gold header:source=app model=m@1 field:/vip=true";
    assert_eq!(slices(event, vec![header("web"), header("app")]), expected);
    let long = with("user", json!({"tier": "x".repeat(1000)}));
    let expected = format!("field:/user/tier={} model=m@1", "x".repeat(crate::slice::VALUE_BYTES_MAX));
    assert_eq!(slices(long, Vec::new()), expected);
    assert_eq!(slices(with("user", json!({"tier": ["gold"]})), Vec::new()), "model=m@1");
}

#[test]
fn dead_letters_are_told_by_topic_and_headers() {
    let observer = observer(|settings| {
        settings.dead_letter_topics = vec!["messages-dead".to_owned()];
        settings.slices = vec!["header:source".to_owned(), "model".to_owned()];
    });
    let source = Header { name: "source".to_owned(), value: Some(b"web".to_vec()) };
    let letter = DeadLetter::new(RawEvent { headers: vec![source], ..record("{") }, Reason::BadJson, "why");
    let headers = dead_letter::headers(&letter);
    let on = |topic: &str, headers| RawEvent {
        origin: Origin { topic: topic.into(), ..letter.raw.origin.clone() },
        headers,
        ..record("{")
    };
    let observation = observer.observe(&on("messages-dead", headers.clone()), NOW).expect("a dead letter");
    assert_eq!((observation.dead_letter(), observation.event_time_ms()), (Some(Reason::BadJson), NOW));
    let slices: Vec<_> = observation.slices().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(slices, ["header:source=web"]);
    let stranger = observer.observe(&on("messages-dead", Vec::new()), NOW);
    assert_eq!(stranger.as_ref().err().map(Refusal::name), Some("not_a_dead_letter"));
    let elsewhere = observer.observe(&on("labels", headers), NOW);
    assert_eq!(elsewhere.as_ref().err().map(Refusal::name), Some("bad_json"));
}

#[test]
fn embeddings_are_checked_and_other_sizes_are_missing() {
    let observer = observer(|settings| {
        let pointer = "/embedding".to_owned();
        let sizes = EmbeddingSettings { pointer, dimensions: 2, frequencies: 4, bandwidth: 1.0, seed: 1 };
        settings.embedding = Some(sizes);
    });
    let observe = |embedding| observer.observe(&record(with("embedding", embedding).to_string()), NOW);
    let features = |embedding| observe(embedding).expect("good").embedding.map(|features| features.values.len());
    assert_eq!(features(json!([0.5, -1])), Some(8));
    assert_eq!(features(json!([0.5])), None);
    assert_eq!(features(json!(null)), None);
    for (bad, name) in
        [(json!("x"), "wrong_type"), (json!([0.5, "x"]), "wrong_type"), (json!([1e300, 0]), "out_of_range")]
    {
        assert_eq!(observe(bad.clone()).err().as_ref().map(Refusal::name), Some(name), "{bad}");
    }
}

#[test]
fn long_names_are_cut() {
    let event = with("label", json!("é".repeat(1000)));
    let observation = observer(|_| ()).observe(&record(event.to_string()), NOW).expect("a label");
    assert_eq!(observation.label().map(str::len), Some(256));
}
