use proptest::prelude::*;

use super::*;

/// What is wrong with the workers, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    None,
    LosesARun,
    SwapsAnswers,
}

fn limits(passed_over_max: u32) -> Limits {
    Limits { bytes_max: 1 << 20, passed_over_max }
}

fn lane(model: usize) -> Lane {
    let budget = Budget { tokens_per_run: 64, rows_per_run: 8, sessions: 2, tokens_max: 32 };
    Lane { model, budget, cache_entries: 0 }
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

/// Workers take tasks and finish them in any order while texts come in: each text is answered once, with its own logits.
fn law(texts: &[Text], choices: &[usize], bug: Bug) {
    let mut queue = Queue::new(vec![lane(0), lane(1), lane(1)], limits(2));
    let mut coming = (0u64..).zip(texts);
    let mut in_hand: Vec<Task> = Vec::new();
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    let endless = choices.iter().copied().chain(std::iter::repeat(1));
    for choice in endless.take(choices.len() + 40 * texts.len() + 10) {
        match choice % 4 {
            0 | 1 => {
                if let Some((place, (class, slot, windows, length))) = coming.next() {
                    let waiter = Waiter::of(0, Class::ALL[*class], place);
                    let text = format!("{place} {windows} {length}");
                    assert!(matches!(queue.push(*slot, key(place), &text, waiter), Pushed::New));
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
    let windows: BTreeMap<u64, usize> = (0u64..).zip(texts.iter().map(|(_, _, windows, _)| *windows)).collect();
    assert_eq!(seen, windows, "each text is answered once");
    assert!(queue.jobs.is_empty() && queue.under_way.is_empty() && queue.bytes == [0; 3], "nothing is left behind");
}

fn text() -> impl Strategy<Value = Text> {
    (0..3usize, 0..3usize, 1..4usize, 1..33usize)
}

proptest! {
    #[test]
    fn each_text_is_answered_once_with_its_own_logits(
        texts in prop::collection::vec(text(), 0..60),
        choices in prop::collection::vec(any::<usize>(), 0..200),
    ) {
        law(&texts, &choices, Bug::None);
    }
}

const SOME: [Text; 6] = [(0, 0, 1, 5), (1, 0, 1, 5), (1, 0, 2, 9), (1, 0, 1, 7), (2, 1, 1, 3), (1, 0, 1, 6)];

/// The law counts only because it sees these planted bugs.
#[test]
#[should_panic(expected = "each text is answered once")]
fn notices_a_run_that_is_lost() {
    law(&SOME, &[], Bug::LosesARun);
}

#[test]
#[should_panic(expected = "the answer of another text")]
fn notices_answers_that_are_swapped() {
    law(&SOME, &[], Bug::SwapsAnswers);
}

/// One text of each class waits while urgent ones keep coming: tasks until it is answered.
fn tasks_until_all_classes_are_served(passed_over_max: u32) -> usize {
    let mut queue = Queue::new(vec![lane(0)], limits(passed_over_max));
    for class in Class::ALL {
        queue.push(0, key(class as u64), &format!("{} 1 4", class as u64), Waiter::of(0, class, class as u64));
    }
    let mut waiting = vec![0, 1, 2];
    for task in 1..200 {
        let place = 1_000 + task as u64;
        queue.push(0, key(place), &format!("{place} 1 4"), Waiter::of(0, Class::Interactive, place));
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
    let mut queue = Queue::new(vec![lane(0)], limits(8));
    for (place, class) in [(0, Class::Background), (1, Class::Stream), (2, Class::Interactive)] {
        queue.push(0, key(place), &format!("{place} 1 4"), Waiter::of(0, class, place));
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
    let mut queue = Queue::new(vec![lane(0)], limits(2));
    queue.push(0, key(0), "0 1 1", Waiter::of(0, Class::Stream, 0));
    for place in 1..40 {
        queue.push(0, key(place), &format!("{place} 1 32"), Waiter::of(0, Class::Stream, place));
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
    let mut queue = Queue::new(vec![lane(0)], limits(2));
    for (caller, place) in [(1, 0), (1, 1), (2, 1)] {
        queue.push(0, key(place), &format!("{place} 1 4"), Waiter::of(caller, Class::Stream, place));
    }
    let task = queue.next(|_| true).expect("two texts wait");
    work(&mut queue, task, Bug::None);
    queue.cancel(1);
    let mut answered = Vec::new();
    while let Some(task) = queue.next(|_| true) {
        answered.extend(work(&mut queue, task, Bug::None));
    }
    assert_eq!(answered, [(1, 1.0)]);
    assert_eq!(queue.bytes, [0; 3]);
}
