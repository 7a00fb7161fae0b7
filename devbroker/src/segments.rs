//! The segments of a partition: retention lets go of whole ones, by the largest time in them, as Apache Kafka does.
//!
//! So one young record keeps the older ones of its segment, a transaction's marker too (its time is the end of the
//! transaction); and a segment of old records goes whole, the newest segment not excepted.

use std::collections::VecDeque;

use crate::clock::Millis;

/// When a segment is closed and the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rolling {
    pub(crate) bytes_max: u64,
    /// From the first batch's time to the time of the batch that no longer joins.
    pub(crate) age_max: Millis,
}

#[derive(Debug)]
struct Segment {
    last_offset: i64,
    bytes: u64,
    first_timestamp: Millis,
    largest_timestamp: Millis,
    appended: Millis,
}

impl Segment {
    /// Kafka's `largestTimestamp`: of records without a time, when the last one came.
    fn age_from(&self) -> Millis {
        if self.largest_timestamp >= 0 { self.largest_timestamp } else { self.appended }
    }
}

#[derive(Debug)]
pub(crate) struct Segments {
    rolling: Rolling,
    segments: VecDeque<Segment>,
}

impl Segments {
    pub(crate) fn new(rolling: Rolling) -> Self {
        Self { rolling, segments: VecDeque::new() }
    }

    /// Takes in a batch that was appended.
    pub(crate) fn appended(&mut self, last_offset: i64, timestamp: Millis, bytes: u64, now: Millis) {
        let joins = self.segments.back().is_some_and(|active| {
            let base = if active.first_timestamp >= 0 { active.first_timestamp } else { active.appended };
            let at = if active.first_timestamp >= 0 { timestamp } else { now };
            active.bytes.saturating_add(bytes) <= self.rolling.bytes_max
                && at.saturating_sub(base) <= self.rolling.age_max
        });
        let segment =
            Segment { last_offset, bytes, first_timestamp: timestamp, largest_timestamp: timestamp, appended: now };
        match self.segments.back_mut() {
            Some(active) if joins => {
                active.last_offset = last_offset;
                active.bytes += bytes;
                active.largest_timestamp = active.largest_timestamp.max(timestamp);
                active.appended = now;
            }
            _ => self.segments.push_back(segment),
        }
    }

    /// Where the log begins when every segment goes whose largest time lies more than `age_max` back; the oldest first,
    /// up to the first one that stays. `None` when none goes.
    pub(crate) fn expired(&mut self, age_max: Millis, now: Millis) -> Option<i64> {
        let mut start = None;
        while let Some(oldest) = self.segments.front()
            && now.saturating_sub(oldest.age_from()) > age_max
        {
            start = Some(oldest.last_offset + 1);
            self.segments.pop_front();
        }
        start
    }

    /// Forgets the segments before the start of the log.
    pub(crate) fn forget_before(&mut self, start: i64) {
        while self.segments.front().is_some_and(|oldest| oldest.last_offset < start) {
            self.segments.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(batches: &[(Millis, u64)]) -> Segments {
        let mut segments = Segments::new(Rolling { bytes_max: 100, age_max: 1000 });
        for (offset, (timestamp, bytes)) in (0..).zip(batches) {
            segments.appended(offset, *timestamp, *bytes, 5000);
        }
        segments
    }

    #[test]
    fn a_segment_goes_as_a_whole_by_its_largest_time() {
        assert_eq!(segments(&[(10, 40), (300, 40), (20, 40)]).expired(100, 400), None, "300 keeps the two beside it");
        assert_eq!(segments(&[(10, 40), (300, 40), (20, 40)]).expired(100, 401), Some(3), "the newest is no exception");
        assert_eq!(segments(&[(10, 60), (300, 60), (20, 60)]).expired(100, 200), Some(1), "each is one of its own");
        assert_eq!(segments(&[(10, 40), (1011, 40)]).expired(100, 1000), Some(1), "too far apart for one segment");
        assert_eq!(segments(&[]).expired(0, 1), None);
    }

    #[test]
    fn records_without_a_time_are_as_old_as_their_arrival() {
        assert_eq!(segments(&[(-1, 40)]).expired(100, 5100), None);
        assert_eq!(segments(&[(-1, 40)]).expired(100, 5101), Some(1));
    }

    #[test]
    fn what_is_deleted_by_hand_is_forgotten() {
        let mut segments = segments(&[(10, 60), (20, 60), (5000, 60)]);
        segments.forget_before(1);
        assert_eq!(segments.expired(100, 4000), Some(2));
        assert_eq!(segments.expired(100, 4000), None);
    }
}
