//! What comes out of good and bad payloads, and laws that hold for any bytes.

use proptest::prelude::*;
use schemas::{Fate, Origin, UserValue};

use super::*;
use crate::layout::OnClash;
use crate::settings::DecodeSettings;
use crate::tombstones::Tombstones;

fn settings() -> DecodeSettings {
    DecodeSettings {
        format: Format::Json,
        text_pointer: "/text".to_owned(),
        id_pointer: Some("/meta/id".to_owned()),
        event_time_pointer: Some("/at".to_owned()),
        event_time_unit: TimeUnit::Milliseconds,
        payload_bytes_max: 1_000_000,
        on_clash: OnClash::DeadLetter,
        tombstones: Tombstones::DeadLetter,
        tombstones_by_topic: Vec::new(),
    }
}

fn decoder(change: impl FnOnce(&mut DecodeSettings)) -> Decoder {
    let mut settings = settings();
    change(&mut settings);
    let config = settings.try_into().expect("good settings");
    Decoder::new(config, Layout::Merge)
}

fn plain() -> Decoder {
    decoder(|settings| {
        settings.format = Format::Text;
        settings.id_pointer = None;
        settings.event_time_pointer = None;
    })
}

fn raw(payload: Option<&[u8]>) -> RawEvent {
    RawEvent {
        origin: Origin { topic: "in".into(), partition: 3, offset: 7 },
        key: Some(b"key".to_vec()),
        payload: payload.map(<[u8]>::to_vec),
        headers: Vec::new(),
        timestamp_ms: Some(42),
    }
}

#[track_caller]
fn dead_letter(aside: Aside) -> DeadLetter {
    match aside {
        Aside::DeadLetter(letter) => letter,
        Aside::Tombstone(tombstone) => panic!("no dead letter: {tombstone:?}"),
    }
}

#[track_caller]
fn check(decoder: &Decoder, payload: &[u8], expected: Result<&str, (Reason, &str)>) {
    let before = raw(Some(payload));
    match (decoder.decode(before.clone()), expected) {
        (Ok(event), Ok(text)) => {
            assert_eq!(event.text, text);
            assert_eq!(event.raw, before, "the record survives");
        }
        (Err(aside), Err((reason, error))) => {
            let letter = dead_letter(aside);
            assert_eq!((letter.reason, letter.error.as_str()), (reason, error));
            assert_eq!(letter.raw, before, "the record survives");
        }
        (found, expected) => panic!("found {found:?}, expected {expected:?}"),
    }
}

#[test]
fn the_list_of_bad_payloads() {
    let json = decoder(|_| {});
    let list: &[(&[u8], Reason, &str)] = &[
        (b"", Reason::Empty, "the payload has no visible character"),
        (b" \n\t ", Reason::Empty, "the payload has no visible character"),
        (b"\xef\xbb\xbf", Reason::Empty, "the payload has no visible character"),
        (b"\0\0\0", Reason::Empty, "the payload has no visible character"),
        (b"{\"text\": \"caf\xe9\"}", Reason::NotUtf8, "byte 13 (from 0) of the payload is not UTF-8"),
        (b"\xff\xfe{\0", Reason::NotUtf8, "byte 0 (from 0) of the payload is not UTF-8; it begins like UTF-16"),
        (b"\x1f\x8b\x08\0", Reason::NotUtf8, "byte 1 (from 0) of the payload is not UTF-8; it begins like gzip"),
        (b"{\"text\": \"hi\"", Reason::BadJson, "not JSON: EOF while parsing an object at line 1 column 13"),
        (b"{\"text\":\n 'hi'}", Reason::BadJson, "not JSON: expected value at line 2 column 2"),
        (b"{\"text\": \"hi\"} {}", Reason::BadJson, "not JSON: trailing characters at line 1 column 16"),
        (
            b"{\"text\": \"a\nb\"}",
            Reason::BadJson,
            "not JSON: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 11",
        ),
        (b"{\"text\": NaN}", Reason::BadJson, "not JSON: expected value at line 1 column 10"),
        (b"hello there", Reason::BadJson, "not JSON: expected value at line 1 column 1"),
        (b"\"a secret text\"", Reason::BadJson, "expected a JSON object, found a string"),
        (b"[1, 2]", Reason::BadJson, "expected a JSON object, found an array"),
        (b" 17", Reason::BadJson, "expected a JSON object, found a number"),
        (b"null", Reason::BadJson, "expected a JSON object, found null"),
        (b"{}", Reason::NoText, "there is no value at /text (decode.text_pointer)"),
        (b"{\"Text\": \"hi\"}", Reason::NoText, "there is no value at /text (decode.text_pointer)"),
        (b"{\"text\": null}", Reason::NoText, "the value at /text is null, not a string"),
        (b"{\"text\": 5}", Reason::NoText, "the value at /text is a number, not a string"),
        (b"{\"text\": [\"hi\"]}", Reason::NoText, "the value at /text is an array, not a string"),
        (b"{\"text\": \"\"}", Reason::Empty, "the text at /text has no visible character"),
        (b"{\"text\": \" \\u200b\\n\"}", Reason::Empty, "the text at /text has no visible character"),
        (b"{\"text\": \"\\ud800\"}", Reason::BadJson, "the string at /text has an escape that is not Unicode"),
        (
            b"{\"text\": \"hi\", \"meta\": {\"id\": {}}}",
            Reason::BadId,
            "the id at /meta/id is an object, not a string or a number",
        ),
        (
            b"{\"text\": \"hi\", \"meta\": {\"id\": true}}",
            Reason::BadId,
            "the id at /meta/id is a boolean, not a string or a number",
        ),
        (
            b"{\"text\": \"hi\", \"at\": []}",
            Reason::BadEventTime,
            "the event time at /at is an array, not a string or a number",
        ),
        (
            b"{\"text\": \"hi\", \"at\": \"soon\"}",
            Reason::BadEventTime,
            "the event time at /at: expected an RFC 3339 time with its offset, such as 2026-01-31T12:00:00Z, found another string",
        ),
        (
            b"{\"text\": \"hi\", \"at\": 1e99}",
            Reason::BadEventTime,
            "the event time at /at: expected a time in the years 1 to 9999, found a number outside: check decode.event_time_unit",
        ),
        (
            b"{\"text\": \"hi\", \"score\": 1}",
            Reason::FieldClash,
            "the object already has the member score, which a labelled event adds: sink.layout or decode.on_clash settles it",
        ),
    ];
    for (payload, reason, error) in list {
        check(&json, payload, Err((*reason, error)));
    }
    let letter = dead_letter(json.decode(raw(None)).expect_err("a tombstone"));
    assert_eq!((letter.reason, letter.error.as_str()), (Reason::Empty, "the record has no payload (a tombstone)"));
}

