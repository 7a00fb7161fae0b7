//! One partition against a slow version of the same rules, and samples for the tests of the board.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use schemas::RawEvent;
use schemas::event::Origin;

use super::*;
use crate::counts::WindowCounts;
use crate::observation::{Observer, ObserverSettings};
use crate::settings::WindowSettings;

pub(crate) type Observed = Result<Observation, Refusal>;

/// What one record is, with the event time in ms after [`EPOCH_MS`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Record {
    Event {
        at_ms: i64,
        label: u8,
    },
    /// Its clock is two minutes ahead of that moment, and is set back to one.
    Ahead {
        at_ms: i64,
    },
    /// Its clock is years ahead of that moment.
    FarAhead {
        at_ms: i64,
    },
    Malformed,
}

/// The start of a day, and so of windows of every length.
pub(crate) const EPOCH_MS: i64 = 1_767_225_600_000;

/// Windows of 1, 4 and 8 seconds.
pub(crate) fn config(change: impl FnOnce(&mut WindowSettings)) -> Arc<WindowConfig> {
    let mut settings = WindowSettings {
        granularities: ["1s", "4s", "8s"].map(str::to_owned).to_vec(),
        out_of_order_ms: 500,
        lateness_ms: 2000,
        idle_ms: 1000,
        retention_ms: 600_000,
        checkpoint_ms: 1000,
        checkpoint_records_max: 7,
    };
    change(&mut settings);
    Arc::new(settings.try_into().expect("good settings"))
}

pub(crate) fn source(partition: i32) -> TopicPartition {
    TopicPartition { topic: "labels".into(), partition }
}

/// The window that begins this many milliseconds after [`EPOCH_MS`].
pub(crate) fn window(length: &str, start_ms: i64) -> Window {
    let window = Granularity::from_short(length).expect("a length").window(EPOCH_MS + start_ms);
    assert_eq!(window.start_ms, EPOCH_MS + start_ms, "the start of a window");
    window
}

pub(crate) fn observe(record: Record) -> Observed {
    let (at_ms, ahead_ms, label) = match record {
        Record::Event { at_ms, label } => (at_ms, 0, label),
        Record::Ahead { at_ms } => (at_ms, 120_000, 9),
        Record::FarAhead { at_ms } => (at_ms, 100_000_000_000, 9),
        Record::Malformed => return Err(Refusal::Missing("label")),
    };
    let time_ms = EPOCH_MS + at_ms;
    let event = serde_json::json!({
        "label": format!("label-{label}"), "score": f64::from(label) / 10.0, "text": format!("word{label} again"),
        "model": {"name": "m", "version": "1"}, "source": {"event_time_ms": time_ms + ahead_ms},
    });
    let raw = RawEvent {
        origin: Origin { topic: "labels".into(), partition: 0, offset: 0 },
        key: None,
        payload: Some(event.to_string().into_bytes()),
        headers: Vec::new(),
        timestamp_ms: Some(time_ms),
    };
    Observer::new(ObserverSettings::default().try_into().expect("good settings")).observe(&raw, i64::MAX)
}

