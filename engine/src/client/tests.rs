use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use service::chain;

use super::*;
use crate::engine::Engine;
use crate::fake::{Fake, LIMITS, WORDS, answers, borrowed, client, client_of, failures, labels, loaded, slot};
use crate::queue::Limits;
use crate::slot::Prediction;
use crate::tokens::LongText;

#[test]
fn answers_in_order_and_only_the_poison_has_no_answer() {
    let texts = ["good", "bad bad", "so poison", "good nan", "so good", "bad"];
    for sessions in 1..4 {
        let found = client(sessions, 0, LongText::Head).predict(&texts).expect("the model works on most texts");
        let of = |place: usize| found[place].as_ref().map(|prediction| prediction.labels.label.clone());
        for (place, expected) in [(0, "positive"), (1, "negative"), (4, "positive"), (5, "negative")] {
            assert_eq!(of(place).expect("a prediction").as_deref(), Some(expected), "{}", texts[place]);
        }
        let error = |place: usize| chain(&**of(place).expect_err("no prediction"));
        assert!(error(2).contains("poison"), "{}", error(2));
        assert!(error(3).contains("not a finite number"), "{}", error(3));
    }
}

#[test]
fn no_texts_and_poison_only() {
    let client = client(2, 0, LongText::Head);
    assert_eq!(answers(&client, &[]), []);
    assert_eq!(failures(&client, &["poison", "so poison"]), 2, "two are below the limit");
}

#[test]
fn identical_texts_run_once_together_and_not_again_while_they_are_remembered() {
    let rows_of = |cache_entries: usize, requests: &[&[&str]]| {
        let fake = Fake::default();
        let client = client_of(vec![fake.clone()], cache_entries, LongText::Head);
        requests.iter().for_each(|texts| drop(answers(&client, texts)));
        fake.seen.rows.load(Ordering::Relaxed)
    };
    assert_eq!(rows_of(10, &[&["good", "good", "bad", "good"], &["bad", "good"]]), 2);
    assert_eq!(rows_of(0, &[&["good", "good"], &["good"]]), 2);
    assert_eq!(
        rows_of(10, &[&["poison"], &["poison"]]),
        6,
        "a failure is not: each time a second try and a known text"
    );
}

#[test]
fn slots_of_one_model_have_their_own_rules_and_caches() {
    let fake = Fake::default();
    let slots = ["positive", "praise"].map(|name| slot(name, 10, LongText::Head));
    let clients = Engine::new(LIMITS).add(loaded(vec![fake.clone()], slots.into()));
    for _ in 0..2 {
        assert_eq!(labels(&clients[0], &["good"]), [Some("positive".to_owned())]);
        assert_eq!(labels(&clients[1], &["good"]), [Some("praise".to_owned())]);
    }
    assert_eq!(fake.seen.rows.load(Ordering::Relaxed), 2);
}

#[test]
fn what_a_dropped_caller_asked_for_is_not_run() {
    let fake = Fake::default();
    let client = client_of(vec![fake.clone()], 0, LongText::Head);
    fake.seen.gate.close();
    let caller = client.caller(|_, _| {});
    let texts: Vec<String> = (0..100).map(|number| format!("good {}", "so ".repeat(number))).collect();
    assert!(caller.submit((0..).zip(borrowed(&texts))).is_empty());
    while fake.seen.runs.load(Ordering::Relaxed) == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    drop(caller);
    fake.seen.gate.open();
    assert_eq!(labels(&client, &["bad"]), [Some("negative".to_owned())]);
    let rows = fake.seen.rows.load(Ordering::Relaxed);
    assert!(rows <= 9, "the run that had begun, of 8 rows at most, and the other caller's: {rows}");
}

#[test]
fn bytes_under_way_are_bounded_and_a_larger_text_comes_in_alone() {
    let fake = Fake::default();
    let limits = Limits { bytes_max: 20, passed_over_max: 2 };
    let clients = Engine::new(limits).add(loaded(vec![fake.clone()], vec![slot("positive", 0, LongText::Head)]));
    fake.seen.gate.close();
    let (tell, told) = sync_channel(10);
    let caller = clients[0].caller(move |place, news| {
        if let News::Answered(_) = news {
            tell.send(place).expect("the test listens");
        }
    });
    let long = "good ".repeat(20);
    let (accept, accepted) = sync_channel(10);
    thread::scope(|scope| {
        scope.spawn(|| {
            for (place, text) in (0..).zip(["good good", "bad", &long, "so"]) {
                assert!(caller.submit([(place, text)]).is_empty());
                accept.send(place).expect("the test listens");
            }
        });
        assert_eq!((accepted.recv(), accepted.recv()), (Ok(0), Ok(1)));
        assert!(
            accepted.recv_timeout(Duration::from_millis(50)).is_err(),
            "12 bytes are under way, 100 more do not fit"
        );
        fake.seen.gate.open();
        let mut answered: Vec<u64> = (0..4).map(|_| told.recv().expect("all are answered")).collect();
        answered.sort_unstable();
        assert_eq!(answered, [0, 1, 2, 3]);
    });
}

