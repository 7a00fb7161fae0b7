//! Which call fails, and how: a plan shared by every seam of the simulation.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The calls through which the pipeline meets the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seam {
    Read,
    Rewind,
    Infer,
    Publish,
}

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlannedFault {
    /// The call fails and nothing happened.
    FailsBefore,
    /// The call fails, but it took effect.
    FailsAfter,
    /// The group rebalances during the call.
    Rebalance,
    /// A bug of ours: the thread panics.
    Panic,
    /// The call does not come back until the test opens the gate. Not among [`PLANNED_FAULTS`]: nothing recovers from it.
    Hangs,
}

pub(crate) const PLANNED_FAULTS: [PlannedFault; 4] =
    [PlannedFault::FailsBefore, PlannedFault::FailsAfter, PlannedFault::Rebalance, PlannedFault::Panic];

/// Faults by the number of the call at their seam, first call = 1.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    planned: Mutex<Vec<(Seam, u64, PlannedFault)>>,
    calls: [AtomicU64; 4],
    fired: AtomicBool,
    /// Held by a test for as long as calls that hang do not come back.
    pub(crate) gate: Mutex<()>,
}

impl Faults {
    pub(crate) fn at(seam: Seam, call: u64, kind: PlannedFault) -> Self {
        Self::mix(vec![(seam, call, kind)])
    }

    pub(crate) fn mix(planned: Vec<(Seam, u64, PlannedFault)>) -> Self {
        Self { planned: Mutex::new(planned), ..Self::default() }
    }

    /// Counts a call and says what happens at it.
    pub(crate) fn call(&self, seam: Seam) -> Option<PlannedFault> {
        let number = self.calls[seam as usize].fetch_add(1, Ordering::Relaxed) + 1;
        let mut planned = self.planned.lock().expect("no panic while the plan is locked");
        let place = planned.iter().position(|(own, call, _)| *own == seam && *call == number)?;
        self.fired.store(true, Ordering::Relaxed);
        let kind = planned.swap_remove(place).2;
        drop(planned);
        if kind == PlannedFault::Hangs {
            drop(self.gate.lock());
            return None;
        }
        Some(kind)
    }

    /// True when at least one planned fault happened.
    pub(crate) fn fired(&self) -> bool {
        self.fired.load(Ordering::Relaxed)
    }
}
