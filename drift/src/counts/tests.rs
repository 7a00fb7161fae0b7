//! What must hold of counts whatever is counted: parts merge to the whole, bytes are canonical, damage is an error.

use std::collections::{BTreeMap, BTreeSet};

use formats::dead_letter;
use proptest::prelude::*;
use schemas::{Header, Origin, RawEvent};
use serde_json::json;

use super::coding::{Writer, unpack};
use super::*;
use crate::feature::Feature;
use crate::observation::{EmbeddingSettings, Observer, ObserverSettings};

/// More than the caps allow, so that they are active.
const LABELS: u8 = 12;
const DEAD_LETTERS: &str = "messages-dead";

/// One record, as proptest draws it.
#[derive(Clone, Debug)]
struct Draw {
    label: u8,
    score: f64,
    words: Vec<u16>,
    source: u8,
    language: Option<u8>,
    characters: Option<u32>,
    value: Option<f32>,
    embedding: Option<[f32; 2]>,
    ahead: bool,
    dead: bool,
    /// Which of two observers reads it: settings may change inside a window.
    other_settings: bool,
}

fn draw() -> impl Strategy<Value = Draw> {
    let options = (
        prop::option::of(0..8_u8),
        prop::option::of(0..100_000_u32),
        prop::option::of(-1e9..1e9_f32),
        prop::option::of([-2.0..2.0_f32, -2.0..2.0_f32]),
    );
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.1), prop::bool::weighted(0.2));
    (0..=LABELS, 0.0..=1.0_f64, prop::collection::vec(0..200_u16, 0..8), 0..8_u8, options, flags).prop_map(
        |(label, score, words, source, (language, characters, value, embedding), (ahead, dead, other_settings))| Draw {
            label,
            score,
            words,
            source,
            language,
            characters,
            value,
            embedding,
            ahead,
            dead,
            other_settings,
        },
    )
}

fn observers() -> [Observer; 2] {
    [(5, 3, 7), (4, 4, 8)].map(|(labels_max, slices_max, seed)| {
        let settings = ObserverSettings {
            slices: ["header:source", "field:/language", "model"].map(str::to_owned).into(),
            slices_max,
            labels_max,
            dead_letter_topics: vec![DEAD_LETTERS.to_owned()],
            embedding: Some(EmbeddingSettings {
                pointer: "/embedding".to_owned(),
                dimensions: 2,
                frequencies: 3,
                bandwidth: 1.0,
                seed,
            }),
            ..ObserverSettings::default()
        };
        Observer::new(settings.try_into().expect("good settings"))
    })
}

/// A word or number, some of them in scripts without spaces.
fn word(number: u16) -> String {
    match number % 10 {
        0 => number.to_string(),
        1 => char::from_u32(0x4e00 + u32::from(number)).map_or_else(String::new, String::from),
        _ => format!("Word{number}"),
    }
}

fn text(draw: &Draw) -> String {
    draw.words.iter().map(|number| word(*number)).collect::<Vec<_>>().join(" ")
}

fn record(draw: &Draw) -> RawEvent {
    let time_ms = 1_795_395_723_456_i64;
    let label = (draw.label < LABELS).then(|| format!("label {}", draw.label));
    let payload = json!({
        "text": text(draw),
        "language": draw.language.map(|number| format!("l{number}")),
        "embedding": draw.embedding,
        "label": label,
        "score": draw.score,
        "labels": [{"label": format!("label {}", draw.label), "score": draw.score}, {"label": "another", "score": 0.0}],
        "value": draw.value,
        "model": {"name": "m", "version": (draw.source % 2).to_string()},
        "signals": {"characters": draw.characters, "truncated": draw.ahead, "entropy": 1.0 - draw.score},
        "source": {"event_time_ms": time_ms + if draw.ahead { 80_000 } else { 0 }},
    });
    let raw = RawEvent {
        origin: Origin { topic: "labels".into(), partition: 0, offset: 0 },
        key: None,
        payload: Some(payload.to_string().into_bytes()),
        headers: vec![Header { name: "source".to_owned(), value: Some(format!("s{}", draw.source).into_bytes()) }],
        timestamp_ms: Some(time_ms),
    };
    if !draw.dead {
        return raw;
    }
    let reason = schemas::Reason::ALL[usize::from(draw.label) % schemas::Reason::ALL.len()];
    let letter = schemas::DeadLetter::new(raw, reason, "why");
    let headers = dead_letter::headers(&letter);
    RawEvent { headers, origin: Origin { topic: DEAD_LETTERS.into(), ..letter.raw.origin }, ..letter.raw }
}

