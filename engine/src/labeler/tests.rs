use proptest::prelude::*;
use schemas::{Generation, Origin, RawEvent, UserValue};

use super::*;
use crate::label::ProblemType;
use crate::model::{ModelError, Scores, TokenBatch};
use crate::tokens::{LongText, TokenLimits};

const WORDS: [&str; 6] = ["good", "bad", "so", "poison", "nan", "panic"];
const POISON: i64 = 4;
const NAN: i64 = 5;
const PANIC: i64 = 6;

/// How a model breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Fails,
    NotFinite,
    WrongShape,
    Panics,
}

const FAULTS: [Fault; 4] = [Fault::Fails, Fault::NotFinite, Fault::WrongShape, Fault::Panics];

/// Scores of a text follow from its own words; three words make it misbehave.
#[derive(Clone, Default)]
struct Fake {
    runs: usize,
    rows: usize,
    /// From this run on it is broken, on any text.
    breaks: Option<(usize, Fault)>,
}

impl Model for Fake {
    fn scores(&mut self, batch: &TokenBatch) -> Result<Scores, ModelError> {
        self.runs += 1;
        self.rows += batch.rows;
        assert!(!batch.input_ids.contains(&PANIC), "planted");
        match self.breaks.filter(|(run, _)| self.runs > *run) {
            None => {}
            Some((_, Fault::Fails)) => {
                return Err(ModelError::Run { rows: batch.rows, columns: batch.columns, source: "device lost".into() });
            }
            Some((_, Fault::NotFinite)) => return Ok(Scores { logits: vec![f32::NAN; 2 * batch.rows], classes: 2 }),
            Some((_, Fault::WrongShape)) => return Ok(Scores { logits: vec![0.0; 3 * batch.rows], classes: 3 }),
            Some((_, Fault::Panics)) => panic!("planted: broken"),
        }
        if batch.input_ids.contains(&POISON) {
            return Err(ModelError::Run { rows: batch.rows, columns: batch.columns, source: "poison".into() });
        }
        let mut logits = Vec::new();
        for row in 0..batch.rows {
            let columns = row * batch.columns..(row + 1) * batch.columns;
            let count = |id: i64| {
                let own = columns.clone().filter(|at| batch.attention_mask[*at] == 1);
                own.filter(|at| batch.input_ids[*at] == id).count() as f32
            };
            logits.push(if count(NAN) > 0.0 { f32::NAN } else { count(1) });
            logits.push(count(2));
        }
        Ok(Scores { logits, classes: 2 })
    }
}

fn labeler(sessions: usize, cache_entries: usize, long_text: LongText) -> Labeler<Fake> {
    labeler_of(vec![Fake::default(); sessions], cache_entries, long_text)
}

fn labeler_of(sessions: Vec<Fake>, cache_entries: usize, long_text: LongText) -> Labeler<Fake> {
    let limit = |value| NonZeroUsize::new(value).expect("tests use positive limits");
    let tokens = Tokens::of_words(&WORDS, TokenLimits { tokens_max: 4, long_text });
    let rules = Rules {
        problem_type: ProblemType::Softmax,
        names: vec!["positive".into(), "negative".into()],
        temperature: 1.0,
        abstain_below: None,
        thresholds: vec![None, None],
        top_k: 2,
    };
    let model = ModelId { name: "fake".to_owned(), version: "1".to_owned(), digest: "sha256:0".to_owned() };
    Labeler::new(
        Arc::new(model),
        tokens.expect("the limits leave room"),
        rules,
        sessions,
        LabelerConfig {
            tokens_per_run: limit(8),
            rows_per_run: limit(8),
            pool: Pool::Max,
            cache_entries,
            failures_max: limit(4),
        },
    )
}

fn events(texts: &[&str]) -> Batch<TextEvent> {
    let raws = texts.iter().zip(0..).map(|(text, offset)| RawEvent {
        origin: Origin { topic: "in".into(), partition: 0, offset },
        key: None,
        payload: Some(text.as_bytes().to_vec()),
        headers: Vec::new(),
        timestamp_ms: None,
    });
    Batch::read(raws.collect(), Generation::default()).try_map(|raw| {
        let text = String::from_utf8_lossy(raw.payload.as_deref().unwrap_or_default()).into_owned();
        Ok(TextEvent { raw, text, id: None, event_time_ms: None, value: UserValue::Text })
    })
}

fn answers(labeler: &mut Labeler<Fake>, texts: &[&str]) -> Vec<Option<Prediction>> {
    let answers = labeler.predict(texts).expect("the model works");
    answers.into_iter().map(|answer| answer.ok().map(|prediction| (*prediction).clone())).collect()
}

