//! Metrics of decoding.

use metrics::{Unit, counter, describe_counter};

pub const UNUSUAL_TIMES: &str = "labelstream_unusual_times_total";

/// Registers what each metric means.
pub fn describe() {
    describe_counter!(UNUSUAL_TIMES, Unit::Count, "Events with a time before 2000 or after 2100.");
}

pub(crate) fn unusual_times(events: usize) {
    counter!(UNUSUAL_TIMES).increment(events as u64);
}
