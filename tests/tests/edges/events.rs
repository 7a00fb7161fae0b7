//! The events between source and publisher: labelled without a model, and looked at afterwards.

use std::collections::HashMap;
use std::sync::Arc;

use formats::labeled;
use kafka::clock::now_ms;
use schemas::{Batch, Generation, LabeledEvent, Labels, ModelId, RawEvent, Signals, TextEvent, UserValue};

pub(crate) fn batch(events: Vec<RawEvent>, generation: Generation) -> Batch<LabeledEvent> {
    Batch::read(events, generation).try_map(|event| Ok(labeled(event)))
}

/// An event with a label that a model might have given.
pub(crate) fn labeled(raw: RawEvent) -> LabeledEvent {
    let text = String::from_utf8(raw.payload.clone().expect("a payload")).expect("the tests write text");
    LabeledEvent {
        event: TextEvent { raw, text, id: None, event_time_ms: None, value: UserValue::Text },
        labels: Labels { label: Some("greeting".into()), score: Some(0.75), top: Vec::new(), value: None },
        signals: Signals {
            characters: 6,
            n_tokens: 4,
            truncated: false,
            unknown_rate: 0.0,
            entropy: Some(0.5),
            margin: Some(0.5),
        },
        model: Arc::new(ModelId { name: "none".into(), version: "1".into(), digest: "sha256:0".into() }),
    }
}

/// Text that does not compress below its size: limits hold for compressed batches.
pub(crate) fn noise(bytes: usize) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..bytes)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(b'!' + u8::try_from(state % 90).expect("below 90"))
        })
        .filter(|character| !"\"\\".contains(*character))
        .collect()
}

/// A time that a broker would not give by itself, and that retention does not reach.
pub(crate) fn an_hour_ago_ms() -> i64 {
    now_ms() - 3_600_000
}

pub(crate) fn offsets(events: &[RawEvent]) -> Vec<(i32, i64)> {
    events.iter().map(|event| (event.origin.partition, event.origin.offset)).collect()
}

pub(crate) fn texts(events: &[RawEvent]) -> Vec<String> {
    events
        .iter()
        .map(|event| String::from_utf8_lossy(event.payload.as_deref().unwrap_or_default()).into_owned())
        .collect()
}

/// No source record twice, and each partition's records in their order.
pub(crate) fn assert_each_once_and_in_order(labels: &[RawEvent]) {
    let mut last: HashMap<i32, i64> = HashMap::new();
    for label in labels {
        let added = labeled::decode(label.payload.as_deref().expect("a payload")).expect("a labelled event");
        let (partition, offset) = (added.source.partition, added.source.offset);
        assert_eq!(partition, label.origin.partition, "the partition number survives");
        if let Some(before) = last.insert(partition, offset) {
            assert!(before < offset, "{partition}: {offset} after {before}");
        }
    }
}
