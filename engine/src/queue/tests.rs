use proptest::prelude::*;

use super::*;
use crate::batching::Budget;
use crate::lane::TOKENISED_IN_A_ROW;
use crate::threads::Removal;

/// What is wrong with the workers, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    LosesARun,
    SwapsAnswers,
    /// A slot is removed, and those who wait for it are not told.
    ForgetsTheRemoved,
    /// A slot that is to finish first is emptied.
    DoesNotFinish,
}

/// A queue before slots of these models.
fn queue(models: &[usize], passed_over_max: u32) -> (Queue, Vec<SlotId>) {
    let mut queue = Queue::new(Limits { bytes_max: 1 << 20, passed_over_max });
    let budget = Budget { tokens_per_run: 64, rows_per_run: 8, sessions: 2, tokens_max: 32 };
    let slots = models.iter().map(|model| queue.add(LaneConfig { model: *model, budget, cache_entries: 0 })).collect();
    (queue, slots)
}

/// One more text, of which the first number is the place.
fn push(queue: &mut Queue, slot: SlotId, text: &str, (caller, class): (u64, Class)) -> Pushed {
    let place = text.split(' ').next().and_then(|place| place.parse().ok()).expect("a place");
    queue.push((slot, key(place)), text, Waiter::of(caller, class, place), Instant::now())
}

fn key(place: u64) -> TextKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&place.to_be_bytes());
    TextKey(bytes)
}

/// A text whose tokens all say which one it is.
fn encoded(text: &str) -> Encoded {
    let mut words = text.split(' ').map(|word| word.parse().expect("a number"));
    let (place, windows, length) = (words.next(), words.next(), words.next());
    let row = vec![place.unwrap_or(0); length.unwrap_or(1) as usize];
    let rows = vec![row; windows.unwrap_or(1) as usize];
    Encoded { rows, characters: 0, n_tokens: 0, truncated: false, unknown_rate: 0.0 }
}

/// Does a task as a worker does, and says which texts it finished, and with which text's logits.
fn work(queue: &mut Queue, task: Task, bug: Bug) -> Vec<(u64, f32)> {
    let (Task::Tokenise { slot, .. } | Task::Run { slot, .. }) = task;
    let finished: Vec<Finished> = match task {
        Task::Tokenise { texts, .. } => {
            texts.into_iter().filter_map(|(id, text)| queue.tokenised(id, Ok(encoded(&text)))).collect()
        }
        Task::Run { .. } if bug == Bug::LosesARun => Vec::new(),
        Task::Run { rows, .. } => {
            assert!(rows.len() == 1 || rows.iter().map(|(_, _, row)| row.len()).sum::<usize>() <= 64);
            let mut logits: Vec<Vec<f32>> = rows.iter().map(|(_, _, row)| vec![row[0] as f32]).collect();
            if bug == Bug::SwapsAnswers {
                logits.rotate_left(1);
            }
            let scored = rows.iter().zip(logits);
            scored.filter_map(|((id, window, _), logits)| queue.scored(*id, *window, Ok(logits))).collect()
        }
    };
    queue.done(slot);
    let mut answered = Vec::new();
    for Finished { waiters, found, .. } in finished {
        let (_, windows) = found.expect("no text fails");
        for waiter in waiters {
            answered.extend(windows.iter().map(|logits| (waiter.place(), logits[0])));
        }
    }
    answered
}

/// One text: its class, its slot, its windows, their tokens.
type Text = (usize, usize, usize, usize);

/// A slot is removed before the text of this place comes in.
type Removed = Option<(u64, usize, Removal)>;

/// Takes a slot out as an engine does; who is told of it.
fn remove(queue: &mut Queue, slot: SlotId, removal: Removal, bug: Bug) -> Vec<u64> {
    queue.close(slot);
    if removal == Removal::Finish && bug != Bug::DoesNotFinish {
        return Vec::new();
    }
    let told = queue.clear(slot);
    if bug == Bug::None { told.iter().map(Waiter::place).collect() } else { Vec::new() }
}