#[test]
fn labels_in_order_and_turns_only_the_poison_into_a_dead_letter() {
    let texts = ["good", "bad bad", "so poison", "good nan", "so good", "bad"];
    for sessions in 1..4 {
        let labeled =
            labeler(sessions, 0, LongText::Head).label(events(&texts)).expect("the model works on most texts");
        let labels: Vec<_> = labeled
            .items()
            .iter()
            .map(|event| (event.event.raw.origin.offset, event.labels.label.as_deref()))
            .collect();
        assert_eq!(
            labels,
            [(0, Some("positive")), (1, Some("negative")), (4, Some("positive")), (5, Some("negative"))]
        );
        let mut dead: Vec<_> = labeled.rejects().iter().collect();
        dead.sort_by_key(|letter| letter.raw.origin.offset);
        assert!(dead.iter().all(|letter| letter.reason == Reason::ModelFailed));
        assert!(dead[0].error.contains("poison"), "{}", dead[0].error);
        assert!(dead[1].error.contains("not a finite number"), "{}", dead[1].error);
    }
}

#[test]
fn an_empty_batch_and_a_batch_of_poison_only() {
    let mut labeler = labeler(2, 0, LongText::Head);
    assert_eq!(labeler.label(events(&[])).expect("nothing to do").records(), 0);
    let all = labeler.label(events(&["poison", "so poison"])).expect("two are below the limit");
    assert_eq!(all.rejects().len(), 2);
}

/// Texts that differ and that the model fails on.
fn poison(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("poison {}", "so ".repeat(number + 1))).collect()
}

