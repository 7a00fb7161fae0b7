//! The threads of an engine from outside: models come and go, texts come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use metrics::counter;
use parking_lot::{Mutex, MutexGuard};
use schemas::ModelId;

use crate::answer::{Answer, Class, Waiter};
use crate::batching::Budget;
use crate::cache::TextKey;
use crate::error::{LabelError, QueueFull};
use crate::lane::{LaneConfig, SlotId};
use crate::metrics as names;
use crate::model::Model;
use crate::queue::{Limits, Pushed, Queue};
use crate::session::Session;
use crate::slot::Slot;
use crate::workers::{self, Placed, Shared, State};

/// A model in memory, and how it is used.
pub struct Loaded {
    /// Copies of the model; each is called by one thread only.
    pub sessions: Vec<Box<dyn Model>>,
    /// At least one.
    pub slots: Vec<Slot>,
}

/// What becomes of texts that a slot was asked for when it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// They are answered first.
    Finish,
    /// They are refused as [`LabelError::Removed`]; a run that has begun ends for nothing.
    Cancel,
}

/// Which slot is asked, in which class.
#[derive(Clone, Copy)]
pub(crate) struct To<'a> {
    pub(crate) id: SlotId,
    pub(crate) slot: &'a Slot,
    pub(crate) class: Class,
}

/// Who is told of a text, its place and the text.
pub(crate) type Asked<'a> = (Waiter, u64, &'a str);
type Keyed<'a> = (Waiter, u64, &'a str, TextKey);
/// What is known at once of the texts at some places.
pub type KnownAnswers = Vec<(u64, Result<Answer, LabelError>)>;

pub(crate) struct Threads {
    shared: Arc<Shared>,
    handles: Mutex<Vec<JoinHandle<()>>>,
    models: AtomicU64,
    callers: AtomicU64,
}

impl Threads {
    pub(crate) fn new(limits: Limits) -> Self {
        let (shared, handles) = (Arc::new(Shared::new(Queue::new(limits))), Mutex::default());
        Self { shared, handles, models: AtomicU64::new(0), callers: AtomicU64::new(0) }
    }

    /// Gives each session to a thread of its own, and opens the slots.
    pub(crate) fn add(&self, Loaded { sessions, slots }: Loaded) -> Vec<(SlotId, Arc<Slot>)> {
        assert!(!sessions.is_empty() && !slots.is_empty(), "a model has at least one session and one slot");
        let model = usize::try_from(self.models.fetch_add(1, Ordering::Relaxed)).expect("far below 2^32 models");
        let mut handles = self.handles.lock();
        let mut state = self.shared.state.lock();
        while handles.len() < sessions.len() {
            let (shared, number) = (Arc::clone(&self.shared), handles.len());
            state.deliveries.push(Vec::new());
            handles.push(thread::spawn(move || workers::work(&shared, number)));
        }
        let add = |slot: Slot| {
            let (id, slot) = (state.queue.add(lane(&slot, model, sessions.len())), Arc::new(slot));
            state.slots.insert(id, Placed { slot: Arc::clone(&slot), model });
            (id, slot)
        };
        let added = slots.into_iter().map(add).collect();
        state.sessions.insert(model, sessions.len());
        for (thread, session) in sessions.into_iter().enumerate() {
            state.deliveries[thread].push((model, Session::new(session)));
        }
        drop(state);
        self.shared.work.notify_all();
        added
    }

