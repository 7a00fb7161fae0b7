//! Event times that are hardly meant, before 2000 or after 2100: counted, and said once a process.

use std::sync::atomic::{AtomicBool, Ordering};

use formats::Decoder;
use formats::time::Doubt;
use schemas::TextEvent;

use crate::metrics;

/// Counts the events whose time is hardly meant, and warns of the first ones; `setting` is where their unit is set.
pub fn watch(decoder: &Decoder, events: &[TextEvent], setting: &str) {
    static SAID: AtomicBool = AtomicBool::new(false);
    let doubts: Vec<Doubt> = events.iter().filter_map(|event| decoder.doubt(event)).collect();
    let Some(first) = doubts.first() else { return };
    metrics::unusual_times(doubts.len());
    if !SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            times = doubts.len(),
            example = %first,
            setting,
            "event times before 2000 or after 2100 are kept as they are; is their unit right? (logged once)"
        );
    }
}