#[test]
fn size_is_checked_before_anything_is_read() {
    let small = decoder(|settings| settings.payload_bytes_max = 4);
    check(
        &small,
        b"\xff\xff\xff\xff\xff",
        Err((Reason::TooLarge, "the payload has 5 bytes, decode.payload_bytes_max is 4")),
    );
    check(&small, b"\xff\xff\xff\xff", Err((Reason::NotUtf8, "byte 0 (from 0) of the payload is not UTF-8")));
}

#[test]
fn plain_text_is_kept_as_it_is() {
    check(&plain(), "\u{feff} caf\u{e9} \u{1f389}\n".as_bytes(), Ok(" caf\u{e9} \u{1f389}\n"));
    check(&plain(), b"{\"text\": 1}", Ok("{\"text\": 1}"));
    check(&plain(), b"caf\xe9", Err((Reason::NotUtf8, "byte 3 (from 0) of the payload is not UTF-8")));
}

#[test]
fn nesting_costs_no_stack() {
    let deep = 300_000;
    let nested = |inner: &str| format!("{{\"a\": {}{}, {inner}}}", "[".repeat(deep), "]".repeat(deep));
    check(&decoder(|_| {}), nested("\"text\": \"hi\"").as_bytes(), Ok("hi"));
    let through = decoder(|settings| settings.text_pointer = "/a/0/0".to_owned());
    check(
        &through,
        nested("\"b\": 1").as_bytes(),
        Err((Reason::NoText, "the value at /a/0/0 is an array, not a string")),
    );
    let open = format!("{{\"text\": {}", "[".repeat(deep));
    let letter = dead_letter(decoder(|_| {}).decode(raw(Some(open.as_bytes()))).expect_err("never closed"));
    assert_eq!(letter.reason, Reason::BadJson);
}

