//! What waits for the models, and what a free worker does next: a pure struct, without threads, clocks or models.
//!
//! A text waits to be tokenised, then its rows wait to be run. A run is cut from the rows that wait, around the oldest of
//! them ([`batching::cut`](crate::batching::cut)). A higher class goes first, but a class that was passed over [`Limits::passed_over_max`] times
//! in a row has the next turn, so none starves. Identical texts of a class that are under way share one run; what the
//! model said of recent ones comes from the slot's cache. Whoever waits for room gets it in the order of coming.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use crate::answer::{Answer, Class, Waiter};
use crate::cache::TextKey;
use crate::error::{LabelError, QueueFull, TextError};
use crate::lane::{JobId, Lane, LaneConfig, SlotId, Task, WaitingRow};
use crate::model::ModelError;
use crate::room::Room;
use crate::tokens::{Encoded, TokenError};

/// The bounds of a queue.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of texts that each class may have under way; a single larger text is taken when nothing else is.
    pub bytes_max: usize,
    /// Tasks that may be taken before those of a class while it waits; then it has the next turn.
    pub passed_over_max: u32,
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

/// A text of which all is known: what is left is to say it.
pub(crate) struct Finished {
    pub(crate) class: Class,
    pub(crate) key: TextKey,
    pub(crate) since: Instant,
    pub(crate) waiters: Vec<Waiter>,
    /// The tokens and the logits of each window, in order.
    pub(crate) found: Result<(Encoded, Vec<Vec<f32>>), Arc<TextError>>,
}

struct Job {
    slot: SlotId,
    class: Class,
    key: TextKey,
    since: Instant,
    waiters: Vec<Waiter>,
    bytes: usize,
    text: Arc<str>,
    /// Its rows are given away to be run.
    encoded: Option<Encoded>,
    logits: Vec<Option<Vec<f32>>>,
    windows_left: usize,
    failure: Option<Arc<TextError>>,
}

