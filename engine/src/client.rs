//! The way to ask a model: a [`Client`] says which one and how urgent, a [`Caller`] is told the answers.
//!
//! Answers are per text and come in any order, on the engine's threads. Dropping a caller cancels what it asked for and
//! was not begun.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use schemas::ModelId;

use crate::answer::{Answer, Class, News, Tell, Waiter};
use crate::error::{LabelError, QueueFull};
use crate::lane::SlotId;
use crate::slot::Slot;
use crate::threads::{Asked, KnownAnswers, Removal, Threads, To};

/// Asks one slot of an engine, in one class. Cheap to clone; the engine ends with the last of its handles and clients.
#[derive(Clone)]
pub struct Client {
    pub(crate) threads: Arc<Threads>,
    pub(crate) id: SlotId,
    pub(crate) slot: Arc<Slot>,
    pub(crate) class: Class,
}

impl Client {
    /// The same slot for texts of another class.
    #[must_use]
    pub fn of_class(&self, class: Class) -> Self {
        Self { class, ..self.clone() }
    }

    /// The model that answers.
    pub fn model(&self) -> &Arc<ModelId> {
        self.slot.model()
    }

    /// The labels that it can give.
    pub fn labels(&self) -> &[Arc<str>] {
        self.slot.labels()
    }

    /// Removes the slot from its engine, while the others go on. Whoever asks it from now on is told
    /// [`LabelError::Removed`]. Returns when nothing of it is under way and, if no other slot needs its model, the model's
    /// sessions are freed; so it waits for runs that have begun, and must not be called by a caller's `tell`.
    pub fn remove(&self, removal: Removal) {
        self.threads.remove(self.id, removal);
    }

    /// A caller that hears by `tell`, on the engine's threads: it must not block for long.
    pub fn caller(&self, tell: impl Fn(u64, News) + Send + Sync + 'static) -> Caller {
        Caller { client: self.clone(), id: self.threads.new_caller(), tell: Arc::new(tell) }
    }

    /// Asks for texts and waits for all answers, in order.
    ///
    /// # Errors
    /// When the model, not a text, is to blame.
    pub fn predict(&self, texts: &[&str]) -> Result<Vec<Answer>, LabelError> {
        let (tell, told) = sync_channel(texts.len().max(1));
        let caller = self.caller(move |place, news| {
            if let News::Answered(reply) = news {
                tell.send((place, reply)).ok(); // who asked has gone
            }
        });
        let mut answers: Vec<Option<Answer>> = vec![None; texts.len()];
        let mut set = |place: u64, reply: Result<Answer, LabelError>| {
            answers[usize::try_from(place).expect("a place in the texts")] = Some(reply?);
            Ok(())
        };
        let known = caller.submit(texts.iter().copied().zip(0..).map(|(text, place)| (place, text)));
        let left = texts.len() - known.len();
        known.into_iter().try_for_each(|(place, reply)| set(place, reply))?;
        for _ in 0..left {
            let (place, reply) = told.recv().expect("the caller lives, and each of its texts is answered");
            set(place, reply)?;
        }
        Ok(answers.into_iter().map(|answer| answer.expect("every text was answered once")).collect())
    }
}

/// Somebody who asks for texts, and is told of each by the place that it gave it.
pub struct Caller {
    client: Client,
    id: u64,
    tell: Arc<Tell>,
}

impl Caller {
    /// Asks for texts; waits while the class has as many bytes under way as it may, in the order of coming. What is known
    /// at once is returned and not told again.
    pub fn submit<'a>(&self, texts: impl IntoIterator<Item = (u64, &'a str)>) -> KnownAnswers {
        self.client.threads.submit(self.to(), self.asked(texts))
    }

    /// Asks for texts as [`Self::submit`] does, without waiting: all of them are taken in, or none. Whoever waits came
    /// earlier, so nothing is taken in before them.
    ///
    /// # Errors
    /// When there is no room now. Texts whose answer is known or under way need none.
    pub fn try_submit<'a>(&self, texts: impl IntoIterator<Item = (u64, &'a str)>) -> Result<KnownAnswers, QueueFull> {
        self.client.threads.try_submit(self.to(), self.asked(texts))
    }

    fn to(&self) -> To<'_> {
        let Client { id, slot, class, .. } = &self.client;
        To { id: *id, slot, class: *class }
    }

    fn asked<'a>(&self, texts: impl IntoIterator<Item = (u64, &'a str)>) -> impl Iterator<Item = Asked<'a>> {
        let waiter = |place| Waiter::new(self.id, self.client.class, place, Arc::clone(&self.tell));
        texts.into_iter().map(move |(place, text)| (waiter(place), place, text))
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.client.threads.cancel(self.id);
    }
}

#[cfg(test)]
mod tests;
