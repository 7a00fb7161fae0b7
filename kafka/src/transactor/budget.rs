//! How long brokers are waited for, as this process lived it.

use std::time::{Duration, Instant};

/// Time to wait for brokers, in slices. Only time counts in which this process ran: one that was stopped (SIGSTOP, a frozen
/// container) has not yet heard what the brokers say, and that it was replaced meanwhile.
pub(super) struct Budget {
    pub(super) left: Duration,
    pub(super) slice: Duration,
    looked: Instant,
}

impl Budget {
    pub(super) fn new(left: Duration, slice: Duration) -> Self {
        Self { left, slice, looked: Instant::now() }
    }

    /// Takes off what passed since the last look, and returns what is left.
    pub(super) fn spend(&mut self) -> Duration {
        let passed = self.looked.elapsed().min(self.slice * 2);
        self.looked = Instant::now();
        self.left = self.left.saturating_sub(passed);
        self.left
    }
}