    /// Takes nothing more in for a slot, and returns when nothing of it is under way and, if no other slot needs its
    /// model, the model's sessions are freed.
    pub(crate) fn remove(&self, slot: SlotId, removal: Removal) {
        let mut state = self.shared.state.lock();
        state.queue.close(slot);
        let waiters = if removal == Removal::Cancel { state.queue.clear(slot) } else { Vec::new() };
        MutexGuard::unlocked(&mut state, || {
            self.shared.room.notify_all();
            workers::refuse(waiters, &LabelError::Removed);
        });
        let shared = &self.shared;
        let wait_while = |state: &mut MutexGuard<'_, State>, is_busy: &dyn Fn(&State) -> bool| {
            while !state.has_ended && is_busy(state) {
                shared.done.wait(state);
            }
        };
        wait_while(&mut state, &|state| !state.queue.is_idle(slot));
        let Some(Placed { slot: removed, model }) = state.slots.remove(&slot) else { return };
        removed.hide();
        state.queue.remove_slot(slot);
        if !state.queue.serves(model) {
            shared.work.notify_all();
            wait_while(&mut state, &|state| state.sessions.contains_key(&model));
        }
    }

    /// The models of the slots that are open, in the order in which they were added.
    pub(crate) fn models(&self) -> Vec<Arc<ModelId>> {
        let state = self.shared.state.lock();
        let open = state.slots.iter().filter(|(slot, _)| state.queue.is_open(**slot));
        open.map(|(_, placed)| Arc::clone(placed.slot.model())).collect()
    }

    pub(crate) fn new_caller(&self) -> u64 {
        self.callers.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn cancel(&self, caller: u64) {
        self.shared.state.lock().queue.cancel(caller);
        self.shared.room.notify_all();
        self.shared.done.notify_all();
    }

    /// Takes texts in, each as soon as there is room for it and all who came earlier are in.
    pub(crate) fn submit<'a>(&self, to: To<'_>, texts: impl Iterator<Item = Asked<'a>>) -> KnownAnswers {
        let texts = keyed(to, texts);
        let mut state = self.shared.state.lock();
        self.take_in(&mut state, to, texts)
    }

    /// Takes all texts in at once, or none.
    pub(crate) fn try_submit<'a>(
        &self,
        to: To<'_>,
        texts: impl Iterator<Item = Asked<'a>>,
    ) -> Result<KnownAnswers, QueueFull> {
        let texts = keyed(to, texts);
        let mut state = self.shared.state.lock();
        let bytes = texts.iter().map(|(_, _, text, key)| (key, text.len()));
        match state.queue.refusal(to.id, to.class, bytes) {
            Some(full) if !state.has_ended => Err(full),
            _ => Ok(self.take_in(&mut state, to, texts)),
        }
    }

    fn take_in(&self, state: &mut MutexGuard<'_, State>, to: To<'_>, texts: Vec<Keyed<'_>>) -> KnownAnswers {
        let (mut known, mut hits, mut misses) = (Vec::new(), 0, 0);
        for (waiter, place, text, key) in texts {
            self.await_room(state, to, text.len());
            let pushed = match state.has_ended {
                true => Pushed::Known(Err(LabelError::Ended)),
                false => state.queue.push((to.id, key), text, waiter, Instant::now()),
            };
            match pushed {
                Pushed::Known(reply) => {
                    hits += u64::from(reply.is_ok());
                    known.push((place, reply));
                }
                Pushed::Joined => hits += 1,
                Pushed::New => misses += 1,
            }
        }
        self.shared.work.notify_all();
        counter!(names::CACHE_HITS).increment(hits);
        counter!(names::CACHE_MISSES).increment(misses);
        known
    }

    /// Waits in line while the slot is open and there is no room.
    fn await_room(&self, state: &mut MutexGuard<'_, State>, to: To<'_>, bytes: usize) {
        let mut turn = None;
        while !state.has_ended && state.queue.is_open(to.id) && !state.queue.room.may_enter(to.class, turn, bytes) {
            turn = turn.or_else(|| Some(state.queue.room.wait(to.class)));
            self.shared.work.notify_all();
            self.shared.room.wait(state);
        }
        if let Some(turn) = turn {
            state.queue.room.leave(to.class, turn);
            self.shared.room.notify_all(); // the next in line
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.end();
        let own = thread::current().id();
        for thread in self.handles.get_mut().drain(..) {
            // A caller's own end may be the engine's: a thread cannot wait for itself.
            if thread.thread().id() != own && thread.join().is_err() {
                tracing::error!("a thread of the engine panicked");
            }
        }
    }
}

fn keyed<'a>(to: To<'_>, texts: impl Iterator<Item = Asked<'a>>) -> Vec<Keyed<'a>> {
    texts.map(|(waiter, place, text)| (waiter, place, text, to.slot.key(text))).collect()
}

fn lane(slot: &Slot, model: usize, sessions: usize) -> LaneConfig {
    let config = slot.config();
    let budget = Budget {
        tokens_per_run: config.tokens_per_run.get(),
        rows_per_run: config.rows_per_run.get(),
        sessions,
        tokens_max: slot.tokens().tokens_max(),
    };
    LaneConfig { model, budget, cache_entries: config.cache_entries }
}