/// Records of one partition: mostly a little out of order, some late, some much too late, some bad.
pub(crate) fn log(records: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Record>> {
    let back_ms = prop_oneof![6 => 0..400_i64, 3 => 400..3000_i64, 1 => 3000..15_000_i64];
    let step = (0..700_i64, back_ms, 0..4_u8, 0..40_u8);
    vec(step, records).prop_map(|steps| {
        let mut now_ms = 0;
        let record = |(step_ms, back_ms, label, kind): (i64, i64, u8, u8)| {
            now_ms += step_ms;
            match kind {
                0 => Record::Ahead { at_ms: now_ms },
                1 => Record::FarAhead { at_ms: now_ms },
                2 | 3 => Record::Malformed,
                _ => Record::Event { at_ms: now_ms - back_ms, label },
            }
        };
        steps.into_iter().map(record).collect()
    })
}

/// What the rules say about a log, worked out one record and one length at a time, without folding.
#[derive(Default)]
pub(crate) struct Slow {
    /// On time, and on time with late.
    pub(crate) on_time: BTreeMap<Window, WindowCounts>,
    pub(crate) all: BTreeMap<Window, WindowCounts>,
    pub(crate) dropped: BTreeMap<Granularity, u64>,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
}

impl Slow {
    pub(crate) fn count(&mut self, config: &WindowConfig, log: &[Observed]) {
        let mut watermark_ms = i64::MIN;
        for outcome in log {
            let Ok(observation) = outcome else {
                self.refused += 1;
                continue;
            };
            self.accepted += 1;
            let time_ms = observation.event_time_ms();
            for &granularity in config.granularities() {
                let window = granularity.window(time_ms);
                if watermark_ms < window.end_ms() {
                    self.on_time.entry(window).or_default().observe(observation);
                }
                if watermark_ms < window.end_ms() || watermark_ms < window.end_ms() + config.lateness_ms() {
                    self.all.entry(window).or_default().observe(observation);
                } else {
                    *self.dropped.entry(granularity).or_default() += 1;
                }
            }
            watermark_ms = watermark_ms.max(time_ms - config.out_of_order_ms());
        }
    }
}

/// Everything that a partition ever saved, newest value of each key, tombstones applied.
fn save(state: &mut PartitionState, saved: &mut BTreeMap<Key, Vec<u8>>) {
    for Entry { key, value } in state.checkpoint() {
        match value {
            Some(value) => saved.insert(key, value),
            None => saved.remove(&key),
        };
    }
}

fn restored(config: &Arc<WindowConfig>, saved: &BTreeMap<Key, Vec<u8>>) -> PartitionState {
    let values = saved.iter().map(|(key, bytes)| (key.clone(), Value::decode(key, bytes).expect("what was saved")));
    PartitionState::restore(Arc::clone(config), source(0), values)
}

fn partial(saved: &BTreeMap<Key, Vec<u8>>, window: Window, part: Part) -> Partial {
    let key = Key::Partial(PartialKey { window, source: source(0), part });
    let Some(bytes) = saved.get(&key) else { return Partial::default() };
    match Value::decode(&key, bytes) {
        Ok(Value::Partial { partial, .. }) => partial,
        other => panic!("{key}: {other:?}"),
    }
}

fn event(at_ms: i64) -> Observed {
    observe(Record::Event { at_ms, label: 1 })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The halves of every window that the watermark passed are what the slow version counts, however often the state
    /// was saved, and restored, on the way; and every record is in one place per length of windows.
    #[test]
    fn each_record_is_counted_once_per_length(records in log(1..60), cuts in vec((1..20_usize, any::<bool>()), 1..8)) {
        let config = config(|_| ());
        let outcomes: Vec<Observed> = records.into_iter().map(observe).collect();
        let mut slow = Slow::default();
        slow.count(&config, &outcomes);

        let (mut state, mut saved) = (PartitionState::new(Arc::clone(&config), source(0)), BTreeMap::new());
        let mut cuts = cuts.into_iter().cycle();
        let mut offset = 0;
        while offset < outcomes.len() {
            let (count, restart) = cuts.next().expect("a cycle has no end");
            for _ in 0..count.min(outcomes.len() - offset) {
                prop_assert!(state.observe(offset as i64, &outcomes[offset]));
                prop_assert!(!state.observe(offset as i64, &outcomes[offset]), "an offset counts once");
                offset += 1;
            }
            save(&mut state, &mut saved);
            if restart {
                state = restored(&config, &saved);
            }
        }
        let progress = state.progress().clone();
        prop_assert_eq!((progress.totals.accepted, progress.next_offset), (slow.accepted, outcomes.len() as i64));
        prop_assert_eq!(progress.totals.refused.values().sum::<u64>(), slow.refused);
        prop_assert_eq!(&progress.totals.dropped, &slow.dropped);
        let passed = |window: &Window| progress.watermark_ms.is_some_and(|watermark| watermark >= window.end_ms());
        for (window, all) in slow.all.iter().filter(|(window, _)| passed(window)) {
            let (mut on_time, late) = (partial(&saved, *window, Part::OnTime), partial(&saved, *window, Part::Late));
            let expected = slow.on_time.get(window).cloned().unwrap_or_default();
            prop_assert_eq!(on_time.counts.encode(), expected.encode(), "on time {:?}", window);
            on_time.merge(&late);
            prop_assert_eq!(on_time.counts.encode(), all.encode(), "{:?}", window);
        }
        for &granularity in config.granularities() {
            let late = progress.totals.late.get(&granularity).copied().unwrap_or_default();
            let dropped = progress.totals.dropped.get(&granularity).copied().unwrap_or_default();
            let on_time: u64 = slow.on_time.iter().filter(|(window, _)| window.granularity == granularity)
                .map(|(_, counts)| counts.records()).sum();
            prop_assert_eq!(on_time + late + dropped, progress.totals.accepted, "{}", granularity);
        }
    }
}

#[test]
fn an_event_is_on_time_late_or_dropped_per_length() {
    let config = config(|_| ());
    let (mut state, mut saved) = (PartitionState::new(Arc::clone(&config), source(0)), BTreeMap::new());
    // The watermark reaches 4000: the first four seconds are passed, and the first window of 4 s.
    for (offset, at_ms) in [(0, 100), (1, 4500), (2, 3999), (3, 1999), (4, 900)].into_iter() {
        state.observe(offset, &event(at_ms));
    }
    save(&mut state, &mut saved);
    let records = |length, start_ms, part| partial(&saved, window(length, start_ms), part).counts.records();
    assert_eq!(records("1s", 0, Part::OnTime), 1);
    assert_eq!(records("1s", 3000, Part::Late), 1);
    assert_eq!(records("1s", 1000, Part::Late), 0, "4000 is 2000 after its end: dropped");
    assert_eq!((records("4s", 0, Part::OnTime), records("4s", 0, Part::Late)), (1, 3), "late for 4 s, not dropped");
    assert_eq!(records("8s", 0, Part::OnTime), 4, "the first window of 4 s was folded, the late ones came on time");
    assert_eq!(partial(&saved, window("1s", 4000), Part::OnTime).tally.dropped, 2, "told of in the newest window");
    assert_eq!(partial(&saved, window("8s", 0), Part::OnTime).tally.dropped, 0, "and not folded");
    let tally = partial(&saved, window("4s", 0), Part::Late).tally;
    assert_eq!((tally.start, tally.end), (2, 5));
}

#[test]
fn a_far_clock_moves_no_watermark_and_one_set_back_is_counted() {
    let mut state = PartitionState::new(config(|_| ()), source(0));
    state.observe(0, &event(1000));
    state.observe(1, &observe(Record::FarAhead { at_ms: 1500 }));
    assert_eq!(state.progress().watermark_ms, Some(EPOCH_MS + 500));
    assert_eq!(state.progress().totals.refused.get("clock_ahead"), Some(&1));
    state.observe(2, &observe(Record::Ahead { at_ms: 1500 }));
    assert_eq!(state.progress().watermark_ms, Some(EPOCH_MS + 61_000));
    assert_eq!(state.progress().totals.clamped, 1);
}

#[test]
fn refusals_before_the_first_event_wait_for_a_window() {
    let config = config(|_| ());
    let (mut state, mut saved) = (PartitionState::new(Arc::clone(&config), source(0)), BTreeMap::new());
    state.observe(0, &observe(Record::Malformed));
    save(&mut state, &mut saved);
    let mut state = restored(&config, &saved);
    assert_eq!(state.progress().watermark_ms, None);
    state.observe(1, &event(1000));
    state.observe(2, &observe(Record::Malformed));
    save(&mut state, &mut saved);
    let tally = partial(&saved, window("1s", 1000), Part::OnTime).tally;
    assert_eq!((tally.refused.get("missing_field"), tally.start, tally.end), (Some(&2), 0, 3));
}

#[test]
fn nothing_is_saved_twice() {
    let config = config(|_| ());
    let mut state = PartitionState::new(Arc::clone(&config), source(0));
    assert_eq!(state.checkpoint(), []);
    state.observe(0, &event(0));
    assert_eq!(state.checkpoint().len(), 2, "one half, and the progress");
    assert_eq!(state.checkpoint(), []);
    state.set_idle();
    assert_eq!(state.checkpoint().len(), 1, "the progress tells that it is idle");
    state.set_idle();
    assert_eq!(state.checkpoint(), []);
    state.observe(1, &event(1500));
    assert!(!state.progress().idle);
    // The first second is folded, the next one is open.
    assert_eq!(state.checkpoint().len(), 3);
    assert_eq!(state.partials.len(), 2, "what cannot change any more leaves memory");
}

#[test]
fn lengths_that_are_configured_no_more_go_to_longer_windows() {
    let (before, after) =
        (config(|_| ()), config(|settings| settings.granularities = vec!["4s".to_owned(), "8s".to_owned()]));
    let (mut state, mut saved) = (PartitionState::new(before, source(0)), BTreeMap::new());
    for (offset, at_ms) in [(0, 100), (1, 2600), (2, 2700)] {
        state.observe(offset, &event(at_ms));
    }
    save(&mut state, &mut saved);
    let mut state = restored(&after, &saved);
    state.observe(3, &event(9000));
    save(&mut state, &mut saved);
    assert_eq!(partial(&saved, window("4s", 0), Part::OnTime).counts.records(), 3);
    assert_eq!(partial(&saved, window("8s", 0), Part::OnTime).counts.records(), 3);
    let short = window("1s", 0).granularity;
    assert!(!saved.keys().any(|key| matches!(key, Key::Partial(name) if name.window.granularity == short)));
}

#[test]
fn the_watermark_never_goes_back() {
    let saved_under = config(|_| ());
    let (mut state, mut saved) = (PartitionState::new(saved_under, source(0)), BTreeMap::new());
    state.observe(0, &event(10_000));
    save(&mut state, &mut saved);
    let mut state = restored(&config(|settings| settings.out_of_order_ms = 5000), &saved);
    state.observe(1, &event(10_001));
    assert_eq!(state.progress().watermark_ms, Some(EPOCH_MS + 9500));
}
