//! What counting costs: nanoseconds per event by stage on one thread, and the bytes of a window's state in memory and stored.
//!
//! Events are made in chunks, so that memory holds few at a time, and making them is not measured. A stage's time is the
//! median over the chunks: those in which the processor was taken away do not count. Stages: `json` reads and checks a payload without its text, `text` adds words,
//! script, addresses and the text's fingerprint, `count` adds the observation to the window's counts.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use drift::counts::WindowCounts;
use drift::observation::{Observation, Observer, ObserverSettings};
use schemas::{Header, Origin, RawEvent};

/// Events of small windows together.
const EVENTS_MIN: usize = 100_000;
/// Windows that are stored, read back and merged.
const ROUNDS: u32 = 20;
/// Events made at a time: as in the running worker an observation is counted while the processor's caches still hold it.
const CHUNK: usize = 250;
/// Words that texts are drawn from, the n-th in proportion to 1 / n.
const VOCABULARY: usize = 30_000;
/// Words of a text: 4 to 20.
const WORDS: std::ops::Range<usize> = 4..21;
const TIME_MS: i64 = 1_795_395_723_456;

/// What is counted.
struct Case {
    events: usize,
    classes: usize,
    /// Labels that each event lists with their scores.
    listed: usize,
    slices: &'static [&'static str],
}

/// Times by stage, one a chunk.
#[derive(Default)]
struct Costs {
    json: Vec<Duration>,
    /// `json` and `text` together.
    both: Vec<Duration>,
    count: Vec<Duration>,
}

/// Nanoseconds per event: the median over the chunks.
fn nanoseconds(times: &mut [Duration], events: usize) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |median| median.as_secs_f64() * 1e9 / events.min(CHUNK) as f64)
}

/// Prints a table for windows of up to `events_max` events, row by row.
pub fn run(events_max: usize) {
    let slices: &[&str] = &["header:source", "field:/language"];
    println!("ns per event; 9 listed scores and 15 other signals are 24\n");
    println!(
        "| events | classes | listed | slicings | json | text | count | text + count, s | memory | stored | encode, ms | decode, ms | merge, ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for events in [1_000, 100_000, 1_000_000, 10_000_000] {
        for (classes, listed, slices) in [(20, 9, &[][..]), (77, 9, &[][..]), (77, 77, &[][..]), (77, 9, slices)] {
            // Events that list every label take minutes to make: 100,000 tell what more would.
            if events <= events_max && (events <= 100_000 || listed < 77) {
                println!("{}", row(&Case { events, classes, listed, slices }));
            }
        }
    }
}

fn row(case: &Case) -> String {
    let mut costs = Costs::default();
    // Small windows are counted many times.
    let windows = (EVENTS_MIN / case.events).max(1);
    let counts = (0..windows).map(|_| observe(case, &mut costs)).last().unwrap_or_default();
    let stored = counts.encode();
    let ((), encode) = timed(|| (0..ROUNDS).for_each(|_| drop(counts.encode())));
    let ((), decode) = timed(|| (0..ROUNDS).for_each(|_| drop(WindowCounts::decode(&stored))));
    let mut sum = WindowCounts::default();
    let ((), merge) = timed(|| (0..ROUNDS).for_each(|_| sum.merge(&counts)));
    assert_eq!(sum.records(), u64::from(ROUNDS) * case.events as u64);
    let [json, both, count] =
        [&mut costs.json, &mut costs.both, &mut costs.count].map(|times| nanoseconds(times, case.events));
    let text = both - json;
    let milliseconds = |cost: Duration| cost.as_secs_f64() * 1e3 / f64::from(ROUNDS);
    format!(
        "| {} | {} | {} | {} | {json:.0} | {text:.0} | {count:.0} | {:.3} | {} | {} | {:.1} | {:.1} | {:.1} |",
        case.events,
        case.classes,
        case.listed,
        case.slices.len(),
        (text + count) * case.events as f64 / 1e9,
        kilobytes(counts.memory_bytes()),
        kilobytes(stored.len()),
        milliseconds(encode),
        milliseconds(decode),
        milliseconds(merge),
    )
}

fn kilobytes(bytes: usize) -> String {
    format!("{:.1} kB", bytes as f64 / 1e3)
}

