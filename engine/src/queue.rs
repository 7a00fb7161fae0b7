//! What waits for the models, and what a free worker does next: a pure struct, without threads, clocks or models.
//!
//! A text waits to be tokenised, then its rows wait to be run. A run is cut from the rows that wait, around the oldest of
//! them ([`batching::cut`]). A higher class goes first, but a class that was passed over [`Limits::passed_over_max`] times
//! in a row has the next turn, so none starves. Identical texts of a class that are under way share one run; what the
//! model said of recent ones comes from the slot's cache.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::answer::{Answer, Class, Waiter};
use crate::batching::{self, Budget};
use crate::cache::{Cache, TextKey};
use crate::error::{LabelError, TextError};
use crate::model::ModelError;
use crate::tokens::{Encoded, TokenError};

/// Texts that a worker tokenises before it looks for other work: about the time of one short run, so that an urgent text
/// does not wait for a backlog to be tokenised, and several workers share one.
const TOKENISE_TEXTS: usize = 16;

/// Times that texts may be tokenised before rows of the same lane are run: enough for 128 rows to cut a run from, so that
/// texts which keep coming do not keep those before them from being run.
const TOKENISED_IN_A_ROW: u32 = 8;

/// Rows among which a run is cut. On a stream of mixed lengths 128 rows give nearly all that sorting can save; rows
/// beyond that only cost the time to sort them, and memory for their tokens.
const WINDOW_ROWS: usize = 512;

/// Names a text under way; older texts have smaller ones.
pub(crate) type JobId = u64;

/// The bounds of a queue.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of texts that each class may have under way; a single larger text is taken when nothing else is.
    pub bytes_max: usize,
    /// Tasks that may be taken before those of a class while it waits; then it has the next turn.
    pub passed_over_max: u32,
}

/// What the queue must know of a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    /// The model whose sessions run its rows.
    pub(crate) model: usize,
    pub(crate) budget: Budget,
    pub(crate) cache_entries: usize,
}

/// What becomes of a text that is taken in.
#[derive(Debug)]
pub(crate) enum Pushed {
    /// Its answer is known at once.
    Known(Result<Answer, LabelError>),
    /// An identical text is under way.
    Joined,
    New,
}

/// What a free worker does next.
#[derive(Debug)]
pub(crate) enum Task {
    Tokenise {
        slot: usize,
        texts: Vec<(JobId, Arc<str>)>,
    },
    /// Rows of one slot: the text, which of its windows, and its tokens.
    Run {
        slot: usize,
        rows: Vec<(JobId, usize, Vec<u32>)>,
        oldest: JobId,
    },
}

/// A text of which all is known: what is left is to say it.
pub(crate) struct Finished {
    pub(crate) slot: usize,
    pub(crate) key: TextKey,
    pub(crate) waiters: Vec<Waiter>,
    /// The tokens and the logits of each window, in order.
    pub(crate) found: Result<(Encoded, Vec<Vec<f32>>), Arc<TextError>>,
}

struct Job {
    slot: usize,
    class: Class,
    key: TextKey,
    waiters: Vec<Waiter>,
    bytes: usize,
    text: Arc<str>,
    /// Its rows are given away to be run.
    encoded: Option<Encoded>,
    logits: Vec<Option<Vec<f32>>>,
    windows_left: usize,
    failure: Option<Arc<TextError>>,
}

/// What waits of one class for one slot; the oldest first.
#[derive(Default)]
struct Waiting {
    texts: VecDeque<JobId>,
    rows: VecDeque<WaitingRow>,
    /// Tasks of tokenising since its last run.
    tokenised: u32,
}

struct WaitingRow {
    job: JobId,
    window: usize,
    tokens: Vec<u32>,
}

impl Waiting {
    fn oldest(&self) -> Option<JobId> {
        self.texts.front().copied().into_iter().chain(self.rows.iter().map(|row| row.job).min()).min()
    }
}

pub(crate) struct Queue {
    limits: Limits,
    lanes: Vec<Lane>,
    caches: Vec<Cache<Answer>>,
    /// By model.
    broken: Vec<bool>,
    jobs: BTreeMap<JobId, Job>,
    under_way: HashMap<(Class, usize, TextKey), JobId>,
    /// By class and slot.
    waiting: [Vec<Waiting>; Class::ALL.len()],
    passed_over: [u32; Class::ALL.len()],
    bytes: [usize; Class::ALL.len()],
    next: JobId,
}

