//! Faults on order, for tests: the n-th call of an api fails, before or after it took effect.

use std::time::Duration;

use kafka_protocol::messages::ApiKey;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The connection closes and the request has no effect.
    DropConnectionBefore,
    /// The request takes effect and the connection closes instead of an answer.
    DropConnectionAfterEffect,
    /// The request has no effect and is answered with this Kafka error code, wherever the answer has room for one.
    ErrorCode(i16),
    /// The request takes effect, and its answer is this Kafka error code nevertheless.
    ErrorCodeAfterEffect(i16),
    /// The request is handled this much later.
    Delay(Duration),
    /// The request takes effect at once, and is answered this much later.
    DelayAnswer(Duration),
    /// The request is taken up when [`Broker::release`](crate::Broker::release) has been called, before or after it came in.
    Hold,
}

/// One fault at one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub api: ApiKey,
    /// Counted from the moment of injection; 1 is the next call of this api, 0 means the same.
    pub nth: u64,
    pub kind: FaultKind,
}

/// The faults that have not happened yet.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Vec<Fault>,
    /// Whether requests at which [`FaultKind::Hold`] happens still wait.
    holding: bool,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.holding |= fault.kind == FaultKind::Hold;
        self.waiting.push(Fault { nth: fault.nth.max(1), ..fault });
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.release();
    }

    pub(crate) fn release(&mut self) {
        self.holding = false;
    }

    pub(crate) fn is_holding(&self) -> bool {
        self.holding
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Counts one call; the fault that is due at it, if any. Faults that are due together happen in the order of injection,
    /// one call after the other.
    pub(crate) fn on_call(&mut self, api: ApiKey) -> Option<FaultKind> {
        for fault in self.waiting.iter_mut().filter(|fault| fault.api == api) {
            fault.nth = fault.nth.saturating_sub(1);
        }
        let due = self.waiting.iter().position(|fault| fault.api == api && fault.nth == 0)?;
        Some(self.waiting.remove(due).kind)
    }
}
