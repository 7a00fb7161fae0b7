//! The threads that do the work: each owns one session of every model and takes tasks from the one queue.
//!
//! A thread tokenises or runs, whatever is next. It holds the queue's lock only to take a task and to bring its outcome
//! back; whoever asked is told without it. A thread that panics outside of a model ends the engine: nobody waits for ever.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use metrics::{counter, histogram};
use parking_lot::{Condvar, Mutex};

use crate::answer::{Answer, Class, News, Waiter};
use crate::batching::{self, Budget};
use crate::error::LabelError;
use crate::metrics as names;
use crate::model::Model;
use crate::queue::{Finished, JobId, Lane, Limits, Pushed, Queue, Task};
use crate::session::{Broken, Outcome, Session, Work};
use crate::slot::Slot;

/// A model in memory, and how it is used.
pub struct Loaded {
    /// Copies of the model; each is called by one thread only.
    pub sessions: Vec<Box<dyn Model>>,
    /// At least one.
    pub slots: Vec<Slot>,
}

fn lane(slot: &Slot, model: usize, sessions: usize) -> Lane {
    let config = slot.config();
    let budget = Budget {
        tokens_per_run: config.tokens_per_run.get(),
        rows_per_run: config.rows_per_run.get(),
        sessions,
        tokens_max: slot.tokens().tokens_max(),
    };
    Lane { model, budget, cache_entries: config.cache_entries }
}

struct State {
    queue: Queue,
    has_ended: bool,
}

struct Shared {
    /// With the number of its model.
    slots: Vec<(Slot, usize)>,
    queue: Mutex<State>,
    /// Something waits for a worker.
    work: Condvar,
    /// A class has fewer bytes under way.
    room: Condvar,
}

impl Shared {
    /// Tells all who wait that there is nothing more to come, and ends the threads.
    fn end(&self) {
        let mut state = self.queue.lock();
        state.has_ended = true;
        let waiters = state.queue.give_up(None);
        drop(state);
        self.work.notify_all();
        self.room.notify_all();
        refuse(waiters, &LabelError::Ended);
    }
}

/// Must not be called with the lock held. A caller that panics is no reason to leave the others waiting.
fn refuse(waiters: Vec<Waiter>, error: &LabelError) {
    for waiter in waiters {
        if catch_unwind(AssertUnwindSafe(|| waiter.tell(News::Answered(Err(error.clone()))))).is_err() {
            tracing::error!("a caller of the engine panicked");
        }
    }
}

/// The threads of an engine, for its clients.
pub(crate) struct Threads {
    shared: Arc<Shared>,
    handles: Vec<JoinHandle<()>>,
    callers: AtomicU64,
}

impl Threads {
    pub(crate) fn start(models: Vec<Loaded>, limits: Limits) -> Self {
        let (mut slots, mut lanes, mut of_threads) = (Vec::new(), Vec::new(), Vec::<Vec<(usize, Session)>>::new());
        for (number, Loaded { sessions, slots: own }) in models.into_iter().enumerate() {
            assert!(!sessions.is_empty(), "a model has at least one session");
            for slot in own {
                lanes.push(lane(&slot, number, sessions.len()));
                slots.push((slot, number));
            }
            for (thread, session) in sessions.into_iter().enumerate() {
                if of_threads.len() == thread {
                    of_threads.push(Vec::new());
                }
                of_threads[thread].push((number, Session::new(session)));
            }
        }
        let queue = Mutex::new(State { queue: Queue::new(lanes, limits), has_ended: false });
        let shared = Arc::new(Shared { slots, queue, work: Condvar::new(), room: Condvar::new() });
        let start = |sessions| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || Worker { shared: &shared, sessions }.work())
        };
        let handles = of_threads.into_iter().map(start).collect();
        Self { shared, handles, callers: AtomicU64::new(0) }
    }

    pub(crate) fn slot(&self, slot: usize) -> &Slot {
        &self.shared.slots[slot].0
    }

    pub(crate) fn new_caller(&self) -> u64 {
        self.callers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn cancel(&self, caller: u64) {
        self.shared.queue.lock().queue.cancel(caller);
        self.shared.room.notify_all();
    }

    /// Takes texts in, all at once where there is room for them; what is known of one at once is returned.
    pub(crate) fn submit<'a>(
        &self,
        slot: usize,
        class: Class,
        texts: impl Iterator<Item = (Waiter, u64, &'a str)>,
    ) -> Vec<(u64, Result<Answer, LabelError>)> {
        let keys = texts.map(|(waiter, place, text)| (waiter, place, text, self.slot(slot).key(text)));
        let texts: Vec<_> = keys.collect();
        let (mut known, mut asked, mut new) = (Vec::new(), 0, 0);
        let mut state = self.shared.queue.lock();
        for (waiter, place, text, key) in texts {
            while !state.has_ended && !state.queue.has_room(class, text.len()) {
                self.shared.work.notify_all();
                self.shared.room.wait(&mut state);
            }
            asked += 1;
            match state.queue.push(slot, key, text, waiter) {
                Pushed::Known(_) if state.has_ended => known.push((place, Err(LabelError::Ended))),
                Pushed::Known(reply) => known.push((place, reply)),
                Pushed::Joined => {}
                Pushed::New => new += 1,
            }
        }
        drop(state);
        self.shared.work.notify_all();
        counter!(names::CACHE_HITS).increment(asked - new);
        counter!(names::CACHE_MISSES).increment(new);
        known
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.end();
        for thread in self.handles.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the engine panicked");
            }
        }
    }
}

