//! Models come and go under load: every text is answered exactly once, and what is removed is freed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use super::*;
use crate::answer::News;
use crate::error::LabelError;
use crate::fake::{Fake, LIMITS, labels, loaded, slot};
use crate::model::{Model, ModelError, Scores, TokenBatch};
use crate::threads::Removal;
use crate::tokens::LongText;

const NO_CACHE: usize = 0;

/// A model that counts its sessions in memory.
struct Counted {
    fake: Fake,
    alive: Arc<AtomicUsize>,
}

impl Model for Counted {
    fn scores(&mut self, batch: &TokenBatch) -> Result<Scores, ModelError> {
        self.fake.scores(batch)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

fn counted(good: &str, sessions: usize, fake: &Fake) -> (Loaded, Arc<AtomicUsize>) {
    let alive = Arc::new(AtomicUsize::new(sessions));
    let session = || Counted { fake: fake.clone(), alive: Arc::clone(&alive) };
    let sessions = (0..sessions).map(|_| Box::new(session()) as Box<dyn Model>).collect();
    (Loaded { sessions, slots: vec![slot(good, NO_CACHE, LongText::Head)] }, alive)
}

/// Waits until a model was called so often.
fn await_runs(fake: &Fake, runs: usize) {
    while fake.seen.runs.load(Ordering::Relaxed) < runs {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Texts that differ, so that each is a row of its own.
fn text(number: u64) -> String {
    format!("good {}", "so bad ".repeat(usize::try_from(number).expect("small")))
}

/// What became of each text that a client was asked for by some threads while `change` happened: (answered, removed).
fn under_load(client: &Client, change: impl FnOnce()) -> (usize, usize) {
    const TEXTS: u64 = 200;
    let (tell, told) = sync_channel(10_000);
    let mut known = Vec::new();
    thread::scope(|scope| {
        let ask = |thread: u64| {
            let tell = tell.clone();
            let caller = client.caller(move |place, news| {
                if let News::Answered(reply) = news {
                    tell.send((place, reply)).expect("the test listens");
                }
            });
            move || {
                let places = (0..TEXTS).map(|number| thread * TEXTS + number);
                let known: Vec<_> = places.flat_map(|place| caller.submit([(place, &*text(place % 50))])).collect();
                (caller, known)
            }
        };
        let asking: Vec<_> = (0..3).map(|thread| scope.spawn(ask(thread))).collect();
        change();
        let asked: Vec<_> = asking.into_iter().map(|asking| asking.join().expect("no panic")).collect();
        known.extend(asked.iter().flat_map(|(_, known)| known.iter().cloned()));
        while u64::try_from(known.len()).is_ok_and(|known| known < 3 * TEXTS) {
            known.push(told.recv_timeout(Duration::from_secs(20)).expect("every text is answered"));
        }
        drop(asked);
    });
    assert!(told.try_recv().is_err(), "a text was answered twice");
    let mut places: Vec<u64> = known.iter().map(|(place, _)| *place).collect();
    places.sort_unstable();
    assert!(places.iter().copied().eq(0..3 * TEXTS), "each place once");
    let answered = known.iter().filter(|(_, reply)| matches!(reply, Ok(Ok(_)))).count();
    let removed = known.iter().filter(|(_, reply)| matches!(reply, Err(LabelError::Removed))).count();
    (answered, removed)
}

#[test]
fn a_model_joins_under_load_with_more_threads_than_there_were() {
    let engine = Engine::new(LIMITS);
    let old = engine.add(counted("positive", 1, &Fake::default()).0).remove(0);
    let new = Fake::default();
    let (answered, removed) = under_load(&old, || {
        let client = engine.add(counted("praise", 3, &new).0).remove(0);
        assert_eq!(labels(&client, &["good", "bad"]), ["praise", "negative"].map(|label| Some(label.to_owned())));
        assert_eq!(engine.models().len(), 2);
    });
    assert_eq!((answered, removed), (600, 0));
    assert!(new.seen.rows.load(Ordering::Relaxed) >= 2, "the new model answered its own texts");
}

#[test]
fn a_model_that_is_removed_under_load_finishes_or_refuses_and_is_freed() {
    for removal in [Removal::Finish, Removal::Cancel] {
        let engine = Engine::new(LIMITS);
        let other = engine.add(loaded(vec![Fake::default()], vec![slot("other", NO_CACHE, LongText::Head)])).remove(0);
        let fake = Fake::default();
        let (model, alive) = counted("positive", 2, &fake);
        let client = engine.add(model).remove(0);
        let (answered, removed) = under_load(&client, || {
            await_runs(&fake, 3);
            client.remove(removal);
            assert_eq!(alive.load(Ordering::SeqCst), 0, "its sessions are freed");
            assert_eq!(labels(&other, &["good"]), [Some("other".to_owned())]);
        });
        assert_eq!(answered + removed, 600, "{removal:?}");
        assert!(answered > 0, "{removal:?}");
        assert_eq!(engine.models().len(), 1);
        assert!(matches!(client.predict(&["good"]), Err(LabelError::Removed)));
        client.remove(removal); // again, for nothing
    }
}

/// What waits behind a run that has begun is answered, or refused at once.
#[test]
fn a_removal_finishes_or_cancels_what_is_queued() {
    for (removal, expected) in [(Removal::Finish, 41), (Removal::Cancel, 0)] {
        let fake = Fake::default();
        fake.seen.gate.close();
        let (model, alive) = counted("positive", 1, &fake);
        let client = Engine::new(LIMITS).add(model).remove(0);
        let (tell, told) = sync_channel(100);
        let caller = client.caller(move |_, news| {
            if let News::Answered(reply) = news {
                tell.send(reply.is_ok()).expect("the test listens");
            }
        });
        assert!(caller.submit([(0, "bad")]).is_empty());
        await_runs(&fake, 1);
        let texts: Vec<String> = (0..40).map(text).collect();
        assert!(caller.submit((1..).zip(texts.iter().map(String::as_str))).is_empty());
        thread::scope(|scope| {
            let removing = scope.spawn(|| client.remove(removal));
            if removal == Removal::Cancel {
                let refused = (0..41).filter(|_| !told.recv().expect("told at once")).count();
                assert_eq!(refused, 41);
            } else {
                while !Engine::of(&client).models().is_empty() {
                    thread::sleep(Duration::from_millis(1));
                }
                assert!(matches!(caller.submit([(99, "so")])[..], [(99, Err(LabelError::Removed))]));
            }
            assert_eq!(alive.load(Ordering::SeqCst), 1, "a run has begun");
            assert!(!removing.is_finished());
            fake.seen.gate.open();
        });
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        assert_eq!(told.try_iter().filter(|is_ok| *is_ok).count(), expected, "{removal:?}");
    }
}

#[test]
fn a_slot_that_goes_leaves_the_model_to_the_other_slot() {
    let fake = Fake::default();
    let (model, alive) = counted("positive", 1, &fake);
    let slots = vec![slot("golden", NO_CACHE, LongText::Head), slot("positive", NO_CACHE, LongText::Head)];
    let clients = Engine::new(LIMITS).add(Loaded { slots, ..model });
    clients[0].remove(Removal::Finish);
    assert_eq!((alive.load(Ordering::SeqCst), Engine::of(&clients[1]).models().len()), (1, 1));
    assert_eq!(labels(&clients[1], &["good"]), [Some("positive".to_owned())]);
    clients[1].remove(Removal::Finish);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn whoever_waits_for_room_of_a_slot_that_goes_is_told() {
    let fake = Fake::default();
    fake.seen.gate.close();
    let engine = Engine::new(Limits { bytes_max: 10, passed_over_max: 2 });
    let client = engine.add(counted("positive", 1, &fake).0).remove(0);
    let caller = client.caller(|_, _| {});
    assert!(caller.submit([(0, "good good")]).is_empty());
    await_runs(&fake, 1);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| caller.submit([(1, "bad bad")]));
        let removing = scope.spawn(|| client.remove(Removal::Finish));
        let told = waiting.join().expect("no panic");
        assert!(matches!(told[..], [(1, Err(LabelError::Removed))]), "{told:?}");
        fake.seen.gate.open();
        removing.join().expect("no panic");
    });
}