/// Workers take tasks and finish them in any order while texts come in and a slot may be removed: each text is answered
/// once, with its own logits, or refused once because its slot was removed.
fn law(texts: &[Text], choices: &[usize], removed: Removed, bug: Bug) {
    let (mut queue, slots) = queue(&[0, 1, 1], 2);
    let mut coming = (0u64..).zip(texts);
    let mut in_hand: Vec<Task> = Vec::new();
    let (mut seen, mut refused): (BTreeMap<u64, usize>, BTreeMap<u64, usize>) = Default::default();
    let endless = choices.iter().copied().chain(std::iter::repeat(1));
    for choice in endless.take(choices.len() + 40 * texts.len() + 10) {
        match choice % 4 {
            0 | 1 => {
                if let Some((place, (class, slot, windows, length))) = coming.next() {
                    if let Some((_, slot, removal)) = removed.filter(|(before, ..)| *before == place) {
                        let told = remove(&mut queue, slots[slot], removal, bug);
                        told.into_iter().for_each(|place| *refused.entry(place).or_default() += 1);
                    }
                    let text = format!("{place} {windows} {length}");
                    match push(&mut queue, slots[*slot], &text, (0, Class::ALL[*class])) {
                        Pushed::New => {}
                        Pushed::Known(Err(LabelError::Removed)) => *refused.entry(place).or_default() += 1,
                        other => panic!("{other:?}"),
                    }
                }
            }
            2 => in_hand.extend(queue.next(|model| model == choice / 4 % 2)),
            _ => in_hand.extend(queue.next(|_| true)),
        }
        if in_hand.len() > 3 || (choice % 4 == 1 && !in_hand.is_empty()) {
            let task = in_hand.swap_remove(choice % in_hand.len());
            for (place, logit) in work(&mut queue, task, bug) {
                assert_eq!(logit, place as f32, "the answer of another text");
                *seen.entry(place).or_default() += 1;
            }
        }
        if choice % 4 == 1 && in_hand.is_empty() {
            in_hand.extend(queue.next(|_| true));
        }
    }
    let once = |(place, (_, slot, windows, _)): (u64, &Text)| {
        let is_answered = seen.get(&place) == Some(windows) && !refused.contains_key(&place);
        let may_refuse = removed
            .is_some_and(|(before, own, removal)| own == *slot && (before <= place || removal == Removal::Cancel));
        let is_refused = may_refuse && refused.get(&place) == Some(&1) && !seen.contains_key(&place);
        is_answered || is_refused
    };
    assert!((0u64..).zip(texts).all(once), "each text is answered once: {seen:?}, {refused:?}");
    assert!(queue.jobs.is_empty() && queue.under_way.is_empty() && queue.room.is_empty(), "nothing is left behind");
    assert!(slots.iter().all(|slot| queue.is_idle(*slot)), "nothing is left behind");
}

fn text() -> impl Strategy<Value = Text> {
    (0..3usize, 0..3usize, 1..4usize, 1..33usize)
}

fn removal() -> impl Strategy<Value = Removed> {
    let how = prop_oneof![Just(Removal::Finish), Just(Removal::Cancel)];
    prop::option::of((0..40u64, 0..3usize, how))
}

proptest! {
    #[test]
    fn each_text_is_answered_once_with_its_own_logits(
        texts in prop::collection::vec(text(), 0..60),
        choices in prop::collection::vec(any::<usize>(), 0..200),
        removed in removal(),
    ) {
        law(&texts, &choices, removed, Bug::None);
    }
}

const SOME: [Text; 6] = [(0, 0, 1, 5), (1, 0, 1, 5), (1, 0, 2, 9), (1, 0, 1, 7), (2, 1, 1, 3), (1, 0, 1, 6)];

/// The law counts only because it sees these planted bugs.
#[test]
#[should_panic(expected = "each text is answered once")]
fn notices_a_run_that_is_lost() {
    law(&SOME, &[], None, Bug::LosesARun);
}

#[test]
#[should_panic(expected = "the answer of another text")]
fn notices_answers_that_are_swapped() {
    law(&SOME, &[], None, Bug::SwapsAnswers);
}

/// All texts come in before any is run, and the slot of most of them is removed before the last one.
fn law_of_a_removal(removal: Removal, bug: Bug) {
    law(&SOME, &[0; 6], Some((5, 0, removal)), bug);
}