#[test]
fn id_and_event_time_are_found() {
    let cases: [(&str, Option<&str>, Option<i64>); 6] = [
        (r#"{"text":"x","meta":{"id":"a-1"},"at":1795395723456}"#, Some("a-1"), Some(1_795_395_723_456)),
        (
            r#"{"text":"x","meta":{"id":12345678901234567890123},"at":"2026-11-23T01:02:03Z"}"#,
            Some("12345678901234567890123"),
            Some(1_795_395_723_000),
        ),
        (r#"{"text":"x","meta":{"id":null},"at":null}"#, None, Some(42)),
        (r#"{"text":"x","meta":7}"#, None, Some(42)),
        (r#"{"text":"x"}"#, None, Some(42)),
        (r#"{"text":"x","meta":{"id":"old"},"meta":{"id":"new"}}"#, Some("new"), Some(42)),
    ];
    for (payload, id, event_time_ms) in cases {
        let event = decoder(|_| {}).decode(raw(Some(payload.as_bytes()))).expect("a good record");
        assert_eq!((event.id.as_deref(), event.event_time_ms), (id, event_time_ms), "{payload}");
    }
}

#[test]
fn a_clash_is_settled_by_the_layout_and_the_setting() {
    let payload = br#"{"text":"x","label":"mine","labelstream":1}"#;
    let cases = [
        (Layout::Merge, OnClash::DeadLetter, Some("label")),
        (Layout::Merge, OnClash::Replace, None),
        (Layout::Nest, OnClash::DeadLetter, Some("labelstream")),
        (Layout::Nest, OnClash::Replace, None),
        (Layout::Bare, OnClash::DeadLetter, None),
    ];
    for (layout, on_clash, clash) in cases {
        let config = DecodeConfig::try_from(DecodeSettings { on_clash, ..settings() }).expect("good settings");
        let found = Decoder::new(config, layout).decode(raw(Some(payload)));
        match (found, clash) {
            (Ok(event), None) => assert!(matches!(event.value, UserValue::Json(fields) if fields.0.len() == 3)),
            (Err(aside), Some(name)) => {
                let letter = dead_letter(aside);
                assert_eq!(letter.reason, Reason::FieldClash);
                assert!(letter.error.contains(name), "{}", letter.error);
            }
            (found, clash) => panic!("{layout:?} {on_clash:?}: found {found:?}, expected {clash:?}"),
        }
    }
}

#[test]
fn bad_settings_are_reported_together() {
    let bad = DecodeSettings {
        tombstones_by_topic: ["a", "a=keep", "b=skip", "b=forward", "=skip"].map(str::to_owned).into(),
        format: Format::Text,
        text_pointer: "text".to_owned(),
        id_pointer: Some("/a~".to_owned()),
        payload_bytes_max: 0,
        ..settings()
    };
    let problems = DecodeConfig::try_from(bad).expect_err("bad settings");
    let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "decode.text_pointer",
            "decode.id_pointer",
            "decode.id_pointer",
            "decode.event_time_pointer",
            "decode.payload_bytes_max",
            "decode.tombstones_by_topic",
            "decode.tombstones_by_topic",
            "decode.tombstones_by_topic",
            "decode.tombstones_by_topic"
        ]
    );
}

#[test]
fn the_frame_of_a_schema_registry_is_one_reason_with_its_id_whatever_is_inside_and_in_every_format() {
    let error = |id: u32| {
        format!(
            "the payload begins with the frame of a schema registry (byte 0, then schema id {id}): Avro, Protobuf and JSON \
             Schema behind a schema id are not decoded; write plain JSON or text to the input topic (docs/settings.md, \
             decode.format)"
        )
    };
    let inside: [&[u8]; 4] = [b"{\"text\": \"hi\"}", b"\x02\x0ecaf\xe9", b"\x00\x0a\x02hi", b""];
    for value in inside {
        for id in [1_u32, 255, 100_001, 8_388_608, u32::MAX] {
            let payload = [&[0], &id.to_be_bytes()[..], value].concat();
            for decoder in [decoder(|_| {}), plain()] {
                check(&decoder, &payload, Err((Reason::SchemaFramed, &error(id))));
            }
        }
    }
    let glue = [&b"\x03\x05"[..], &[7; 16], b"{\"text\": \"hi\"}"].concat();
    let letter = dead_letter(plain().decode(raw(Some(&glue))).expect_err("framed"));
    assert_eq!(letter.reason, Reason::SchemaFramed);
}

#[test]
fn tombstones_are_settled_by_their_topic() {
    let with = |usual, of_topic: &[&str]| {
        decoder(|settings| {
            settings.tombstones = usual;
            settings.tombstones_by_topic = of_topic.iter().map(|entry| (*entry).to_owned()).collect();
            settings.text_pointer = "/after/text".to_owned();
        })
    };
    let deleted: &[u8] = br#"{"before": {"text": "old"}, "after": null, "op": "d"}"#;
    let fate = |decoder: &Decoder, raw: RawEvent| match decoder.decode(raw.clone()).expect_err("no text") {
        Aside::Tombstone(tombstone) => {
            assert_eq!(tombstone.raw, raw, "the record survives");
            Ok(tombstone.fate)
        }
        Aside::DeadLetter(letter) => Err(letter.reason),
    };
    // what a deletion of a row makes: the change event, then the tombstone
    for (decoder, expected) in [
        (with(Tombstones::Skip, &[]), [Ok(Fate::Skip), Ok(Fate::Skip)]),
        (with(Tombstones::Forward, &["other=skip"]), [Ok(Fate::Forward), Ok(Fate::Forward)]),
        (with(Tombstones::Skip, &["other=skip", "in=forward"]), [Ok(Fate::Forward), Ok(Fate::Forward)]),
        (with(Tombstones::Skip, &["in=dead_letter"]), [Err(Reason::NoText), Err(Reason::Empty)]),
    ] {
        assert_eq!([fate(&decoder, raw(Some(deleted))), fate(&decoder, raw(None))], expected);
    }
    let forward = with(Tombstones::Forward, &[]);
    let keyless = RawEvent { key: None, ..raw(None) };
    assert_eq!(fate(&forward, keyless), Err(Reason::Empty), "without a key nothing is deleted");
    for kept in [
        &br#"{"after": null}"#[..],
        br#"{"after": null, "op": "u"}"#,
        br#"{"after": {}, "op": "d"}"#,
        br#"{"op": "d"}"#,
    ] {
        assert_eq!(fate(&forward, raw(Some(kept))), Err(Reason::NoText), "no deletion");
    }
    let nested = decoder(|settings| {
        settings.tombstones = Tombstones::Skip;
        settings.text_pointer = "/payload/after/text".to_owned();
    });
    let enveloped = br#"{"schema": {}, "payload": {"after": null, "op": "d"}}"#;
    assert_eq!(fate(&nested, raw(Some(enveloped))), Ok(Fate::Skip));
    assert_eq!(fate(&nested, raw(Some(b""))), Err(Reason::Empty), "no bytes are no tombstone");
}

#[test]
fn a_time_of_another_century_is_kept_and_called_out() {
    let seconds = br#"{"text": "x", "at": 1795395723}"#;
    let decoder = decoder(|_| {});
    let event = decoder.decode(raw(Some(seconds))).expect("it is labelled");
    assert_eq!(event.event_time_ms, Some(1_795_395_723));
    let doubt = decoder.doubt(&event).expect("January 1970");
    assert_eq!(doubt.to_string(), "about 1970; in seconds it would be between 2000 and 2100");
    let microseconds = b"{\"text\": \"hi\", \"at\": 1795395723456789}";
    let beyond = "the event time at /at: expected a time in the years 1 to 9999, found a number outside; in microseconds it would be between 2000 and 2100: check decode.event_time_unit";
    check(&decoder, microseconds, Err((Reason::BadEventTime, beyond)));
    let usual = decoder.decode(raw(Some(br#"{"text": "x", "at": 1795395723456}"#))).expect("a good record");
    assert_eq!(decoder.doubt(&usual), None);
    // a record's own timestamp is in milliseconds whatever decode.event_time_unit says
    let other = self::decoder(|settings| settings.event_time_unit = TimeUnit::Seconds);
    let stamped = RawEvent { timestamp_ms: Some(1_795_395_723), ..raw(Some(br#"{"text": "x"}"#)) };
    let event = other.decode(stamped).expect("a good record");
    assert_eq!(other.doubt(&event).and_then(|doubt| doubt.fits), Some(TimeUnit::Seconds));
}

proptest! {
    /// Any bytes come out as one event or one dead letter, and the record is the same as before.
    #[test]
    fn any_bytes_are_settled(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        for decoder in [decoder(|_| {}), plain()] {
            let before = raw(Some(&payload));
            let after = match decoder.decode(before.clone()) {
                Ok(event) => { prop_assert!(!event.text.trim().is_empty()); event.raw }
                Err(aside) => { let letter = dead_letter(aside); prop_assert!(!letter.error.is_empty()); letter.raw }
            };
            prop_assert_eq!(after, before);
        }
    }

    /// Any text comes back from JSON however it is escaped.
    #[test]
    fn any_text_is_found(text in "\\PC{1,40}", ascii in any::<bool>()) {
        prop_assume!(!is_blank(&text));
        let mut quoted = serde_json::to_string(&text).expect("texts are JSON");
        if ascii {
            let escape = |unit: u16| format!("\\u{unit:04x}");
            quoted = format!("\"{}\"", text.encode_utf16().map(escape).collect::<String>());
        }
        let payload = format!("{{\"before\": [1, {{}}], \"text\": {quoted}, \"after\": null}}");
        let event = decoder(|_| {}).decode(raw(Some(payload.as_bytes()))).expect("a good record");
        prop_assert_eq!(event.text, text);
    }

    /// A message never repeats what stands in the payload.
    #[test]
    fn messages_keep_the_text_to_themselves(cut in 1..40usize) {
        let payload = br#"{"text": {"x": "Zanzibar"}, "b": "Zanzibar", "at": "Zanzibar"}"#;
        for payload in [&payload[..cut.min(payload.len())], &payload[..], b"\"Zanzibar\"".as_slice(), br#"{"text":"Zanzibar","at":"Zanzibar"}"#] {
            if let Err(aside) = decoder(|_| {}).decode(raw(Some(payload))) {
                let letter = dead_letter(aside);
                prop_assert!(!letter.error.contains("Zanzibar"), "{}", letter.error);
            }
        }
    }
}
