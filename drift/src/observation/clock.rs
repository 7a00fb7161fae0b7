//! When an event happened, with clocks that run ahead held back: one bad clock must not close every window.

use formats::time::TIME_RANGE_MS;

use super::refusal::Refusal;

/// How far ahead of the record's own time an event may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) ahead_ms: i64,
    pub(super) ahead_max_ms: i64,
}

/// A time, and whether it was set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventTime {
    pub(super) ms: i64,
    pub(super) clamped: bool,
}

impl Clock {
    /// The event's own time, else the record's, no later than `ahead_ms` after the record's time; where that itself is
    /// ahead of the reader's clock `now_ms`, or missing, the reader's clock counts. All in milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// [`Refusal::ClockAhead`] beyond `ahead_max_ms`, [`Refusal::NoEventTime`] where there is no time at all.
    pub(super) fn time(self, event_ms: Option<i64>, record_ms: Option<i64>, now_ms: i64) -> Result<EventTime, Refusal> {
        // Kafka writes -1 where a record has no timestamp; what is beyond the year 9999 is none either.
        let record_ms = record_ms.filter(|ms| (0..=*TIME_RANGE_MS.end()).contains(ms));
        let ms = event_ms.or(record_ms).ok_or(Refusal::NoEventTime)?;
        let base = record_ms.map_or(now_ms, |record| record.min(now_ms));
        let ahead_ms = ms.saturating_sub(base);
        if ahead_ms > self.ahead_max_ms {
            return Err(Refusal::ClockAhead { ahead_ms });
        }
        let latest = base.saturating_add(self.ahead_ms);
        Ok(EventTime { ms: ms.min(latest), clamped: ms > latest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_395_723_456;
    const DAY: i64 = 86_400_000;

    #[test]
    fn clocks_ahead_are_held_back_or_refused() {
        let clock = Clock { ahead_ms: 60_000, ahead_max_ms: DAY };
        let at = |ms| Ok(EventTime { ms, clamped: false });
        let clamped = |ms| Ok(EventTime { ms, clamped: true });
        let ahead = |ahead_ms| Err(Refusal::ClockAhead { ahead_ms });
        let year_3000 = 32_503_680_000_000;
        for (event, record, expected) in [
            (Some(NOW - 5), Some(NOW), at(NOW - 5)),
            (None, Some(NOW - 7), at(NOW - 7)),
            (None, None, Err(Refusal::NoEventTime)),
            (None, Some(-1), Err(Refusal::NoEventTime)),
            (Some(3), Some(-1), at(3)),
            (Some(NOW + 60_000), None, at(NOW + 60_000)),
            (Some(NOW + 60_001), None, clamped(NOW + 60_000)),
            (Some(NOW - 1000 + 60_001), Some(NOW - 1000), clamped(NOW - 1000 + 60_000)),
            (Some(NOW + DAY), Some(NOW), clamped(NOW + 60_000)),
            (Some(NOW + DAY + 1), Some(NOW), ahead(DAY + 1)),
            (Some(year_3000), Some(NOW), ahead(year_3000 - NOW)),
            // The record's own clock is ahead: it vouches for nothing.
            (None, Some(NOW + 60_001), clamped(NOW + 60_000)),
            (Some(NOW + 70_000), Some(NOW + 69_999), clamped(NOW + 60_000)),
            (None, Some(year_3000), ahead(year_3000 - NOW)),
            (None, Some(i64::MAX), Err(Refusal::NoEventTime)),
            (Some(NOW + 60_001), Some(i64::MAX), clamped(NOW + 60_000)),
        ] {
            assert_eq!(clock.time(event, record, NOW), expected, "{event:?} {record:?}");
        }
    }

    /// Histories are read without a clock: `now_ms` is `i64::MAX`, and only a record's own time holds an event back.
    #[test]
    fn a_history_needs_no_clock() {
        let clock = Clock { ahead_ms: 60_000, ahead_max_ms: DAY };
        assert_eq!(clock.time(Some(NOW), None, i64::MAX), Ok(EventTime { ms: NOW, clamped: false }));
        assert_eq!(clock.time(Some(NOW + 60_001), Some(NOW), i64::MAX).map(|time| time.clamped), Ok(true));
    }
}