fn observe(case: &Case, costs: &mut Costs) -> WindowCounts {
    let settings = |text: Option<&str>| ObserverSettings {
        text_pointer: text.map(str::to_owned),
        slices: case.slices.iter().map(|slicing| (*slicing).to_owned()).collect(),
        ..ObserverSettings::default()
    };
    let observer = |text| Observer::new(settings(text).try_into().expect("good settings"));
    let (without, with) = (observer(None), observer(Some("/text")));
    let mut producer = Producer::new(case);
    let mut counts = WindowCounts::default();
    let mut left = case.events;
    while left > 0 {
        let records: Vec<_> = (0..left.min(CHUNK)).map(|_| producer.record()).collect();
        left -= records.len();
        let read = |observer: &Observer| {
            let read = |record| observer.observe(record, i64::MAX).expect("a good event");
            timed(|| records.iter().map(read).collect::<Vec<Observation>>())
        };
        let (_, json) = read(&without);
        let (observations, both) = read(&with);
        let ((), count) = timed(|| observations.iter().for_each(|observation| counts.observe(observation)));
        costs.json.push(json);
        costs.both.push(both);
        costs.count.push(count);
    }
    counts
}

/// Makes labelled events as labelstream writes them.
struct Producer<'c> {
    case: &'c Case,
    random: fastrand::Rng,
    vocabulary: Vec<String>,
    /// Running sums of 1 / n.
    weights: Vec<f64>,
}

impl<'c> Producer<'c> {
    fn new(case: &'c Case) -> Self {
        let mut random = fastrand::Rng::with_seed(17);
        let mut letters = |n: usize| std::iter::repeat_with(|| random.lowercase()).take(n).collect::<String>();
        let vocabulary = (0..VOCABULARY).map(|n| letters(3 + n % 8)).collect();
        let weights = (1..=VOCABULARY).scan(0.0, |sum, n| {
            *sum += 1.0 / n as f64;
            Some(*sum)
        });
        Self { case, random: fastrand::Rng::with_seed(18), vocabulary, weights: weights.collect() }
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        let most = self.weights[VOCABULARY - 1];
        for _ in 0..self.random.usize(WORDS) {
            let draw = self.random.f64() * most;
            let place = self.weights.partition_point(|sum| *sum < draw);
            text.push_str(&self.vocabulary[place]);
            text.push(' ');
        }
        text.trim_end().to_owned()
    }

    fn record(&mut self) -> RawEvent {
        let text = self.text();
        let (score, first) = (0.3 + 0.7 * self.random.f32(), self.random.usize(..self.case.classes));
        let mut listed = String::new();
        for place in 0..self.case.listed {
            let comma = if place == 0 { "" } else { "," };
            let label = (first + place * 7) % self.case.classes;
            let share = if place == 0 { score } else { (1.0 - score) * self.random.f32() / place as f32 };
            write!(listed, r#"{comma}{{"label":"class_number_{label}","score":{share}}}"#).expect("texts grow");
        }
        let payload = format!(
            r#"{{"text":"{text}","language":"l{}","label":"class_number_{first}","score":{score},"labels":[{listed}],"model":{{"name":"banking77-minilm","version":"1","digest":"sha256:{}"}},"signals":{{"characters":{},"n_tokens":{},"truncated":false,"unknown_rate":{},"entropy":{},"margin":{}}},"source":{{"topic":"messages","partition":3,"offset":{},"event_time_ms":{TIME_MS}}}}}"#,
            self.random.u8(..20),
            "0".repeat(64),
            text.len(),
            text.len() / 4 + 2,
            self.random.f32() * 0.1,
            self.random.f32(),
            self.random.f32(),
            self.random.u32(..),
        );
        RawEvent {
            origin: Origin { topic: "labels".into(), partition: 0, offset: 0 },
            key: None,
            payload: Some(payload.into_bytes()),
            headers: vec![Header {
                name: "source".to_owned(),
                value: Some(format!("s{}", self.random.u8(..60)).into_bytes()),
            }],
            timestamp_ms: Some(TIME_MS),
        }
    }
}

/// The outcome of a step and how long it took.
fn timed<T>(step: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let outcome = step();
    (outcome, start.elapsed())
}
