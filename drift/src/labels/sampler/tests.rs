//! A sampler beside its partition's state, as a session drives them, with restarts in between.

use proptest::prelude::*;
use schemas::RawEvent;
use schemas::event::Origin;

use super::*;
use crate::labels::settings::LabelsSettings;
use crate::observation::{Observer, ObserverConfig, ObserverSettings};
use crate::partition::PartitionState;
use crate::settings::WindowSettings;

const HOUR_MS: i64 = 3_600_000;

fn windows() -> Arc<WindowConfig> {
    let settings = WindowSettings {
        granularities: ["1m", "1h", "1d"].map(str::to_owned).to_vec(),
        out_of_order_ms: 60_000,
        lateness_ms: 600_000,
        idle_ms: 1000,
        retention_ms: 1000,
        checkpoint_ms: 1000,
        checkpoint_records_max: 100,
    };
    Arc::new(WindowConfig::try_from(settings).expect("valid settings"))
}

fn labels(predictions_max: usize) -> LabelsConfig {
    let settings = LabelsSettings {
        topic: Some("truth".to_owned()),
        id_pointer: "/id".to_owned(),
        label_pointer: "/label".to_owned(),
        time_pointer: None,
        time_unit: formats::time::TimeUnit::Milliseconds,
        ttl_ms: HOUR_MS,
        predictions_max,
        labels_max: 1000,
        revise_every_ms: HOUR_MS,
    };
    LabelsConfig::new(settings).expect("valid settings").expect("a topic")
}

fn source() -> TopicPartition {
    TopicPartition { topic: "labeled".into(), partition: 3 }
}

/// An id and an event time.
type Event = (Option<u16>, i64);

fn record(offset: i64, id: Option<u16>, time_ms: i64) -> RawEvent {
    let mut event = serde_json::json!({
        "text": "hello", "label": format!("class-{}", offset % 3), "score": 0.75, "labels": [],
        "model": { "name": "pets", "version": "1", "digest": "" },
        "signals": { "characters": 5, "n_tokens": 3, "truncated": false, "unknown_rate": 0.0, "entropy": 0.5, "margin": 0.5 },
        "source": { "topic": "in", "partition": 0, "offset": offset, "event_time_ms": time_ms },
    });
    if let Some(id) = id {
        event["source"]["id"] = format!("id-{id}").into();
    }
    RawEvent {
        origin: Origin { topic: "labeled".into(), partition: 3, offset },
        key: None,
        payload: Some(event.to_string().into_bytes()),
        headers: Vec::new(),
        timestamp_ms: Some(time_ms),
    }
}

/// A session and the topic that it saves to.
struct Session {
    observer: Observer,
    max: usize,
    topic: BTreeMap<Key, Vec<u8>>,
    state: PartitionState,
    sampler: Sampler,
}

impl Session {
    fn new(max: usize) -> Self {
        let observer = Observer::new(ObserverConfig::try_from(ObserverSettings::default()).expect("valid settings"));
        let (state, sampler) = restore(&BTreeMap::new(), max);
        Self { observer, max, topic: BTreeMap::new(), state, sampler }
    }

    /// Counts the events of these places, which are their offsets.
    fn count(&mut self, events: &[Event], places: std::ops::Range<usize>) {
        for place in places {
            let (id, time_ms) = events[place];
            let offset = i64::try_from(place).expect("few events");
            let outcome = self.observer.observe(&record(offset, id, time_ms), i64::MAX);
            assert!(outcome.is_ok(), "{outcome:?}");
            if self.state.observe(offset, &outcome) {
                self.sampler.observe(&outcome, self.state.progress());
            }
        }
    }

    fn save(&mut self) {
        let mut entries = self.state.checkpoint();
        entries.extend(self.sampler.checkpoint(self.state.progress()));
        for Entry { key, value } in entries {
            match value {
                Some(value) => self.topic.insert(key, value),
                None => self.topic.remove(&key),
            };
        }
    }

    /// Another process: what was not saved is lost, and counted again from the offset that comes back.
    fn restart(&mut self) -> usize {
        (self.state, self.sampler) = restore(&self.topic, self.max);
        usize::try_from(self.state.progress().next_offset).expect("not negative")
    }

    fn predictions(&self) -> Vec<(Window, Predictions)> {
        let decoded = self.topic.iter().filter_map(|(key, bytes)| match Value::decode(key, bytes).expect("our own") {
            Value::Predictions(predictions) => Some((key, predictions)),
            _ => None,
        });
        let of_window = |(key, predictions): (&Key, Predictions)| match key {
            Key::Predictions { window, .. } => (*window, predictions),
            other => panic!("{other} is no key of predictions"),
        };
        decoded.map(of_window).collect()
    }
}

fn restore(topic: &BTreeMap<Key, Vec<u8>>, max: usize) -> (PartitionState, Sampler) {
    let values = topic.iter().map(|(key, bytes)| (key.clone(), Value::decode(key, bytes).expect("our own records")));
    let state = PartitionState::restore(windows(), source(), values);
    let bytes = |(key, value): (&Key, &Vec<u8>)| -> StateRecord {
        (Arc::from(key.to_string().as_bytes()), Arc::from(value.as_slice()))
    };
    let entries: Vec<_> = topic.iter().map(bytes).collect();
    let of_source = saved(&entries).expect("our own keys").remove(&source()).unwrap_or_default();
    let sampler = Sampler::restore(&labels(max), windows(), source(), of_source, state.progress());
    (state, sampler.expect("our own records"))
}

proptest! {
    /// Wherever it was saved, killed and begun again.
    #[test]
    fn restarts_change_nothing(
        steps in prop::collection::vec((prop::option::weighted(0.9, 0..300_u16), 0..200_i64, 0..40_i64), 1..120),
        cuts in prop::collection::vec((0..120_usize, 0..20_usize), 0..5), max in 1..60_usize
    ) {
        // Minutes pass, and some events come up to half an hour late.
        let mut now_ms = 0;
        let events: Vec<Event> = steps.iter().map(|(id, step, late)| {
            now_ms += step * 1000;
            (*id, now_ms - if late % 7 == 0 { late * 45_000 } else { 0 })
        }).collect();
        let mut straight = Session::new(max);
        straight.count(&events, 0..events.len());
        straight.save();

        let mut winding = Session::new(max);
        let mut next = 0;
        let mut cuts: Vec<_> = cuts.into_iter().map(|(place, lost)| (place.min(events.len()), lost)).collect();
        cuts.sort_unstable();
        for (place, lost) in cuts {
            if place > next {
                winding.count(&events, next..place);
                winding.save();
                winding.count(&events, place..(place + lost).min(events.len()));
                next = winding.restart();
                prop_assert_eq!(next, place);
            }
        }
        winding.count(&events, next..events.len());
        winding.save();
        prop_assert_eq!(winding.predictions(), straight.predictions());
    }
}

#[test]
fn windows_leave_memory_when_they_take_no_more_late_events() {
    let mut session = Session::new(100);
    let hours: Vec<Event> = (0..48).map(|hour| (Some(hour), i64::from(hour) * HOUR_MS)).collect();
    for place in 0..hours.len() {
        session.count(&hours, place..place + 1);
        session.save();
        assert!(session.sampler.open.len() <= 2, "{:?}", session.sampler.open.keys());
    }
    assert_eq!(session.predictions().len(), 48, "the topic keeps them for true labels");
    assert!(
        session.predictions().iter().all(|(window, own)| own.len() == 1 && window.granularity.length_ms() == HOUR_MS)
    );
}
