//! How far all partitions together are: the least watermark, with what idle partitions and the clock change in it.

use std::collections::BTreeSet;

use super::Board;
use crate::state::TopicPartition;

/// Which time it is for the windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The reporter has run for less than `idle_ms`: a partition marked idle may be one whose owner died before it read
    /// what came since. The marks are not believed yet.
    Starting,
    /// Milliseconds since 1970 UTC.
    At(i64),
    /// No record will come any more: every window is closed.
    Ended,
}

/// How far the windows may be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frontier {
    reached_ms: i64,
    passed_ms: i64,
    ended: bool,
}

impl Frontier {
    /// The watermark of all partitions together, milliseconds since 1970 UTC; `None` when some have seen no event yet.
    pub fn watermark_ms(&self) -> Option<i64> {
        (self.reached_ms > i64::MIN).then_some(self.reached_ms)
    }

    /// Whether every partition that is not idle is past this moment.
    pub(super) fn reached(&self, moment_ms: i64) -> bool {
        self.ended || self.reached_ms >= moment_ms
    }

    /// As [`Self::reached`], but the end of the input does not count.
    pub(super) fn waited(&self, moment_ms: i64) -> bool {
        self.reached_ms >= moment_ms
    }

    /// Whether every partition is past this moment, idle ones too.
    pub(super) fn passed(&self, moment_ms: i64) -> bool {
        self.passed_ms >= moment_ms
    }

    pub(super) fn ended(&self) -> bool {
        self.ended
    }
}

impl Board {
    /// How far these partitions together are; `None` while nothing is known of one of them, or there are none.
    ///
    /// Idle partitions hold nothing back. When all are idle, the greatest watermark counts, or the clock minus `idle_ms`
    /// where that is later: else the last windows of a stream that stopped would never close.
    pub fn frontier(&self, expected: &BTreeSet<TopicPartition>, clock: Clock) -> Option<Frontier> {
        let mut least_awake = None;
        let mut least = None;
        let mut greatest = i64::MIN;
        for source in expected {
            let progress = self.sources.get(source)?;
            let watermark_ms = progress.watermark_ms.unwrap_or(i64::MIN);
            greatest = greatest.max(watermark_ms);
            least = Some(least.unwrap_or(i64::MAX).min(watermark_ms));
            if !(progress.idle && matches!(clock, Clock::At(_))) {
                least_awake = Some(least_awake.unwrap_or(i64::MAX).min(watermark_ms));
            }
        }
        let by_clock = match clock {
            Clock::At(now_ms) => now_ms.saturating_sub(self.config.idle_ms()),
            Clock::Starting | Clock::Ended => i64::MIN,
        };
        let reached_ms = least_awake.unwrap_or(greatest.max(by_clock));
        Some(Frontier { reached_ms, passed_ms: least?, ended: clock == Clock::Ended })
    }
}
