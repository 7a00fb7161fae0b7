//! What is asked and what is answered: classes of texts, the news of each, and who waits for it.

use std::fmt;
use std::sync::Arc;

use crate::error::{LabelError, TextError};
use crate::slot::Prediction;

/// How urgent texts are, most urgent first. Texts of one class are answered about in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A person waits.
    Interactive,
    /// A stream that should keep up.
    Stream,
    /// Files, comparisons, whatever may take its time.
    Background,
}

impl Class {
    pub const ALL: [Self; 3] = [Self::Interactive, Self::Stream, Self::Background];
}

/// What a model says about one text, or why it cannot; identical texts share it.
pub type Answer = Result<Arc<Prediction>, Arc<TextError>>;

/// What a caller hears of one of its texts.
#[derive(Clone, Debug)]
pub enum News {
    /// The model was called with it and came back, maybe with no answer yet.
    GoesOn,
    /// The last news of this text. An error says that the model, not the text, is to blame.
    Answered(Result<Answer, LabelError>),
}

pub(crate) type Tell = dyn Fn(u64, News) + Send + Sync;

/// Who gets the answer for one text.
#[derive(Clone)]
pub(crate) struct Waiter {
    caller: u64,
    class: Class,
    place: u64,
    tell: Arc<Tell>,
}

impl Waiter {
    pub(crate) fn new(caller: u64, class: Class, place: u64, tell: Arc<Tell>) -> Self {
        Self { caller, class, place, tell }
    }

    pub(crate) fn caller(&self) -> u64 {
        self.caller
    }

    pub(crate) fn class(&self) -> Class {
        self.class
    }

    /// Nobody who waits, for tests of what waits.
    #[cfg(test)]
    pub(crate) fn of(caller: u64, class: Class, place: u64) -> Self {
        Self { caller, class, place, tell: Arc::new(|_, _| {}) }
    }

    #[cfg(test)]
    pub(crate) fn place(&self) -> u64 {
        self.place
    }

    pub(crate) fn tell(&self, news: News) {
        (self.tell)(self.place, news);
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of caller {}", self.place, self.caller)
    }
}
