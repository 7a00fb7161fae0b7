use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::prelude::*;
use schemas::{Generation, Origin, RawEvent};

use super::*;
use crate::label::ProblemType;
use crate::model::{ModelError, Scores, TokenBatch};
use crate::tokens::{LongText, TokenLimits};

const WORDS: [&str; 6] = ["good", "bad", "so", "poison", "nan", "panic"];
const POISON: i64 = 4;
const NAN: i64 = 5;
const PANIC: i64 = 6;

/// Scores of a text follow from its own words; three words make it misbehave.
#[derive(Clone, Default)]
struct Fake {
    runs: usize,
    rows: usize,
}

impl Model for Fake {
    fn scores(&mut self, batch: &TokenBatch) -> Result<Scores, ModelError> {
        self.runs += 1;
        self.rows += batch.rows;
        assert!(!batch.input_ids.contains(&PANIC), "planted");
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
        vec![Fake::default(); sessions],
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
        Ok(TextEvent { raw, text, id: None, event_time_ms: None, fields: None })
    })
}

fn answers(labeler: &mut Labeler<Fake>, texts: &[&str]) -> Vec<Option<Judged>> {
    let answers = labeler.judge(texts).expect("the model works");
    answers.into_iter().map(|answer| answer.ok().map(|judged| (*judged).clone())).collect()
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

#[test]
fn a_model_that_always_fails_ends_the_labeler_across_batches_and_one_success_starts_anew() {
    let mut labeler = labeler(1, 0, LongText::Head);
    let three = ["poison", "so poison", "bad poison"];
    assert!(labeler.judge(&three).is_ok());
    assert!(labeler.judge(&["good"]).is_ok());
    assert!(labeler.judge(&three).is_ok());
    let error = labeler.judge(&["poison"]).expect_err("the fourth failure in a row");
    assert_eq!(error.recovery(), schemas::Recovery::Exit);
    assert!(error.to_string().contains("4 texts in a row"), "{error}");
    assert!(labeler.judge(&["poison good"]).is_err(), "broken stays broken");
}

#[test]
fn a_panic_in_any_session_is_a_panic_of_the_call() {
    let texts = ["good so so so", "bad bad bad bad", "so bad so bad", "good good so panic"];
    for sessions in 1..4 {
        let mut labeler = labeler(sessions, 0, LongText::Head);
        let caught = catch_unwind(AssertUnwindSafe(|| labeler.judge(&texts).is_ok()));
        let panic = caught.expect_err("the model panicked");
        let message = panic.downcast_ref::<&str>().copied();
        assert_eq!(message, Some("planted"), "{sessions} sessions");
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
    assert_eq!(cached.into_sessions()[0].rows, 4, "each time a second try");
}

#[test]
fn windows_of_a_long_text_are_pooled_and_one_bad_window_fails_the_text() {
    let strided = LongText::Strided { overlap: 0, windows_max: 9 };
    let mut labeler = labeler(2, 0, strided);
    let found = answers(&mut labeler, &["bad bad so so good good good", "good", "good so so so poison"]);
    let label = |place: usize| {
        let judged: Option<&Judged> = found[place].as_ref();
        judged.and_then(|judged| judged.labels.label.clone())
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
        // the streak of failures is another test's matter
        together.streak = FailureStreak::new(usize::MAX);
        apart.streak = FailureStreak::new(usize::MAX);
        for window in texts.chunks(7) {
            let window: Vec<&str> = window.iter().map(String::as_str).collect();
            let batch = answers(&mut together, &window);
            for (text, answer) in window.iter().zip(batch) {
                prop_assert_eq!(Some(answer), answers(&mut apart, &[text]).pop());
            }
        }
    }
}