#[test]
fn an_engine_whose_thread_panics_answers_everybody() {
    let client = client(1, 0, LongText::Head);
    let rude = client.caller(|_, _| panic!("planted: a caller"));
    assert!(rude.submit([(0, "so")]).is_empty());
    while !matches!(client.predict(&["good"]), Err(LabelError::Ended | LabelError::StillBroken)) {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn windows_of_a_long_text_are_pooled_and_one_bad_window_fails_the_text() {
    let strided = LongText::Strided { overlap: 0, windows_max: 9 };
    let client = client(2, 0, strided);
    let found = answers(&client, &["bad bad so so good good good", "good", "good so so so poison"]);
    let label = |place: usize| {
        let prediction: Option<&Prediction> = found[place].as_ref();
        prediction.and_then(|prediction| prediction.labels.label.clone())
    };
    assert_eq!(label(0).as_deref(), Some("positive"));
    assert_eq!(label(1).as_deref(), Some("positive"));
    assert_eq!(label(2), None);
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
        let together = client(sessions, cache_entries, LongText::Head);
        let apart = client(1, 0, LongText::Head);
        for window in texts.chunks(7) {
            let window: Vec<&str> = window.iter().map(String::as_str).collect();
            let batch = answers(&together, &window);
            for (text, answer) in window.iter().zip(batch) {
                prop_assert_eq!(Some(answer), answers(&apart, &[text]).pop());
            }
        }
    }
}

#[test]
fn without_waiting_all_texts_come_in_or_none() {
    let fake = Fake::default();
    let limits = Limits { bytes_max: 20, passed_over_max: 2 };
    let client =
        Engine::new(limits).add(loaded(vec![fake.clone()], vec![slot("positive", 9, LongText::Head)])).remove(0);
    assert_eq!(labels(&client, &["so good"]), [Some("positive".to_owned())]);
    fake.seen.gate.close();
    let caller = client.caller(|_, _| {});
    assert_eq!(caller.try_submit([(0, "good good"), (1, "bad")]).map(|known| known.len()), Ok(0));
    let full = caller.try_submit([(2, "bad bad"), (3, "so")]).expect_err("21 bytes are more than 20");
    assert_eq!((full.texts, full.bytes, full.bytes_max), (2, 12, 20));
    assert!(full.waited > Duration::ZERO, "one text was answered");
    assert_eq!(caller.try_submit([(4, "so good"), (5, "bad")]).map(|known| known.len()), Ok(1), "they need no room");
    assert_eq!(caller.try_submit([(6, "bad bad")]).map(|known| known.len()), Ok(0), "19 bytes");
    let other = client.of_class(Class::Interactive).caller(|_, _| {});
    assert_eq!(other.try_submit([(7, "bad bad bad bad")]).map(|known| known.len()), Ok(0), "a class of its own");
    fake.seen.gate.open();
}

#[test]
fn nobody_slips_in_before_those_who_wait() {
    let fake = Fake::default();
    let limits = Limits { bytes_max: 10_000, passed_over_max: 2 };
    let client =
        Engine::new(limits).add(loaded(vec![fake.clone()], vec![slot("positive", 0, LongText::Head)])).remove(0);
    fake.seen.gate.close();
    let caller = client.caller(|_, _| {});
    assert!(caller.submit([(0, "good")]).is_empty());
    thread::scope(|scope| {
        let long = "good ".repeat(2_000);
        let waiting = scope.spawn(move || client.predict(&[&long]));
        // Short texts have room until the long one waits for its turn.
        let refused = (1..1_000u64).find_map(|place| {
            thread::sleep(Duration::from_millis(1));
            caller.try_submit([(place, &*place.to_string())]).err()
        });
        let full = refused.expect("the long text waits");
        assert!(full.bytes < 9_000, "there is room");
        fake.seen.gate.open();
        assert!(waiting.join().expect("no panic").is_ok_and(|answers| answers[0].is_ok()), "the long one came in");
    });
}
