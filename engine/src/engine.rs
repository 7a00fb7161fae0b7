//! Where models come and go while others are asked: an [`Engine`] takes a model and gives a [`Client`] for each slot.

use std::sync::Arc;

use schemas::ModelId;

use crate::answer::Class;
use crate::client::Client;
use crate::queue::Limits;
use crate::threads::{Loaded, Threads};

/// Threads with sessions of models, and their queue. Cheap to clone; it ends with the last of its handles and clients.
#[derive(Clone)]
pub struct Engine {
    threads: Arc<Threads>,
}

impl Engine {
    /// An engine without models, and so without threads.
    pub fn new(limits: Limits) -> Self {
        Self { threads: Arc::new(Threads::new(limits)) }
    }

    /// The engine of a client.
    pub fn of(client: &Client) -> Self {
        Self { threads: Arc::clone(&client.threads) }
    }

    /// Adds a model while the others go on: one client per slot, in order. There are as many threads as the model with the
    /// most sessions has. [`Client::remove`] takes a slot out again.
    ///
    /// # Panics
    /// When the model has no session or no slot: that is a bug of its maker.
    pub fn add(&self, model: Loaded) -> Vec<Client> {
        let client = |(id, slot)| Client { threads: Arc::clone(&self.threads), id, slot, class: Class::Stream };
        self.threads.add(model).into_iter().map(client).collect()
    }

    /// The models of the slots that may be asked, in the order in which they were added.
    pub fn models(&self) -> Vec<Arc<ModelId>> {
        self.threads.models()
    }
}

#[cfg(test)]
mod tests;
