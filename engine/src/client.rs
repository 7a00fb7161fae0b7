//! The way to ask a model: a [`Client`] says which one and how urgent, a [`Caller`] is told the answers.
//!
//! Answers are per text and come in any order, on the engine's threads. Dropping a caller cancels what it asked for and
//! was not begun.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use schemas::ModelId;

use crate::answer::{Answer, Class, News, Tell, Waiter};
use crate::error::LabelError;
use crate::queue::Limits;
use crate::workers::{Loaded, Threads};

/// Starts threads for these models, as many as the model with the most sessions has. There is one client per slot, in
/// order; the engine ends when the last of them is dropped.
///
/// # Panics
/// When a model has no session: an engine without one is a bug of its maker.
pub fn start(models: Vec<Loaded>, limits: Limits) -> Vec<Client> {
    let slots = models.iter().map(|model| model.slots.len()).sum();
    let threads = Arc::new(Threads::start(models, limits));
    (0..slots).map(|slot| Client { threads: Arc::clone(&threads), slot, class: Class::Stream }).collect()
}

/// Asks one slot of an engine, in one class. Cheap to clone; the engine ends with its last client.
#[derive(Clone)]
pub struct Client {
    threads: Arc<Threads>,
    slot: usize,
    class: Class,
}

impl Client {
    /// The same slot for texts of another class.
    #[must_use]
    pub fn of_class(&self, class: Class) -> Self {
        Self { class, ..self.clone() }
    }

    /// The model that answers.
    pub fn model(&self) -> &Arc<ModelId> {
        self.threads.slot(self.slot).model()
    }

    /// The labels that it can give.
    pub fn labels(&self) -> &[Arc<str>] {
        self.threads.slot(self.slot).labels()
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
    /// Asks for texts; waits while the class has more bytes under way than it may. What is known at once is returned and
    /// not told again.
    pub fn submit<'a>(
        &self,
        texts: impl IntoIterator<Item = (u64, &'a str)>,
    ) -> Vec<(u64, Result<Answer, LabelError>)> {
        let Client { threads, slot, class } = &self.client;
        let waiter = |place| Waiter::new(self.id, *class, place, Arc::clone(&self.tell));
        threads.submit(*slot, *class, texts.into_iter().map(|(place, text)| (waiter(place), place, text)))
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.client.threads.cancel(self.id);
    }
}

#[cfg(test)]
mod tests;
