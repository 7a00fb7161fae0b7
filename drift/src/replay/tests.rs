//! A replay by hand: the order of windows, and the past that they are compared with.

use super::*;
use crate::counts::WindowCounts;
use crate::partition::tests::{Record, config, observe, source, window};

fn replay(partitions: i32) -> WindowReplay {
    let config = config(|_| ());
    let kept = Kept { counts_ms: 4000, flags_ms: 4000 };
    let kept = config.granularities().iter().map(|granularity| (*granularity, kept)).collect();
    WindowReplay::new(config, kept, (0..partitions).map(source).collect())
}

fn feed(replay: &mut WindowReplay, partition: i32, offset: i64, at_ms: i64) {
    let origin = Origin { topic: source(partition).topic, partition, offset };
    replay.observe(&origin, &observe(Record::Event { at_ms, label: 1 })).expect("what was written");
}

/// Closes what is due; the flags of a window name its start.
fn close(replay: &mut WindowReplay) -> Vec<MergedWindow> {
    let mut closed = Vec::new();
    while let Some(merged) = replay.next_window().expect("what was written") {
        let flags = Flags::from([merged.window.start_ms.to_string()]);
        replay.close(&merged, flags).expect("what was written");
        closed.push(merged);
    }
    closed
}

#[test]
fn windows_come_in_the_order_of_their_ends_with_their_past() {
    let mut replay = replay(1);
    for (offset, at_ms) in (0..20).map(|second| (second, second * 1000)) {
        feed(&mut replay, 0, offset, at_ms);
    }
    replay.end().expect("what was written");
    let closed = close(&mut replay);
    let ends: Vec<i64> = closed.iter().map(|merged| merged.window.end_ms()).collect();
    assert!(ends.is_sorted(), "{ends:?}");
    assert_eq!(closed.len(), 20 + 5 + 3);
    assert!(closed.iter().all(|merged| merged.revision == 0));
    let (last, first) = (window("1s", 19_000), window("1s", 0));
    let past = replay.history().get(last).expect("closed");
    assert_eq!(past.flags, Flags::from([last.start_ms.to_string()]));
    let counts = WindowCounts::decode(past.counts.as_ref().expect("kept")).expect("what was written");
    assert_eq!(counts.records(), 1);
    assert!(replay.history().get(first).is_none(), "four seconds of the past are kept");
    assert!(replay.board().reported(first).is_none());
}

#[test]
fn a_window_waits_for_every_partition_until_it_is_exhausted() {
    let mut replay = replay(2);
    feed(&mut replay, 0, 0, 0);
    feed(&mut replay, 0, 1, 5000);
    assert_eq!(close(&mut replay), [], "nothing is known of the other partition");
    feed(&mut replay, 1, 0, 500);
    replay.exhausted(&source(1)).expect("what was written");
    let closed = close(&mut replay);
    assert_eq!(closed[0].window, window("1s", 0));
    assert_eq!(closed[0].counts.records(), 2);
    assert_eq!(closed.len(), 2, "and the window of four seconds");
    assert_eq!(closed[0].offsets.len(), 2);
}

#[test]
fn the_past_is_as_of_revision_0() {
    let mut replay = replay(1);
    for (offset, at_ms) in [(0, 100), (1, 2000), (2, 200), (3, 5000)] {
        feed(&mut replay, 0, offset, at_ms);
    }
    let closed = close(&mut replay);
    let first: Vec<_> = closed.iter().filter(|merged| merged.window == window("1s", 0)).collect();
    assert_eq!(
        first.iter().map(|merged| (merged.revision, merged.is_final)).collect::<Vec<_>>(),
        [(0, false), (1, true)]
    );
    assert_eq!(first[1].counts.records(), 2);
    let past = replay.history().get(window("1s", 0)).and_then(|past| past.counts.clone()).expect("kept");
    assert_eq!(WindowCounts::decode(&past).expect("what was written").records(), 1);
}