impl Queue {
    pub(crate) fn new(lanes: Vec<Lane>, limits: Limits) -> Self {
        let models = lanes.iter().map(|lane| lane.model + 1).max().unwrap_or(0);
        Self {
            limits,
            caches: lanes.iter().map(|lane| Cache::new(lane.cache_entries)).collect(),
            broken: vec![false; models],
            jobs: BTreeMap::new(),
            under_way: HashMap::new(),
            waiting: Class::ALL.map(|_| lanes.iter().map(|_| Waiting::default()).collect()),
            passed_over: Default::default(),
            bytes: Default::default(),
            next: 0,
            lanes,
        }
    }

    /// Whether a text of so many bytes may come in now.
    pub(crate) fn has_room(&self, class: Class, bytes: usize) -> bool {
        let held = self.bytes[class as usize];
        held == 0 || held + bytes <= self.limits.bytes_max
    }

    /// Takes a text in.
    pub(crate) fn push(&mut self, slot: usize, key: TextKey, text: &str, waiter: Waiter) -> Pushed {
        if self.broken[self.lanes[slot].model] {
            return Pushed::Known(Err(LabelError::StillBroken));
        }
        if let Some(answer) = self.caches[slot].get(&key) {
            return Pushed::Known(Ok(answer));
        }
        let class = waiter.class();
        if let Some(job) = self.under_way.get(&(class, slot, key)).and_then(|job| self.jobs.get_mut(job)) {
            job.waiters.push(waiter);
            return Pushed::Joined;
        }
        let id = self.next;
        self.next += 1;
        self.bytes[class as usize] += text.len();
        self.under_way.insert((class, slot, key), id);
        let job = Job {
            slot,
            class,
            key,
            waiters: vec![waiter],
            bytes: text.len(),
            text: text.into(),
            encoded: None,
            logits: Vec::new(),
            windows_left: 0,
            failure: None,
        };
        self.jobs.insert(id, job);
        self.waiting[class as usize][slot].texts.push_back(id);
        Pushed::New
    }

    /// The next task for a worker that has a session of the models for which `has_session` holds.
    pub(crate) fn next(&mut self, has_session: impl Fn(usize) -> bool) -> Option<Task> {
        let mut candidates = Vec::new();
        for class in Class::ALL {
            let lanes = self.waiting[class as usize].iter().enumerate();
            let own = lanes.filter(|(slot, _)| has_session(self.lanes[*slot].model));
            let oldest = own.filter_map(|(slot, waiting)| Some((waiting.oldest()?, slot))).min();
            candidates.extend(oldest.map(|(_, slot)| (class, slot)));
        }
        let overdue = candidates.iter().filter(|(class, _)| self.is_overdue(*class));
        let longest = overdue.max_by_key(|(class, _)| self.passed_over[*class as usize]);
        let (class, slot) = *longest.or(candidates.first())?;
        for (other, _) in &candidates {
            let passed_over = &mut self.passed_over[*other as usize];
            *passed_over = if *other == class { 0 } else { passed_over.saturating_add(1) };
        }
        Some(self.task(class, slot))
    }

    fn is_overdue(&self, class: Class) -> bool {
        self.passed_over[class as usize] >= self.limits.passed_over_max
    }

    fn task(&mut self, class: Class, slot: usize) -> Task {
        let waiting = &mut self.waiting[class as usize][slot];
        let may_tokenise = waiting.rows.len() < WINDOW_ROWS && waiting.tokenised < TOKENISED_IN_A_ROW;
        if !waiting.texts.is_empty() && (may_tokenise || waiting.rows.is_empty()) {
            waiting.tokenised += 1;
            let ids = waiting.texts.drain(..waiting.texts.len().min(TOKENISE_TEXTS));
            let texts = ids.map(|id| (id, Arc::clone(&self.jobs[&id].text))).collect();
            return Task::Tokenise { slot, texts };
        }
        waiting.tokenised = 0;
        let window = waiting.rows.iter().take(WINDOW_ROWS);
        let lengths: Vec<usize> = window.clone().map(|row| row.tokens.len()).collect();
        let (oldest, place) = window.zip(0..).map(|(row, place)| (row.job, place)).min().expect("something waits");
        let mut places = batching::cut(&lengths, place, self.lanes[slot].budget);
        places.sort_unstable();
        let taken = places.iter().rev().map(|place| waiting.rows.remove(*place).expect("a place in the window"));
        let rows = taken.map(|row| (row.job, row.window, row.tokens)).collect();
        Task::Run { slot, rows, oldest }
    }

