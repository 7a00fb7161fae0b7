//! What the user wrote survives labelling: any member, in any layout, byte for byte and in its order; and what was
//! encoded decodes to the same again.

use std::sync::Arc;

use formats::labeled::{self, Added};
use formats::time::TimeUnit;
use formats::{DecodeConfig, DecodeSettings, Decoder, Format, Layout, OnClash, Tombstones, layout};
use proptest::prelude::*;
use schemas::{Fields, LabeledEvent, Labels, ModelId, Origin, RawEvent, Signals, TextEvent, UserValue};

/// JSON values as people and programs write them: spaces inside, long numbers, escapes, repeated names.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|switch| switch.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,4})?",
        string(),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let space = "[ \n\t]{0,2}";
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..4), space)
                .prop_map(|(items, space)| format!("[{space}{}]", items.join(&format!("{space},")))),
            (prop::collection::vec((string(), inner), 0..4), space).prop_map(|(members, space)| {
                let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}{space}:{value}")).collect();
                format!("{{{}{space}}}", members.join(","))
            }),
        ]
    })
}

/// A JSON string, with signs and with escapes.
fn string() -> impl Strategy<Value = String> {
    let part = prop_oneof!["[a-z0-9 é🎉]", Just("\\u00e9".to_owned()), Just("\\n".to_owned()), Just("\\/".to_owned())];
    prop::collection::vec(part, 0..6).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

/// Member names, some of which our own fields also have.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-zé]{0,5}", 1 => prop::sample::select(&["label", "source", "labelstream", "replaced", "model"][..]).prop_map(str::to_owned)]
}

fn record(payload: &[u8]) -> RawEvent {
    RawEvent {
        origin: Origin { topic: "in".into(), partition: 0, offset: 7 },
        key: None,
        payload: Some(payload.to_vec()),
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

/// An object that holds no text, as no decoder would take it.
fn event(payload: &str) -> LabeledEvent {
    labeled(TextEvent {
        raw: record(payload.as_bytes()),
        text: "x".to_owned(),
        id: None,
        event_time_ms: None,
        value: UserValue::Json(serde_json::from_str(payload).expect("an object")),
    })
}

fn labeled(event: TextEvent) -> LabeledEvent {
    LabeledEvent {
        event,
        labels: Labels { label: Some("a".into()), score: Some(0.5), top: Vec::new(), value: None },
        signals: Signals {
            characters: 1,
            n_tokens: 3,
            truncated: false,
            unknown_rate: 0.0,
            entropy: None,
            margin: None,
        },
        model: Arc::new(ModelId { name: "m".to_owned(), version: "1".to_owned(), digest: "sha256:0".to_owned() }),
    }
}

/// A decoder of this format; JSON has its text, id and time under their names.
fn decoder(format: Format, layout: Layout) -> Decoder {
    let named = |name: &str| (format == Format::Json).then(|| name.to_owned());
    let settings = DecodeSettings {
        format,
        text_pointer: "/text".to_owned(),
        id_pointer: named("/id"),
        event_time_pointer: named("/at"),
        event_time_unit: TimeUnit::Milliseconds,
        payload_bytes_max: 1_000_000,
        on_clash: OnClash::Replace,
        tombstones: Tombstones::Skip,
        tombstones_by_topic: Vec::new(),
    };
    Decoder::new(DecodeConfig::try_from(settings).expect("good settings"), layout)
}

/// The user's members, which are those that labelstream does not add.
fn own_members(event: &TextEvent, layout: Layout) -> Vec<(String, String)> {
    let UserValue::Json(fields) = &event.value else { return Vec::new() };
    let own = |(name, _): &(String, String)| !layout.names().contains(&name.as_str());
    members(fields).into_iter().filter(own).collect()
}

/// The members as pairs of name and bytes.
fn members(fields: &Fields) -> Vec<(String, String)> {
    fields.0.iter().map(|(name, value)| (name.clone(), value.get().to_owned())).collect()
}

proptest! {
    #[test]
    fn every_member_survives(own in prop::collection::vec((name(), value()), 0..8), layout in prop::sample::select(&[Layout::Merge, Layout::Nest][..])) {
        let payload: Vec<_> = own.iter().map(|(name, value)| format!("\"{name}\" : {value} ")).collect();
        let event = event(&format!("{{{}}}", payload.join(",")));
        let written = formats::encode(&event, layout).expect("every event can be written").payload;
        let read: Fields = serde_json::from_slice(&written).expect("an object");
        let clashes = own.iter().any(|(name, _)| layout.names().contains(&name.as_str()));
        let (moved, kept): (Vec<_>, Vec<_>) = own.into_iter().partition(|(name, _)| {
            layout.names().contains(&name.as_str()) || (clashes && name == layout::REPLACED_NAME)
        });
        let found = members(&read);
        prop_assert_eq!(&found[..kept.len()], &kept[..], "members that nobody else wants stay where they are");
        if clashes {
            prop_assert_eq!(&found[kept.len()].0, layout::REPLACED_NAME);
            let replaced: Fields = serde_json::from_str(&found[kept.len()].1).expect("an object");
            prop_assert_eq!(members(&replaced), moved);
        }
        prop_assert_eq!(labeled::decode(&written).expect("readable"), Added::new(&event));
        let UserValue::Json(fields) = &event.event.value else { unreachable!("an object") };
        prop_assert_eq!(layout.clash(fields).is_some(), clashes);
    }

    /// Decode, encode, decode: an object keeps its members, its text, its id and its time.
    #[test]
    fn an_object_comes_back(own in prop::collection::vec(("own_[a-zé]{0,4}", value()), 0..8), said in string(), at in 0..2_000_000_000_000_i64, layout in prop::sample::select(&[Layout::Merge, Layout::Nest][..])) {
        let mut payload = format!("{{\"text\":\"x{}, \"id\":\"a-1\", \"at\":{at}", &said[1..]);
        payload.extend(own.iter().map(|(name, value)| format!(", \"{name}\" : {value}")));
        payload.push('}');
        let decoder = decoder(Format::Json, layout);
        let event = decoder.decode(record(payload.as_bytes())).expect("a good record");
        let encoded = formats::encode(&labeled(event.clone()), layout).expect("every event can be written");
        let again = decoder.decode(record(&encoded.payload)).expect("an object with a text");
        prop_assert_eq!((&again.text, &again.id, again.event_time_ms), (&event.text, &event.id, Some(at)));
        let read = own_members(&event, layout);
        prop_assert_eq!(read.len(), own.len() + 3);
        prop_assert_eq!(own_members(&again, layout), read);
    }

    /// A plain text comes back out of the labelled event, where it is the member `text`.
    #[test]
    fn a_plain_text_comes_back(said in "\\PC{0,40}", layout in prop::sample::select(&[Layout::Merge, Layout::Nest][..])) {
        let said = format!("x{said}");
        let event = decoder(Format::Text, layout).decode(record(said.as_bytes())).expect("a visible text");
        prop_assert_eq!(&event.text, &said);
        let encoded = formats::encode(&labeled(event), layout).expect("every event can be written");
        let again = decoder(Format::Json, layout).decode(record(&encoded.payload)).expect("an object with a text");
        prop_assert_eq!(again.text, said);
    }
}