/// One thread.
struct Worker<'a> {
    shared: &'a Shared,
    /// By the number of their model, ascending.
    sessions: Vec<(usize, Session)>,
}

impl Worker<'_> {
    fn work(mut self) {
        let _ends_the_others = EndOnPanic(self.shared);
        while let Some(task) = self.next() {
            match task {
                Task::Tokenise { slot, texts } => self.tokenise(slot, &texts),
                Task::Run { slot, rows, oldest } => self.run(slot, &rows, oldest),
            }
        }
    }

    fn next(&self) -> Option<Task> {
        let has_session = |model| self.sessions.iter().any(|(own, _)| *own == model);
        let mut state = self.shared.queue.lock();
        loop {
            if state.has_ended {
                return None;
            }
            if let Some(task) = state.queue.next(has_session) {
                return Some(task);
            }
            self.shared.work.wait(&mut state);
        }
    }

    fn tokenise(&self, slot: usize, texts: &[(JobId, Arc<str>)]) {
        let started = Instant::now();
        let tokens = self.shared.slots[slot].0.tokens();
        let encoded: Vec<_> = texts.iter().map(|(id, text)| (*id, tokens.encode(text))).collect();
        histogram!(names::TOKENISE_SECONDS).record(started.elapsed());
        let mut state = self.shared.queue.lock();
        let finished = encoded.into_iter().filter_map(|(id, encoded)| state.queue.tokenised(id, encoded)).collect();
        drop(state);
        self.shared.work.notify_all(); // the rows may be more than one run
        self.answer(finished);
    }

    fn run(&mut self, slot: usize, rows: &[(JobId, usize, Vec<u32>)], oldest: JobId) {
        let started = Instant::now();
        let (shared, tokens) = (self.shared, rows.iter().map(|(_, _, tokens)| tokens.as_slice()).collect::<Vec<_>>());
        let (slot, model) = &shared.slots[slot];
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
                let waiters = shared.queue.lock().queue.waiters(oldest);
                waiters.iter().for_each(|waiter| waiter.tell(News::GoesOn));
            },
        };
        let Outcome { rows: scored, bisections, acquittals, broken } = session.score(&tokens, work);
        record(&tokens, slot.tokens().tokens_max());
        histogram!(names::INFERENCE_SECONDS).record(started.elapsed());
        counter!(names::BISECTIONS).increment(bisections as u64);
        counter!(names::ACQUITTALS).increment(acquittals as u64);
        if let Some(Broken { failures, probe: source }) = broken {
            let waiters = shared.queue.lock().queue.give_up(Some(*model));
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
        let mut state = shared.queue.lock();
        let scored = rows.iter().zip(scored).filter_map(|((id, window, _), row)| {
            state.queue.scored(*id, *window, row.expect("a model that is not broken was asked for every row"))
        });
        let finished = scored.collect();
        drop(state);
        self.answer(finished);
    }

    /// Gives the answers to those who wait for them, and to the cache.
    fn answer(&self, finished: Vec<Finished>) {
        if finished.is_empty() {
            return;
        }
        self.shared.room.notify_all();
        let answers = finished.into_iter().map(|Finished { slot, key, waiters, found }| {
            let answer = found.map(|(encoded, windows)| Arc::new(self.shared.slots[slot].0.predict(&encoded, windows)));
            (slot, key, waiters, answer)
        });
        let answers: Vec<_> = answers.collect();
        let mut state = self.shared.queue.lock();
        answers.iter().for_each(|(slot, key, _, answer)| state.queue.remember(*slot, *key, answer));
        drop(state);
        for (_, _, waiters, answer) in answers {
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
