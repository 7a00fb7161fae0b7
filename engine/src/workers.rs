//! The threads that do the work: each owns sessions of models, and takes tasks from the one queue that it can do.
//!
//! A thread tokenises or runs, whatever is next. It holds the queue's lock only to take a task and to bring its outcome
//! back; whoever asked is told without it. Between two tasks it takes up sessions of models that were added, and lets go
//! of those that were removed. A thread that panics outside of a model ends the engine: no caller waits forever.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use metrics::{counter, histogram};
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::answer::{News, Waiter};
use crate::batching;
use crate::error::LabelError;
use crate::lane::{JobId, SlotId, Task};
use crate::metrics as names;
use crate::queue::{Finished, Queue};
use crate::session::{Broken, ScoredRun, Session, Work};
use crate::slot::Slot;

/// What the threads of an engine share with those who ask.
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    /// Something waits for a worker.
    pub(crate) work: Condvar,
    /// A class has fewer bytes under way.
    pub(crate) room: Condvar,
    /// A task was done, or sessions were let go.
    pub(crate) done: Condvar,
}

pub(crate) struct State {
    pub(crate) queue: Queue,
    pub(crate) has_ended: bool,
    /// The slots that workers find tasks of.
    pub(crate) slots: BTreeMap<SlotId, Placed>,
    /// Sessions by model: those that a thread owns, or is to take up.
    pub(crate) sessions: BTreeMap<usize, usize>,
    /// What each thread is to take up.
    pub(crate) deliveries: Vec<Vec<(usize, Session)>>,
}

/// A slot, and the model whose sessions run its rows.
#[derive(Clone)]
pub(crate) struct Placed {
    pub(crate) slot: Arc<Slot>,
    pub(crate) model: usize,
}

impl Shared {
    pub(crate) fn new(queue: Queue) -> Self {
        let (slots, sessions) = (BTreeMap::new(), BTreeMap::new());
        let state = State { queue, has_ended: false, slots, sessions, deliveries: Vec::new() };
        Self { state: Mutex::new(state), work: Condvar::new(), room: Condvar::new(), done: Condvar::new() }
    }

    /// Tells all who wait that there is nothing more to come, and ends the threads.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.has_ended = true;
        let waiters = state.queue.give_up(None);
        drop(state);
        for changed in [&self.work, &self.room, &self.done] {
            changed.notify_all();
        }
        refuse(waiters, &LabelError::Ended);
    }
}

/// Must not be called with the lock held. A caller that panics is no reason to leave the others waiting.
pub(crate) fn refuse(waiters: Vec<Waiter>, error: &LabelError) {
    for waiter in waiters {
        if catch_unwind(AssertUnwindSafe(|| waiter.tell(News::Answered(Err(error.clone()))))).is_err() {
            tracing::error!("a caller of the engine panicked");
        }
    }
}

/// Works as the thread of this number until the engine ends.
pub(crate) fn work(shared: &Shared, number: usize) {
    let _ends_the_others = EndOnPanic(shared);
    let mut worker = Worker { shared, number, sessions: Vec::new() };
    let mut done = None;
    while let Some((task, placed)) = worker.next(done) {
        done = Some(match task {
            Task::Tokenise { slot, texts } => {
                worker.tokenise(slot, &placed.slot, &texts);
                slot
            }
            Task::Run { slot, rows, oldest } => {
                worker.run(slot, &placed, &rows, oldest);
                slot
            }
        });
    }
}

/// One thread.
struct Worker<'a> {
    shared: &'a Shared,
    number: usize,
    /// With the number of their model.
    sessions: Vec<(usize, Session)>,
}