    /// A text was tokenised: its rows wait, or it is finished.
    pub(crate) fn tokenised(&mut self, id: JobId, encoded: Result<Encoded, TokenError>) -> Option<Finished> {
        let job = self.jobs.get_mut(&id)?;
        match encoded {
            Ok(mut encoded) => {
                job.text = Arc::from("");
                job.windows_left = encoded.rows.len();
                job.logits = vec![None; encoded.rows.len()];
                let rows = std::mem::take(&mut encoded.rows).into_iter().zip(0..);
                let rows = rows.map(|(tokens, window)| WaitingRow { job: id, window, tokens });
                self.waiting[job.class as usize][job.slot].rows.extend(rows);
                job.encoded = Some(encoded);
                None
            }
            Err(error) => {
                job.failure = Some(Arc::new(error.into()));
                self.finish(id)
            }
        }
    }

    /// A row was run; the last one of its text finishes it.
    pub(crate) fn scored(&mut self, id: JobId, window: usize, row: Result<Vec<f32>, ModelError>) -> Option<Finished> {
        let job = self.jobs.get_mut(&id)?;
        match row {
            Ok(logits) => job.logits[window] = Some(logits),
            Err(error) => job.failure = Some(Arc::new(error.into())),
        }
        job.windows_left -= 1;
        if job.windows_left == 0 { self.finish(id) } else { None }
    }

    fn finish(&mut self, id: JobId) -> Option<Finished> {
        let job = self.remove(id)?;
        let found = match (job.failure, job.encoded) {
            (None, Some(encoded)) => Ok((encoded, job.logits.into_iter().flatten().collect())),
            (failure, _) => Err(failure.expect("a text without tokens has failed")),
        };
        Some(Finished { slot: job.slot, key: job.key, waiters: job.waiters, found })
    }

    fn remove(&mut self, id: JobId) -> Option<Job> {
        let job = self.jobs.remove(&id)?;
        self.bytes[job.class as usize] -= job.bytes;
        self.under_way.remove(&(job.class, job.slot, job.key));
        Some(job)
    }

    /// Remembers what the model said of a text. Failures are not remembered: they may pass.
    pub(crate) fn remember(&mut self, slot: usize, key: TextKey, answer: &Answer) {
        if answer.is_ok() {
            self.caches[slot].insert(key, answer.clone());
        }
    }

    /// Those who wait for a text under way.
    pub(crate) fn waiters(&self, id: JobId) -> Vec<Waiter> {
        self.jobs.get(&id).map(|job| job.waiters.clone()).unwrap_or_default()
    }

    /// Nobody waits for these any more: what no other waiter wants and is not being run is dropped.
    pub(crate) fn cancel(&mut self, caller: u64) {
        self.jobs.values_mut().for_each(|job| job.waiters.retain(|waiter| waiter.caller() != caller));
        self.drop_where(|job| job.waiters.is_empty());
    }

    /// The model is broken, or all of them are when the engine ends: whoever waits for it has to be told.
    pub(crate) fn give_up(&mut self, model: Option<usize>) -> Vec<Waiter> {
        let is_meant = |own: usize| model.is_none_or(|model| model == own);
        for (own, broken) in self.broken.iter_mut().enumerate() {
            *broken |= is_meant(own);
        }
        let models: Vec<usize> = self.lanes.iter().map(|lane| lane.model).collect();
        self.drop_where(|job| is_meant(models[job.slot]))
    }

    fn drop_where(&mut self, mut is_unwanted: impl FnMut(&Job) -> bool) -> Vec<Waiter> {
        let unwanted = self.jobs.iter().filter(|(_, job)| is_unwanted(job));
        let ids: Vec<JobId> = unwanted.map(|(id, _)| *id).collect();
        let waiters = ids.iter().filter_map(|id| self.remove(*id)).flat_map(|job| job.waiters).collect();
        for waiting in self.waiting.iter_mut().flatten() {
            waiting.texts.retain(|id| self.jobs.contains_key(id));
            waiting.rows.retain(|row| self.jobs.contains_key(&row.job));
        }
        waiters
    }
}

#[cfg(test)]
mod tests;
