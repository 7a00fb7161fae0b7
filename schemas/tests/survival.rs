//! The user's own object survives labelling: any member, in any layout, byte for byte and in its order.

use std::sync::Arc;

use proptest::prelude::*;
use schemas::wire::{self, Added, Layout};
use schemas::{Fields, LabeledEvent, Labels, ModelId, Origin, RawEvent, Signals, TextEvent};

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

fn event(payload: &str) -> LabeledEvent {
    LabeledEvent {
        event: TextEvent {
            raw: RawEvent {
                origin: Origin { topic: "in".into(), partition: 0, offset: 7 },
                key: None,
                payload: Some(payload.as_bytes().to_vec()),
                headers: Vec::new(),
                timestamp_ms: None,
            },
            text: "x".to_owned(),
            id: None,
            event_time_ms: None,
            fields: Some(serde_json::from_str(payload).expect("an object")),
        },
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

/// The members as pairs of name and bytes.
fn members(fields: &Fields) -> Vec<(String, String)> {
    fields.0.iter().map(|(name, value)| (name.clone(), value.get().to_owned())).collect()
}

proptest! {
    #[test]
    fn every_member_survives(own in prop::collection::vec((name(), value()), 0..8), layout in prop::sample::select(&[Layout::Merge, Layout::Nest][..])) {
        let payload: Vec<_> = own.iter().map(|(name, value)| format!("\"{name}\" : {value} ")).collect();
        let event = event(&format!("{{{}}}", payload.join(",")));
        let written = wire::encode(&event, layout).expect("every event can be written");
        let read: Fields = serde_json::from_slice(&written).expect("an object");
        let clashes = own.iter().any(|(name, _)| layout.names().contains(&name.as_str()));
        let (moved, kept): (Vec<_>, Vec<_>) = own.into_iter().partition(|(name, _)| {
            layout.names().contains(&name.as_str()) || (clashes && name == wire::REPLACED_NAME)
        });
        let found = members(&read);
        prop_assert_eq!(&found[..kept.len()], &kept[..], "members that nobody else wants stay where they are");
        if clashes {
            prop_assert_eq!(&found[kept.len()].0, wire::REPLACED_NAME);
            let replaced: Fields = serde_json::from_str(&found[kept.len()].1).expect("an object");
            prop_assert_eq!(members(&replaced), moved);
        }
        prop_assert_eq!(wire::decode(&written).expect("readable"), Added::new(&event));
        prop_assert_eq!(layout.clash(event.event.fields.as_ref().expect("an object")).is_some(), clashes);
    }
}