impl Worker<'_> {
    /// Waits for the next task, after that of `done`.
    fn next(&mut self, done: Option<SlotId>) -> Option<(Task, Placed)> {
        let mut state = self.shared.state.lock();
        if let Some(slot) = done {
            state.queue.done(slot);
            self.shared.done.notify_all();
        }
        loop {
            if state.has_ended {
                return None;
            }
            self.sessions.append(&mut state.deliveries[self.number]);
            if self.let_go(&mut state) {
                continue; // the lock was open: there may be news
            }
            let has_session = |model| self.sessions.iter().any(|(own, _)| *own == model);
            if let Some(task) = state.queue.next(has_session) {
                let (Task::Tokenise { slot, .. } | Task::Run { slot, .. }) = &task;
                let placed = state.slots[slot].clone();
                return Some((task, placed));
            }
            self.shared.work.wait(&mut state);
        }
    }

    /// Frees sessions of models that no slot needs any more, with the lock open; whether there were any.
    fn let_go(&mut self, state: &mut MutexGuard<'_, State>) -> bool {
        let gone: Vec<_> = self.sessions.extract_if(.., |(model, _)| !state.queue.serves(*model)).collect();
        if gone.is_empty() {
            return false;
        }
        let models: Vec<usize> = gone.iter().map(|(model, _)| *model).collect();
        MutexGuard::unlocked(state, || drop(gone));
        for model in models {
            let left = state.sessions.get_mut(&model).expect("a session is counted until it is freed");
            *left -= 1;
            if *left == 0 {
                state.sessions.remove(&model);
            }
        }
        self.shared.done.notify_all();
        true
    }

    fn tokenise(&self, slot: SlotId, placed: &Slot, texts: &[(JobId, Arc<str>)]) {
        let started = Instant::now();
        let tokens = placed.tokens();
        let encoded: Vec<_> = texts.iter().map(|(id, text)| (*id, tokens.encode(text))).collect();
        histogram!(names::TOKENISE_SECONDS).record(started.elapsed());
        let mut state = self.shared.state.lock();
        let finished = encoded.into_iter().filter_map(|(id, encoded)| state.queue.tokenised(id, encoded)).collect();
        drop(state);
        self.shared.work.notify_all(); // the rows may be more than one run
        self.answer(slot, placed, finished);
    }

    fn run(&mut self, id: SlotId, Placed { slot, model }: &Placed, rows: &[(JobId, usize, Vec<u32>)], oldest: JobId) {
        let started = Instant::now();
        let (shared, tokens) = (self.shared, rows.iter().map(|(_, _, tokens)| tokens.as_slice()).collect::<Vec<_>>());
        let session = self.sessions.iter_mut().find(|(own, _)| own == model);
        let (_, session) = session.expect("the queue gives a task to a worker that can do it");
        let probe = slot.probe();
        let work = Work {
            pad_id: slot.tokens().pad_id(),
            tokens_max: slot.tokens().tokens_max(),
            classes: slot.labels().len(),
            probe: &probe.row,
            failures_max: slot.config().failures_max.get(),
            went_on: &|| {
                let waiters = shared.state.lock().queue.waiters(oldest);
                waiters.iter().for_each(|waiter| waiter.tell(News::GoesOn));
            },
        };
        let ScoredRun { rows: scored, bisections, acquittals, broken } = session.score(&tokens, work);
        record(&tokens, slot.tokens().tokens_max());
        histogram!(names::INFERENCE_SECONDS).record(started.elapsed());
        counter!(names::BISECTIONS).increment(bisections as u64);
        counter!(names::ACQUITTALS).increment(acquittals as u64);
        if let Some(Broken { failures, probe: source }) = broken {
            let waiters = shared.state.lock().queue.give_up(Some(*model));
            shared.room.notify_all();
            let error = LabelError::Broken { failures, known: probe.known, source: Arc::new(source) };
            return refuse(waiters, &error);
        }
        if acquittals > 0 {
            tracing::warn!(
                failures_in_a_row = slot.config().failures_max,
                labels = %probe.known,
                "the model failed on many consecutive texts but labels a known one: these texts become dead letters"
            );
        }
        if let Some(place) = scored.iter().position(|row| matches!(row, Some(Ok(_)))) {
            slot.scored(tokens[place]);
        }
        let mut state = shared.state.lock();
        let scored = rows.iter().zip(scored).filter_map(|((id, window, _), row)| {
            state.queue.scored(*id, *window, row.expect("a model that is not broken was asked for every row"))
        });
        let finished = scored.collect();
        drop(state);
        self.answer(id, slot, finished);
    }

    /// Gives the answers to those who wait for them, and to the cache.
    fn answer(&self, id: SlotId, slot: &Slot, finished: Vec<Finished>) {
        if finished.is_empty() {
            return;
        }
        self.shared.room.notify_all();
        let answers = finished.into_iter().map(|Finished { class, key, since, waiters, found }| {
            let answer = found.map(|(encoded, windows)| Arc::new(slot.predict(&encoded, windows)));
            (class, key, since, waiters, answer)
        });
        let answers: Vec<_> = answers.collect();
        let mut state = self.shared.state.lock();
        for (class, key, since, _, answer) in &answers {
            state.queue.remember(id, *key, answer);
            state.queue.room.waited(*class, since.elapsed());
        }
        drop(state);
        for (.., waiters, answer) in answers {
            waiters.iter().for_each(|waiter| waiter.tell(News::Answered(Ok(answer.clone()))));
        }
    }
}

/// What a run held, for the metrics.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
fn record(rows: &[&[u32]], tokens_max: usize) {
    let longest = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let (real, padded) =
        (rows.iter().map(|row| row.len()).sum::<usize>(), rows.len() * batching::columns(longest, tokens_max));
    counter!(names::REAL_TOKENS).increment(real as u64);
    counter!(names::PADDED_TOKENS).increment(padded as u64);
    histogram!(names::RUN_TEXTS).record(rows.len() as f64);
    histogram!(names::RUN_TOKENS).record(padded as f64);
}

/// Ends the engine when its thread panics.
struct EndOnPanic<'a>(&'a Shared);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.end();
        }
    }
}