#[test]
fn texts_of_a_slot_that_is_removed_are_answered_or_refused() {
    law_of_a_removal(Removal::Finish, Bug::None);
    law_of_a_removal(Removal::Cancel, Bug::None);
}

#[test]
#[should_panic(expected = "each text is answered once")]
fn notices_a_removal_of_which_nobody_is_told() {
    law_of_a_removal(Removal::Cancel, Bug::ForgetsTheRemoved);
}

#[test]
#[should_panic(expected = "each text is answered once")]
fn notices_a_removal_that_does_not_finish() {
    law_of_a_removal(Removal::Finish, Bug::DoesNotFinish);
}

/// One text of each class waits while urgent ones keep coming: tasks until it is answered.
fn tasks_until_all_classes_are_served(passed_over_max: u32) -> usize {
    let (mut queue, slots) = queue(&[0], passed_over_max);
    for class in Class::ALL {
        push(&mut queue, slots[0], &format!("{} 1 4", class as u64), (0, class));
    }
    let mut waiting = vec![0, 1, 2];
    for task in 1..200 {
        let place = 1_000 + task as u64;
        push(&mut queue, slots[0], &format!("{place} 1 4"), (0, Class::Interactive));
        let next = queue.next(|_| true).expect("something waits");
        let answered = work(&mut queue, next, Bug::None);
        waiting.retain(|own| answered.iter().all(|(place, _)| place != own));
        if waiting.is_empty() {
            return task;
        }
    }
    panic!("a class starved");
}

/// Each of the two lower classes needs two tasks, and waits for `passed_over_max` and the other one before each; the first
/// urgent text is tokenised, and run after those that keep coming were tokenised a few times.
#[test]
fn no_class_starves_and_urgent_texts_go_first() {
    for passed_over_max in [1, 2, 8] {
        let tasks = tasks_until_all_classes_are_served(passed_over_max);
        let bound = 2 * (passed_over_max as usize + 2) + 2 * TOKENISED_IN_A_ROW as usize + 2;
        assert!(tasks <= bound, "{tasks} tasks, {bound} are allowed");
    }
    let (mut queue, slots) = queue(&[0], 8);
    for (place, class) in [(0, Class::Background), (1, Class::Stream), (2, Class::Interactive)] {
        push(&mut queue, slots[0], &format!("{place} 1 4"), (0, class));
    }
    let mut order = Vec::new();
    while let Some(task) = queue.next(|_| true) {
        order.extend(work(&mut queue, task, Bug::None).into_iter().map(|(place, _)| place));
    }
    assert_eq!(order, [2, 1, 0]);
}

#[test]
#[should_panic(expected = "a class starved")]
fn notices_a_class_that_starves() {
    tasks_until_all_classes_are_served(u32::MAX);
}

#[test]
fn an_old_short_text_does_not_wait_for_long_ones_that_come_after_it() {
    let (mut queue, slots) = queue(&[0], 2);
    push(&mut queue, slots[0], "0 1 1", (0, Class::Stream));
    for place in 1..40 {
        push(&mut queue, slots[0], &format!("{place} 1 32"), (0, Class::Stream));
    }
    loop {
        let next = queue.next(|_| true).expect("something waits");
        let is_run = matches!(next, Task::Run { .. });
        let answered = work(&mut queue, next, Bug::None);
        if is_run {
            assert!(answered.contains(&(0, 0.0)), "the first run has the oldest text: {answered:?}");
            return;
        }
    }
}

#[test]
fn a_cancelled_caller_leaves_nothing_but_what_others_wait_for() {
    let (mut queue, slots) = queue(&[0], 2);
    for (caller, place) in [(1, 0), (1, 1), (2, 1)] {
        push(&mut queue, slots[0], &format!("{place} 1 4"), (caller, Class::Stream));
    }
    let task = queue.next(|_| true).expect("two texts wait");
    work(&mut queue, task, Bug::None);
    queue.cancel(1);
    let mut answered = Vec::new();
    while let Some(task) = queue.next(|_| true) {
        answered.extend(work(&mut queue, task, Bug::None));
    }
    assert_eq!(answered, [(1, 1.0)]);
    assert!(queue.room.is_empty() && queue.is_idle(slots[0]));
}
