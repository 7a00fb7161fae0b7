//! Everything the broker knows, under one lock, and how a request waits for some of it to change.
//!
//! One lock is enough: batches are opaque, so the longest critical section is a copy of what a client sent. A waiting request
//! (a fetch without records, a join without the others) looks again each time its part of the state was touched.

use std::collections::HashMap;
use std::net::SocketAddr;

use kafka_protocol::messages::ApiKey;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock::{Clock, Millis, saturating_millis};
use crate::config::Config;
use crate::fault::Faults;
use crate::groups::Groups;
use crate::rights::Rights;
use crate::shape::Shapes;
use crate::topics::{TopicError, Topics};
use crate::transactions::{Ending, Transactions};

pub(crate) struct State {
    pub(crate) topics: Topics,
    pub(crate) groups: Groups,
    pub(crate) transactions: Transactions,
    pub(crate) faults: Faults,
    pub(crate) rights: Rights,
    pub(crate) calls: HashMap<i16, u64>,
}

impl State {
    fn new(config: &Config) -> Result<Self, (String, TopicError)> {
        let mut topics = Topics::new(config);
        for spec in &config.topics {
            topics.create(spec, false).map_err(|error| (spec.name.clone(), error))?;
        }
        Ok(Self {
            topics,
            groups: Groups::new(config),
            transactions: Transactions::new(
                saturating_millis(config.transaction_timeout_max),
                config.limits.transactional_ids,
            ),
            faults: Faults::default(),
            rights: Rights::default(),
            calls: HashMap::new(),
        })
    }

    /// Carries out the end of a transaction: markers, then offsets. Partitions and groups deleted meanwhile are passed over.
    pub(crate) fn finish(&mut self, ending: Ending, now: Millis) {
        let producer = (ending.producer.id, ending.producer.epoch);
        for (topic, partition) in ending.partitions {
            if let Ok(log) = self.topics.partition_mut(&topic, partition) {
                log.append_marker(producer, ending.commit, now);
            }
        }
        for group in ending.groups {
            if let Some(group) = self.groups.get_mut(&group) {
                group.offsets.end(ending.producer.id, ending.commit);
            }
        }
    }

    /// Deletes a topic and the offsets in it.
    pub(crate) fn delete_topic(&mut self, name: &str) -> Result<uuid::Uuid, TopicError> {
        let gone = self.topics.delete(name)?;
        self.groups.forget_topic(name);
        Ok(gone.id)
    }

    pub(crate) fn count_call(&mut self, api: ApiKey) {
        *self.calls.entry(api as i16).or_default() += 1;
    }
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) shapes: Shapes,
    /// Host and port told to clients.
    pub(crate) advertised: (String, u16),
    state: Mutex<State>,
    logs_changed: Notify,
    groups_changed: Notify,
    faults_changed: Notify,
}

/// Which part of the state a request waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wait {
    Logs,
    Groups,
    Faults,
}

impl Shared {
    pub(crate) fn new(config: Config, address: SocketAddr) -> Result<Self, (String, TopicError)> {
        let state = State::new(&config)?;
        let advertised = config.advertised.clone().unwrap_or_else(|| (address.ip().to_string(), address.port()));
        Ok(Self {
            clock: Clock::start(),
            shapes: Shapes::new(config.limits.request_items),
            advertised,
            state: Mutex::new(state),
            logs_changed: Notify::new(),
            groups_changed: Notify::new(),
            faults_changed: Notify::new(),
            config,
        })
    }

    /// Looks at or changes the state. Whoever changes something that others wait for calls [`Shared::wake`] afterwards.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut State, Millis) -> R) -> R {
        let mut state = self.state.lock();
        act(&mut state, self.clock.now())
    }

    pub(crate) fn wake(&self, wait: Wait) {
        self.notify(wait).notify_waiters();
    }

    /// Tries at every change until `attempt` finds what it looks for, or the deadline (broker time) has passed.
    pub(crate) async fn wait_for<R>(
        &self,
        wait: Wait,
        deadline: Millis,
        mut attempt: impl FnMut(&mut State, Millis) -> Option<R>,
    ) -> Option<R> {
        loop {
            let mut changed = std::pin::pin!(self.notify(wait).notified());
            changed.as_mut().enable(); // before looking, so that no change falls between look and wait
            let (found, now) = self.with(|state, now| (attempt(state, now), now));
            if found.is_some() || now >= deadline {
                return found;
            }
            let left = std::time::Duration::from_millis(u64::try_from(deadline - now).unwrap_or(0));
            // Timed out or changed: either way the loop looks once more.
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    /// Lets time take effect: sessions, rebalances, transactions.
    pub(crate) fn tick(&self) {
        let (logs, groups) = self.with(|state, now| {
            let endings = state.transactions.expire(now);
            let aborted = !endings.is_empty();
            for ending in endings {
                tracing::info!(producer_id = ending.producer.id, "transaction timed out and was aborted");
                state.finish(ending, now);
            }
            (aborted, state.groups.tick(now))
        });
        if logs {
            self.wake(Wait::Logs);
        }
        if groups {
            self.wake(Wait::Groups);
        }
    }

    fn notify(&self, wait: Wait) -> &Notify {
        match wait {
            Wait::Logs => &self.logs_changed,
            Wait::Groups => &self.groups_changed,
            Wait::Faults => &self.faults_changed,
        }
    }
}