pub(crate) struct Queue {
    passed_over_max: u32,
    pub(crate) room: Room,
    lanes: BTreeMap<SlotId, Lane>,
    passed_over: [u32; Class::ALL.len()],
    /// Models.
    broken: BTreeSet<usize>,
    jobs: BTreeMap<JobId, Job>,
    under_way: HashMap<(Class, SlotId, TextKey), JobId>,
    /// The last slot or text.
    last: u64,
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            passed_over_max: limits.passed_over_max,
            room: Room::new(limits.bytes_max),
            lanes: BTreeMap::new(),
            passed_over: Default::default(),
            broken: BTreeSet::new(),
            jobs: BTreeMap::new(),
            under_way: HashMap::new(),
            last: 0,
        }
    }

    /// Opens a slot.
    pub(crate) fn add(&mut self, config: LaneConfig) -> SlotId {
        self.last += 1;
        self.lanes.insert(self.last, Lane::new(config));
        self.last
    }

    /// Whether texts may come in for a slot.
    pub(crate) fn is_open(&self, slot: SlotId) -> bool {
        self.lanes.get(&slot).is_some_and(|lane| !lane.is_closed)
    }

    /// Takes no more texts in for a slot; what is under way is finished.
    pub(crate) fn close(&mut self, slot: SlotId) {
        if let Some(lane) = self.lanes.get_mut(&slot) {
            lane.is_closed = true;
        }
    }

    /// Drops what is under way for a slot: whoever waits for it has to be told.
    pub(crate) fn clear(&mut self, slot: SlotId) -> Vec<Waiter> {
        self.drop_where(|job| job.slot == slot)
    }

    /// Nothing of a slot is under way or in the hands of a worker.
    pub(crate) fn is_idle(&self, slot: SlotId) -> bool {
        self.lanes.get(&slot).is_none_or(|lane| lane.texts == 0 && lane.tasks == 0)
    }

    /// Forgets an idle slot.
    pub(crate) fn remove_slot(&mut self, slot: SlotId) {
        self.lanes.remove(&slot);
    }

    /// Whether a slot needs this model.
    pub(crate) fn serves(&self, model: usize) -> bool {
        self.lanes.values().any(|lane| lane.config.model == model)
    }

    /// Why these texts may not all come in now. Those that are known or under way need no room.
    pub(crate) fn refusal<'a>(
        &self,
        slot: SlotId,
        class: Class,
        texts: impl Iterator<Item = (&'a TextKey, usize)>,
    ) -> Option<QueueFull> {
        let lane = self.lanes.get(&slot).filter(|lane| !lane.is_closed)?; // a removed slot has its own answer
        let needs_room =
            |key: &TextKey| !lane.cache.contains(key) && !self.under_way.contains_key(&(class, slot, *key));
        let bytes: usize = texts.filter(|(key, _)| needs_room(key)).map(|(_, bytes)| bytes).sum();
        (bytes > 0 && !self.room.may_enter(class, None, bytes)).then(|| self.room.full(class))
    }

    /// Takes a text in.
    pub(crate) fn push(&mut self, (slot, key): (SlotId, TextKey), text: &str, waiter: Waiter, now: Instant) -> Pushed {
        let Some(lane) = self.lanes.get_mut(&slot).filter(|lane| !lane.is_closed) else {
            return Pushed::Known(Err(LabelError::Removed));
        };
        if self.broken.contains(&lane.config.model) {
            return Pushed::Known(Err(LabelError::StillBroken));
        }
        if let Some(answer) = lane.cache.get(&key) {
            return Pushed::Known(Ok(answer));
        }
        let class = waiter.class();
        if let Some(job) = self.under_way.get(&(class, slot, key)).and_then(|job| self.jobs.get_mut(job)) {
            job.waiters.push(waiter);
            return Pushed::Joined;
        }
        self.last += 1;
        let id = self.last;
        lane.texts += 1;
        lane.waiting[class as usize].texts.push_back(id);
        self.room.take(class, text.len());
        self.under_way.insert((class, slot, key), id);
        let job = Job {
            slot,
            class,
            key,
            since: now,
            waiters: vec![waiter],
            bytes: text.len(),
            text: text.into(),
            encoded: None,
            logits: Vec::new(),
            windows_left: 0,
            failure: None,
        };
        self.jobs.insert(id, job);
        Pushed::New
    }

    /// The next task for a worker that has a session of the models for which `has_session` holds.
    pub(crate) fn next(&mut self, has_session: impl Fn(usize) -> bool) -> Option<Task> {
        let mut candidates = Vec::new();
        for class in Class::ALL {
            let own = self.lanes.iter().filter(|(_, lane)| has_session(lane.config.model));
            let oldest = own.filter_map(|(slot, lane)| Some((lane.waiting[class as usize].oldest()?, *slot))).min();
            candidates.extend(oldest.map(|(_, slot)| (class, slot)));
        }
        let overdue = candidates.iter().filter(|(class, _)| self.is_overdue(*class));
        let longest = overdue.max_by_key(|(class, _)| self.passed_over[*class as usize]);
        let (class, slot) = *longest.or(candidates.first())?;
        for (other, _) in &candidates {
            let passed_over = &mut self.passed_over[*other as usize];
            *passed_over = if *other == class { 0 } else { passed_over.saturating_add(1) };
        }
        let lane = self.lanes.get_mut(&slot).expect("a candidate is a slot");
        Some(lane.task(slot, class, |job| Arc::clone(&self.jobs[&job].text)))
    }

    /// A worker has done a task of a slot, and told whoever waited for it.
    pub(crate) fn done(&mut self, slot: SlotId) {
        self.lanes.get_mut(&slot).expect("a slot with a task is not removed").tasks -= 1;
    }

    fn is_overdue(&self, class: Class) -> bool {
        self.passed_over[class as usize] >= self.passed_over_max
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
                let lane = self.lanes.get_mut(&job.slot).expect("a slot with a text is not removed");
                lane.waiting[job.class as usize].rows.extend(rows);
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
        Some(Finished { class: job.class, key: job.key, since: job.since, waiters: job.waiters, found })
    }

    fn remove(&mut self, id: JobId) -> Option<Job> {
        let job = self.jobs.remove(&id)?;
        self.room.give(job.class, job.bytes);
        self.lanes.get_mut(&job.slot).expect("a slot with a text is not removed").texts -= 1;
        self.under_way.remove(&(job.class, job.slot, job.key));
        Some(job)
    }

    /// Remembers what the model said of a text of a slot. Failures are not remembered: they may pass.
    pub(crate) fn remember(&mut self, slot: SlotId, key: TextKey, answer: &Answer) {
        if let (Some(lane), Ok(_)) = (self.lanes.get_mut(&slot), answer) {
            lane.cache.insert(key, answer.clone());
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

    /// A model is broken, or the whole engine when it names none: whoever waits for it has to be told.
    pub(crate) fn give_up(&mut self, model: Option<usize>) -> Vec<Waiter> {
        self.broken.extend(model);
        let is_meant = |lane: &Lane| model.is_none_or(|model| model == lane.config.model);
        let slots: BTreeSet<SlotId> =
            self.lanes.iter().filter(|(_, lane)| is_meant(lane)).map(|(slot, _)| *slot).collect();
        self.drop_where(|job| slots.contains(&job.slot))
    }

    fn drop_where(&mut self, mut is_unwanted: impl FnMut(&Job) -> bool) -> Vec<Waiter> {
        let unwanted = self.jobs.iter().filter(|(_, job)| is_unwanted(job));
        let ids: Vec<JobId> = unwanted.map(|(id, _)| *id).collect();
        let waiters = ids.iter().filter_map(|id| self.remove(*id)).flat_map(|job| job.waiters).collect();
        for waiting in self.lanes.values_mut().flat_map(|lane| &mut lane.waiting) {
            waiting.texts.retain(|id| self.jobs.contains_key(id));
            waiting.rows.retain(|row| self.jobs.contains_key(&row.job));
        }
        waiters
    }
}

#[cfg(test)]
mod tests;
