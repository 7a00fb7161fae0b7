//! Implausible event times, before 2000 or after 2100: counted, and logged once per process.

use std::sync::atomic::{AtomicBool, Ordering};

use formats::Decoder;
use formats::time::Doubt;
use schemas::TextEvent;

use super::metrics;

/// Counts the events with an implausible time, and warns of the first ones.
pub(super) fn watch(decoder: &Decoder, events: &[TextEvent]) {
    static SAID: AtomicBool = AtomicBool::new(false);
    let doubts: Vec<Doubt> = events.iter().filter_map(|event| decoder.doubt(event)).collect();
    let Some(first) = doubts.first() else { return };
    metrics::unusual_times(doubts.len());
    if !SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            times = doubts.len(),
            example = %first,
            setting = "decode.event_time_unit",
            "event times before 2000 or after 2100 are kept as they are; is their unit right? (logged once)"
        );
    }
}
