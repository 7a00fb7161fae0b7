//! Records a second between the first commit and the last.

use std::time::Instant;

/// From the first commit to the last.
pub(super) struct Span {
    first: Option<(Instant, usize)>,
}

impl Span {
    pub(super) fn new() -> Self {
        Self { first: None }
    }

    /// So many records are committed by now; the rate, when they are all.
    pub(super) fn committed(&mut self, committed: usize, all: usize) -> Option<f64> {
        if committed == 0 {
            return None;
        }
        let (since, before) = *self.first.get_or_insert_with(|| (Instant::now(), committed));
        (committed >= all).then(|| (committed - before) as f64 / since.elapsed().as_secs_f64())
    }
}
