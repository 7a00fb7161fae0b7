//! The engine by name: the order of windows, and the past that they are compared with.

use super::*;
use crate::counts::WindowCounts;
use crate::partition::tests::{Record, config, observe, source, window};

fn engine(partitions: i32) -> Engine {
    let config = config(|_| ());
    let kept = Kept { counts_ms: 4000, flags_ms: 4000 };
    let kept = config.granularities().iter().map(|granularity| (*granularity, kept)).collect();
    Engine::new(config, kept, (0..partitions).map(source).collect())
}

fn feed(engine: &mut Engine, partition: i32, offset: i64, at_ms: i64) {
    let origin = Origin { topic: source(partition).topic, partition, offset };
    engine.observe(&origin, &observe(Record::Event { at_ms, label: 1 })).expect("what was written");
}

/// Closes what is due; the flags of a window name its start.
fn close(engine: &mut Engine) -> Vec<MergedWindow> {
    let mut closed = Vec::new();
    while let Some(merged) = engine.next_window().expect("what was written") {
        let flags = Flags::from([merged.window.start_ms.to_string()]);
        engine.close(&merged, flags).expect("what was written");
        closed.push(merged);
    }
    closed
}

#[test]
fn windows_come_in_the_order_of_their_ends_with_their_past() {
    let mut engine = engine(1);
    for (offset, at_ms) in (0..20).map(|second| (second, second * 1000)) {
        feed(&mut engine, 0, offset, at_ms);
    }
    engine.end().expect("what was written");
    let closed = close(&mut engine);
    let ends: Vec<i64> = closed.iter().map(|merged| merged.window.end_ms()).collect();
    assert!(ends.is_sorted(), "{ends:?}");
    assert_eq!(closed.len(), 20 + 5 + 3);
    assert!(closed.iter().all(|merged| merged.revision == 0));
    let (last, first) = (window("1s", 19_000), window("1s", 0));
    let past = engine.history().get(last).expect("closed");
    assert_eq!(past.flags, Flags::from([last.start_ms.to_string()]));
    let counts = WindowCounts::decode(past.counts.as_ref().expect("kept")).expect("what was written");
    assert_eq!(counts.records(), 1);
    assert!(engine.history().get(first).is_none(), "four seconds of the past are kept");
    assert!(engine.board().reported(first).is_none());
}

#[test]
fn a_window_waits_for_every_partition_until_it_is_exhausted() {
    let mut engine = engine(2);
    feed(&mut engine, 0, 0, 0);
    feed(&mut engine, 0, 1, 5000);
    assert_eq!(close(&mut engine), [], "nothing is known of the other partition");
    feed(&mut engine, 1, 0, 500);
    engine.exhausted(&source(1)).expect("what was written");
    let closed = close(&mut engine);
    assert_eq!(closed[0].window, window("1s", 0));
    assert_eq!(closed[0].counts.records(), 2);
    assert_eq!(closed.len(), 2, "and the window of four seconds");
    assert_eq!(closed[0].offsets.len(), 2);
}

#[test]
fn the_past_is_as_of_revision_0() {
    let mut engine = engine(1);
    for (offset, at_ms) in [(0, 100), (1, 2000), (2, 200), (3, 5000)] {
        feed(&mut engine, 0, offset, at_ms);
    }
    let closed = close(&mut engine);
    let first: Vec<_> = closed.iter().filter(|merged| merged.window == window("1s", 0)).collect();
    assert_eq!(
        first.iter().map(|merged| (merged.revision, merged.is_final)).collect::<Vec<_>>(),
        [(0, false), (1, true)]
    );
    assert_eq!(first[1].counts.records(), 2);
    let past = engine.history().get(window("1s", 0)).and_then(|past| past.counts.clone()).expect("kept");
    assert_eq!(WindowCounts::decode(&past).expect("what was written").records(), 1);
}
