//! What is unusual about records, but not an error.

use super::{Observation, Refusal};

/// Counts over some records. They are for people and metrics: nothing that is tested depends on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Odd {
    /// Records that say that their key is gone.
    pub tombstones: u64,
    /// Scores and other shares that rounding had pushed over 0 or 1.
    pub clamped_shares: u64,
    /// Events counted with a time before 2000 or after 2100.
    pub unusual_times: u64,
}

impl Odd {
    pub fn add(&mut self, outcome: &Result<Observation, Refusal>) {
        match outcome {
            Ok(observation) => {
                self.clamped_shares += u64::from(observation.clamped_shares());
                self.unusual_times += u64::from(observation.doubt().is_some());
            }
            Err(Refusal::Tombstone) => self.tombstones += 1,
            Err(_) => {}
        }
    }
}
