//! Labelled events with event times: some out of order, some late, some too late, over four partitions.
//!
//! All of it follows from the number of the event: a test can tell what must come out.

use tests::records::Record;

pub(crate) const PARTITIONS: i32 = 4;
/// When the first event happened: 2025-10-09, long before any clock of a test.
pub(crate) const START_MS: i64 = 1_760_000_000_000;
/// Between two events.
const STEP_MS: i64 = 20;

/// The records `from..to` of the stream.
pub(crate) fn records(from: usize, to: usize) -> Vec<Record> {
    (from..to).map(record).collect()
}

fn record(number: usize) -> Record {
    let place = i64::try_from(number).expect("few events");
    Record {
        partition: Some(i32::try_from(number).expect("few events") % PARTITIONS),
        key: Some(format!("key-{}", number % 7).into_bytes()),
        payload: Some(payload(number, event_time_ms(place))),
        ..Record::default()
    }
}

/// Up to 900 ms of disorder, which is waited for; of 97 events one is 3 s late, which makes a revision, and of 389 one
/// is 9 s late, which only the longer windows take.
fn event_time_ms(place: i64) -> i64 {
    let disorder = (place * 7919) % 900;
    let late = match place {
        _ if place % 389 == 388 => 9000,
        _ if place % 97 == 96 => 3000,
        _ => 0,
    };
    START_MS + place * STEP_MS - disorder - late
}

/// A labelled event; the mix of labels turns with time, so that findings differ between windows.
fn payload(number: usize, event_time_ms: i64) -> Vec<u8> {
    let turned = (number / 1500) % 2;
    let label = ["card_arrival", "lost_card", "top_up", "refund"][(number * 31 + number / 13 + turned) % (4 - turned)];
    let score = 0.4 + 0.59 * ((number * 7919 % 1000) as f64 / 1000.0);
    let text = format!("my {label} number {} did not arrive", number % 50);
    let event = serde_json::json!({
        "text": text,
        "label": label,
        "score": score,
        "labels": [{"label": label, "score": score}],
        "model": {"name": "tiny", "version": "1"},
        "signals": {
            "characters": text.len(), "n_tokens": 5 + number % 9, "truncated": false,
            "unknown_rate": 0.0, "entropy": 1.0 - score, "margin": score / 2.0,
        },
        "source": {
            "topic": "in", "partition": 0, "offset": number, "id": number.to_string(), "event_time_ms": event_time_ms,
        },
    });
    event.to_string().into_bytes()
}

/// Records that are no labelled events, with the reason that each is refused for.
pub(crate) fn bad_records() -> Vec<(Record, &'static str)> {
    let good: serde_json::Value = serde_json::from_slice(&payload(0, START_MS)).expect("JSON");
    let without = |member: &str| {
        let mut event = good.clone();
        event.as_object_mut().expect("an object").remove(member);
        event
    };
    let with = |pointer: &str, value: serde_json::Value| {
        let mut event = good.clone();
        *event.pointer_mut(pointer).expect("it is there") = value;
        event
    };
    let year_3000_ms = 32_503_680_000_000_i64;
    let events = [
        (without("score"), "missing_field"),
        (with("/score", 1.7.into()), "out_of_range"),
        (with("/label", 7.into()), "wrong_type"),
        (with("/source/event_time_ms", year_3000_ms.into()), "clock_ahead"),
    ];
    let mut bad: Vec<_> = events.map(|(event, reason)| (Record::of(event.to_string()), reason)).into();
    bad.push((Record::of("{ no JSON"), "bad_json"));
    bad.push((Record::of([0, 0, 1, 0x86, 0xa1]), "schema_framed"));
    for (record, _) in &mut bad {
        record.partition = Some(1);
    }
    bad
}

/// A record that says that its key is gone: no event, and no fault.
pub(crate) fn tombstone() -> Record {
    Record { partition: Some(1), key: Some(b"gone".to_vec()), ..Record::default() }
}
