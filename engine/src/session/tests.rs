use std::sync::atomic::Ordering;

use service::chain;

use crate::client::Client;
use crate::engine::Engine;
use crate::error::LabelError;
use crate::fake::{BREAKAGES, Breakage, Fake, LIMITS, borrowed, client, client_of, failures, labels, loaded, slot};
use crate::tokens::LongText;

/// Texts that differ and that the model fails on.
fn poison(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("poison {}", "so ".repeat(number + 1))).collect()
}

/// `failures_max` is 4 in these tests.
#[test]
fn any_number_of_texts_that_the_model_fails_on_have_no_answer_and_the_rest_has() {
    for sessions in 1..4 {
        for count in [4, 5, 32, 100] {
            let client = client(sessions, 0, LongText::Head);
            let poison = poison(count);
            for text in &poison {
                assert_eq!(failures(&client, &[text]), 1, "one at a time, as at low load");
            }
            let mut texts = borrowed(&poison);
            texts.extend(["good", "bad"]);
            let found = labels(&client, &texts);
            assert!(found[..count].iter().all(Option::is_none));
            let expected = ["positive", "negative"].map(|label| Some(label.to_owned()));
            assert_eq!(found[count..], expected, "{sessions} sessions, {count} texts");
            assert_eq!(failures(&client, &borrowed(&poison)), count, "all of them are to blame");
        }
    }
}

#[test]
fn a_model_that_breaks_is_given_up_before_a_text_loses_its_label() {
    for breakage in BREAKAGES {
        for sessions in 1..4 {
            let breaks = Some((1, breakage));
            let client = client_of(vec![Fake { breaks, ..Fake::default() }; sessions], 0, LongText::Head);
            assert!(client.predict(&["good"]).is_ok(), "it works once");
            let texts: Vec<String> = (0..40).map(|number| format!("good {}", "so ".repeat(number))).collect();
            // the other sessions work once, too
            let error = (0..sessions).find_map(|_| client.predict(&borrowed(&texts[..1])).err());
            let error = error.unwrap_or_else(|| client.predict(&borrowed(&texts)).expect_err("it is broken"));
            assert_eq!(error.recovery(), schemas::Recovery::Exit);
            let said = chain(&error);
            assert!(said.contains("in a row, and then on a text that it labelled before: "), "{breakage:?}: {said}");
            assert!(client.predict(&["bad"]).is_err(), "broken stays broken");
        }
    }
}

#[test]
fn a_session_that_breaks_beside_a_sound_one_is_found() {
    for breakage in BREAKAGES {
        let broken = Fake { breaks: Some((0, breakage)), ..Fake::default() };
        let client = client_of(vec![Fake::default(), broken], 0, LongText::Head);
        let texts: Vec<String> = (0..64).map(|number| format!("good {}", "so bad ".repeat(number))).collect();
        let texts = borrowed(&texts);
        // which session takes which run is a race; it is lost by the broken one only while it has no work
        let error = (0..1_000).find_map(|_| client.predict(&texts).err());
        assert!(error.is_some_and(|error| matches!(error, LabelError::Broken { .. })), "{breakage:?}");
    }
}

#[test]
fn before_anything_was_labelled_a_plain_text_or_a_golden_one_tells() {
    let broken = vec![Fake { breaks: Some((0, Breakage::Fails)), ..Fake::default() }];
    let said = |client: &Client| chain(&client.predict(&["good"]).expect_err("it is broken"));
    let plain = said(&client_of(broken.clone(), 0, LongText::Head));
    assert!(plain.contains("on a plain greeting: run the model on 1 texts"), "{plain}");
    let golden = slot("positive", 0, LongText::Head).knowing("good bad");
    let error = said(&Engine::new(LIMITS).add(loaded(broken, vec![golden]))[0]);
    assert!(error.contains("the model failed on 1 in a row, and then on a golden text of its package: "), "{error}");
}

#[test]
fn many_texts_of_poison_cost_a_bounded_number_of_runs() {
    for (sessions, count) in [(1, 100), (1, 500), (3, 500)] {
        let fake = Fake::default();
        let client = client_of(vec![fake.clone(); sessions], 0, LongText::Head);
        assert_eq!(failures(&client, &borrowed(&poison(count))), count);
        let runs = fake.seen.runs.load(Ordering::Relaxed);
        assert!(runs <= 3 * count + count / 4 + sessions, "{runs} runs for {count} texts on {sessions} sessions");
    }
}

#[test]
fn a_text_on_which_the_model_panics_has_no_answer() {
    let texts = ["good so so so", "bad bad bad bad", "so bad so bad", "good good so panic"];
    for sessions in 1..4 {
        let found = client(sessions, 0, LongText::Head).predict(&texts).expect("the model works on the others");
        assert!(found[..3].iter().all(Result::is_ok), "{sessions} sessions");
        let error = found[3].as_ref().expect_err("no prediction");
        assert_eq!(chain(&**error), "run the model: it panicked");
    }
}

#[test]
fn a_model_that_breaks_leaves_the_other_one_at_work() {
    let broken = Fake { breaks: Some((0, Breakage::Fails)), ..Fake::default() };
    let engine = Engine::new(LIMITS);
    let mut clients = engine.add(loaded(vec![broken], vec![slot("positive", 0, LongText::Head)]));
    clients.extend(engine.add(loaded(vec![Fake::default(); 2], vec![slot("praise", 0, LongText::Head)])));
    assert!(matches!(clients[0].predict(&["good"]), Err(LabelError::Broken { .. })));
    assert!(matches!(clients[0].predict(&["good"]), Err(LabelError::StillBroken)));
    assert_eq!(labels(&clients[1], &["good"; 40]), vec![Some("praise".to_owned()); 40]);
}