fn observations(draws: &[Draw]) -> Vec<Observation> {
    let observers = observers();
    let observe = |draw: &Draw| observers[usize::from(draw.other_settings)].observe(&record(draw), i64::MAX);
    draws.iter().map(|draw| observe(draw).expect("a good record")).collect()
}

fn counts<'a>(observations: impl IntoIterator<Item = &'a Observation>) -> WindowCounts {
    let mut counts = WindowCounts::default();
    observations.into_iter().for_each(|observation| counts.observe(observation));
    counts
}

/// Splits the observations over `parts` counts in a random order, and merges those in a random tree.
fn in_parts(observations: &[Observation], parts: usize, random: &mut fastrand::Rng) -> WindowCounts {
    let mut order: Vec<_> = observations.iter().collect();
    random.shuffle(&mut order);
    let mut counts = vec![WindowCounts::default(); parts];
    for observation in order {
        counts[random.usize(..parts)].observe(observation);
    }
    while counts.len() > 1 {
        let one = counts.swap_remove(random.usize(..counts.len()));
        let place = random.usize(..counts.len());
        // A part may have been stored in between.
        let one = if random.bool() { WindowCounts::decode(&one.encode()).expect("our own bytes") } else { one };
        counts[place].merge(&one);
    }
    counts.swap_remove(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn parts_merge_to_the_bits_of_the_whole(draws in prop::collection::vec(draw(), 0..80), parts in 1..=6_usize, seed in any::<u64>()) {
        let observations = observations(&draws);
        let whole = counts(&observations);
        let merged = in_parts(&observations, parts, &mut fastrand::Rng::with_seed(seed));
        prop_assert_eq!(merged.encode(), whole.encode());
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(WindowCounts::decode(&whole.encode()).expect("our own bytes"), whole);
    }

    /// Some bits of a zstd frame's header, such as the size of its window, say nothing of the content: then, and only then,
    /// damage is not seen, and the counts are the same.
    #[test]
    fn damaged_bytes_never_give_other_counts(draws in prop::collection::vec(draw(), 0..10), place in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let whole = counts(&observations(&draws));
        let mut bytes = whole.encode();
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        if let Ok(read) = WindowCounts::decode(&bytes) {
            prop_assert_eq!(read, whole);
        }
        bytes[place] ^= flip;
        prop_assert!(WindowCounts::decode(&bytes[..place]).is_err());
        bytes.push(flip);
        prop_assert!(WindowCounts::decode(&bytes).is_err());
    }

    /// Bytes that were made up and packed well: whatever is accepted is canonical, and can be counted on.
    #[test]
    fn invented_bytes_are_refused_or_canonical(
        draws in prop::collection::vec(draw(), 0..10),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let good = counts(&observations(&draws));
        let mut invented = unpack(&good.encode()).expect("our own bytes");
        for (place, byte) in changes {
            let place = place.index(invented.len());
            invented[place] = byte;
        }
        let mut writer = Writer::default();
        writer.raw(&invented);
        if let Ok(mut accepted) = WindowCounts::decode(&writer.finish()) {
            prop_assert_eq!(unpack(&accepted.encode()).expect("our own bytes"), invented);
            accepted.merge(&good);
            accepted.observe(&observations(&[draws.first().cloned().unwrap_or_else(plain)])[0]);
        }
    }

    #[test]
    fn counts_are_those_of_a_plain_count(draws in prop::collection::vec(draw(), 1..60)) {
        let draws: Vec<_> = draws.into_iter().map(|draw| Draw { dead: false, label: draw.label % 4, ..draw }).collect();
        let window = counts(&observations(&draws));
        let all = window.all();
        prop_assert_eq!(window.records(), draws.len() as u64);
        prop_assert_eq!(window.clamped(), draws.iter().filter(|draw| draw.ahead).count() as u64);
        let Some(View::Categories(labels)) = all.view(&Feature::Label) else { panic!("labels") };
        for label in 0..4_u8 {
            let expected = draws.iter().filter(|draw| draw.label == label).count() as u64;
            prop_assert_eq!(labels.get(&format!("label {label}")), expected);
        }
        let Some(View::Histogram(scores)) = all.view(&Feature::Score) else { panic!("scores") };
        let mean = draws.iter().map(|draw| draw.score).sum::<f64>() / draws.len() as f64;
        prop_assert!((scores.mean().expect("scores") - mean).abs() < 1e-9);
        let without = draws.iter().filter(|draw| draw.value.is_none()).count() as u64;
        prop_assert_eq!(all.missing(&Feature::Value), without);
        let texts: BTreeSet<_> = draws.iter().map(text).collect();
        let Some(View::Distinct(distinct)) = all.view(&Feature::Duplicates) else { panic!("texts") };
        prop_assert_eq!((distinct.added(), distinct.estimate()), (draws.len() as u64, texts.len() as f64));
        check_words(all, &draws);
    }
}

/// Document frequencies against a map of sets.
fn check_words(all: &Counts, draws: &[Draw]) {
    let mut plain: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (place, draw) in draws.iter().enumerate() {
        for number in &draw.words {
            let word = if number % 10 == 0 { crate::text::NUMBER.to_owned() } else { word(*number).to_lowercase() };
            plain.entry(word).or_default().insert(place);
        }
    }
    let Some(View::Words(words)) = all.view(&Feature::Words) else { panic!("words") };
    assert_eq!(words.texts(), draws.len() as u64);
    for word in words.kept() {
        assert_eq!(words.get(word.word), Some(word.texts));
        assert!(words.bucket(word.bucket) >= word.texts);
        assert_eq!(plain.remove(word.word).map(|texts| texts.len() as u64), Some(word.texts), "{word:?}");
    }
    // 200 words hardly ever put three into one bucket
    assert!(plain.is_empty(), "{plain:?}");
}

fn plain() -> Draw {
    Draw {
        label: 0,
        score: 0.5,
        words: vec![2],
        source: 0,
        language: None,
        characters: None,
        value: None,
        embedding: Some([0.0, 0.0]),
        ahead: false,
        dead: false,
        other_settings: false,
    }
}

/// The same past the steps from lists to arrays and from exact texts to registers.
#[test]
fn large_parts_merge_to_the_bits_of_the_whole() {
    let mut random = fastrand::Rng::with_seed(4);
    let mut draws = Vec::new();
    for n in 0..2000_u16 {
        let words = std::iter::repeat_with(|| random.u16(..)).take(3).collect();
        let (label, source) = (random.u8(..=LABELS), random.u8(..8));
        let (characters, value) = (Some(random.u32(..5000)), Some(random.f32() * 1e6));
        draws.push(Draw { label, score: random.f64(), words, source, characters, value, dead: n % 50 == 0, ..plain() });
    }
    let observations = observations(&draws);
    let whole = counts(&observations);
    for parts in [1, 2, 6, 40] {
        let merged = in_parts(&observations, parts, &mut random);
        assert_eq!(merged.encode(), whole.encode(), "{parts} parts");
        assert_eq!(merged, whole);
    }
    let Some(View::Distinct(texts)) = whole.all().view(&Feature::Duplicates) else { panic!("texts") };
    assert!(texts.relative_error() > 0.0, "registers are in use");
}

#[test]
fn caps_pool_the_rest_and_lose_nothing() {
    let draws: Vec<_> = (0..96).map(|n| Draw { label: n % 12, source: n % 8, ..plain() }).collect();
    let window = counts(&observations(&draws));
    let Some(View::Categories(labels)) = window.all().view(&Feature::Label) else { panic!("labels") };
    assert_eq!((labels.iter().count(), labels.total(), labels.other()), (5, 96, 7 * 8));
    assert!(labels.iter().all(|(_, count)| count == 8));
    let slices = window.slices();
    let of_source: Vec<_> = slices.iter().filter(|(slice, _)| slice.to_string().starts_with("header:source")).collect();
    assert_eq!(of_source.len(), 4);
    assert_eq!(of_source.iter().map(|(_, counts)| counts.events()).collect::<Vec<_>>(), [12, 12, 12, 60]);
    for (slice, counts) in slices {
        assert_eq!(window.slice(&slice), Some(counts), "{slice}");
        let Some(View::Categories(labels)) = counts.view(&Feature::Label) else { panic!("labels") };
        assert_eq!(labels.total(), counts.events());
        assert!(labels.iter().count() <= 5, "{slice}");
        assert!(counts.view(&Feature::Words).is_none(), "words are counted for all events only");
    }
}

#[test]
fn an_empty_window_has_no_features() {
    let window = WindowCounts::default();
    assert_eq!((window.records(), window.all().features()), (0, Vec::new()));
    assert_eq!(WindowCounts::decode(&window.encode()).expect("our own bytes"), window);
}

#[test]
fn counts_without_words_make_others_forget() {
    let known = counts(&observations(&[plain()]));
    let mut forgetful = known.clone();
    forgetful.forget_words();
    assert_eq!(WindowCounts::decode(&forgetful.encode()).expect("our own bytes"), forgetful);
    let mut merged = known.clone();
    merged.merge(&forgetful);
    forgetful.merge(&known);
    assert_eq!(merged, forgetful);
    let Some(View::Words(words)) = merged.all().view(&Feature::Words) else { panic!("words") };
    assert_eq!((words.texts(), words.kept(), words.get("word2")), (2, Vec::new(), None));
    assert_eq!(words.buckets().iter().map(|(_, texts)| *texts).collect::<Vec<_>>(), [2]);
}