fn borrowed(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// `failures_max` is 4 in these tests.
#[test]
fn any_number_of_texts_that_the_model_fails_on_become_dead_letters_and_the_rest_is_labelled() {
    for sessions in 1..4 {
        for count in [4, 5, 32, 100] {
            let mut labeler = labeler(sessions, 0, LongText::Head);
            let poison = poison(count);
            for text in &poison {
                let alone = labeler.label(events(&[text])).expect("one at a time, as at low load");
                assert_eq!(alone.rejects().len(), 1);
            }
            let mut texts = borrowed(&poison);
            texts.extend(["good", "bad"]);
            let labeled = labeler.label(events(&texts)).expect("the texts are to blame");
            let labels: Vec<_> = labeled.items().iter().map(|event| event.labels.label.as_deref()).collect();
            assert_eq!(labels, [Some("positive"), Some("negative")], "{sessions} sessions, {count} texts");
            assert_eq!(labeled.rejects().len(), count);
            assert!(labeled.rejects().iter().all(|letter| letter.reason == Reason::ModelFailed));
            let none_good = labeler.label(events(&borrowed(&poison))).expect("the texts are to blame, all of them");
            assert_eq!(none_good.rejects().len(), count);
        }
    }
}

#[test]
fn a_model_that_breaks_ends_the_labeler_before_a_record_loses_its_label() {
    for fault in FAULTS {
        for sessions in 1..4 {
            let breaks = Some((1, fault));
            let mut labeler = labeler_of(vec![Fake { breaks, ..Fake::default() }; sessions], 0, LongText::Head);
            assert!(labeler.predict(&["good"]).is_ok(), "it works once");
            let texts: Vec<String> = (0..40).map(|number| format!("good {}", "so ".repeat(number))).collect();
            // the other sessions work once, too
            let error = (0..sessions).find_map(|_| labeler.predict(&borrowed(&texts[..1])).err());
            let error = error.unwrap_or_else(|| labeler.predict(&borrowed(&texts)).expect_err("it is broken"));
            assert_eq!(error.recovery(), schemas::Recovery::Exit);
            let said = chain(&error);
            assert!(said.contains("in a row, and then on a text that it labelled before: "), "{fault:?}: {said}");
            assert!(labeler.predict(&["bad"]).is_err(), "broken stays broken");
        }
    }
}

#[test]
fn a_session_that_breaks_beside_a_sound_one_is_found() {
    for fault in FAULTS {
        let broken = Fake { breaks: Some((0, fault)), ..Fake::default() };
        let mut labeler = labeler_of(vec![Fake::default(), broken], 0, LongText::Head);
        let texts: Vec<String> = (0..64).map(|number| format!("good {}", "so bad ".repeat(number))).collect();
        let texts = borrowed(&texts);
        // which session takes which run is a race; it is lost by the broken one only while it has no work
        let error = (0..1_000).find_map(|_| labeler.predict(&texts).err());
        assert!(error.is_some_and(|error| matches!(error, LabelError::Broken { .. })), "{fault:?}");
    }
}

#[test]
fn before_anything_was_labelled_a_plain_text_or_a_golden_one_tells() {
    let broken = vec![Fake { breaks: Some((0, Fault::Fails)), ..Fake::default() }];
    let said = |labeler: &mut Labeler<Fake>| chain(&labeler.predict(&["good"]).expect_err("it is broken"));
    let mut plain = labeler_of(broken.clone(), 0, LongText::Head);
    assert!(said(&mut plain).contains("on a plain greeting: run the model on 1 texts"), "{}", said(&mut plain));
    let mut golden = labeler_of(broken, 0, LongText::Head);
    golden.knows("good bad");
    let error = said(&mut golden);
    assert!(error.contains("the model failed on 1 in a row, and then on a golden text of its package: "), "{error}");
}

#[test]
fn a_batch_of_poison_costs_a_bounded_number_of_runs() {
    for (sessions, count) in [(1, 100), (1, 500), (3, 500)] {
        let poison = poison(count);
        let mut labeler = labeler(sessions, 0, LongText::Head);
        assert_eq!(labeler.label(events(&borrowed(&poison))).expect("the texts are to blame").rejects().len(), count);
        let runs: usize = labeler.into_sessions().iter().map(|session| session.runs).sum();
        assert!(runs <= 3 * count + count / 4 + sessions, "{runs} runs for {count} texts on {sessions} sessions");
    }
}

#[test]
fn a_text_on_which_the_model_panics_becomes_a_dead_letter() {
    let texts = ["good so so so", "bad bad bad bad", "so bad so bad", "good good so panic"];
    for sessions in 1..4 {
        let mut labeler = labeler(sessions, 0, LongText::Head);
        let labeled = labeler.label(events(&texts)).expect("the model works on the others");
        assert_eq!((labeled.items().len(), labeled.rejects().len()), (3, 1), "{sessions} sessions");
        let letter = &labeled.rejects()[0];
        assert_eq!((letter.raw.origin.offset, letter.error.as_str()), (3, "run the model: it panicked"));
    }
}

#[test]
fn identical_texts_run_once_in_a_batch_and_not_again_in_the_next() {
    let mut cached = labeler(1, 10, LongText::Head);
    answers(&mut cached, &["good", "good", "bad", "good"]);
    answers(&mut cached, &["bad", "good"]);
    assert_eq!(cached.into_sessions()[0].rows, 2);
    let mut uncached = labeler(1, 0, LongText::Head);
    answers(&mut uncached, &["good", "good"]);
    answers(&mut uncached, &["good"]);
    assert_eq!(uncached.into_sessions()[0].rows, 2);
}

#[test]
fn a_failure_is_not_remembered() {
    let mut cached = labeler(1, 10, LongText::Head);
    assert_eq!(answers(&mut cached, &["poison"]), [None]);
    assert_eq!(answers(&mut cached, &["poison"]), [None]);
    assert_eq!(cached.into_sessions()[0].rows, 6, "each time a second try and a known text");
}

#[test]
fn windows_of_a_long_text_are_pooled_and_one_bad_window_fails_the_text() {
    let strided = LongText::Strided { overlap: 0, windows_max: 9 };
    let mut labeler = labeler(2, 0, strided);
    let found = answers(&mut labeler, &["bad bad so so good good good", "good", "good so so so poison"]);
    let label = |place: usize| {
        let prediction: Option<&Prediction> = found[place].as_ref();
        prediction.and_then(|prediction| prediction.labels.label.clone())
    };
    assert_eq!(label(0).as_deref(), Some("positive"));
    assert_eq!(label(1).as_deref(), Some("positive"));
    assert_eq!(label(2), None);
}

#[test]
fn pools_by_maximum_or_mean() {
    let windows = || vec![(0, vec![1.0, -2.0]), (1, vec![3.0, -4.0])];
    assert_eq!(pool(Pool::Max, windows()), [3.0, -2.0]);
    assert_eq!(pool(Pool::Mean, windows()), [2.0, -3.0]);
    assert!(pool(Pool::Max, Vec::new()).is_empty());
    assert_eq!(pool(Pool::Mean, vec![(0, vec![f32::MAX]), (1, vec![f32::MAX])]), [f32::MAX]);
}

proptest! {
    #[test]
    fn a_text_gets_the_same_answer_alone_in_a_batch_and_from_the_cache(
        texts in prop::collection::vec(prop::collection::vec(0..5usize, 0..9), 1..40),
        sessions in 1..4usize,
        cache_entries in 0..10usize,
    ) {
        let texts: Vec<String> = texts.iter().map(|words| {
            words.iter().map(|word| WORDS[*word]).collect::<Vec<_>>().join(" ") + " good"
        }).collect();
        let mut together = labeler(sessions, cache_entries, LongText::Head);
        let mut apart = labeler(1, 0, LongText::Head);
        for window in texts.chunks(7) {
            let window: Vec<&str> = window.iter().map(String::as_str).collect();
            let batch = answers(&mut together, &window);
            for (text, answer) in window.iter().zip(batch) {
                prop_assert_eq!(Some(answer), answers(&mut apart, &[text]).pop());
            }
        }
    }
}
