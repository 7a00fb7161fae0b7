//! Each window of a quiet time held against a profile of the others: the alarms that would have been false.
//!
//! Windows are left out in blocks of neighbours, since neighbours resemble each other. What is found says more than the
//! budget does: a daily rhythm, for one, makes hours differ from the mean of all hours, and calls for a seasonal
//! reference.

use std::sync::Arc;

use schemas::report::Verdict;

use crate::board::MergedWindow;
use crate::compare::Comparer;
use crate::counts::WindowCounts;
use crate::profile::{About, Profile};
use crate::reference::settings::ReferenceConfig;
use crate::reference::{ClosedWindows, Flags, Past};
use crate::verdict::overall;
use crate::verdict::settings::VerdictConfig;
use crate::window::{Granularity, Window};

/// Blocks of neighbouring windows; each is held against the other nine tenths.
const BLOCKS: usize = 10;

/// What was found where nothing should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// Windows with enough records to be tested.
    pub windows: usize,
    /// Windows called drift: false alarms.
    pub drift: usize,
    /// Windows with a warning: sure, but small or not persistent.
    pub warned: usize,
    /// The sentence of the first false alarm, or of the first warning.
    pub example: Option<String>,
}

/// Runs the trial; `None` from fewer than two windows.
pub(super) fn run(
    windows: &[(Window, WindowCounts)],
    profile: &Profile,
    verdict: &VerdictConfig,
    granularities: &[Granularity],
) -> Option<Trial> {
    if windows.len() < 2 {
        return None;
    }
    let mut trial = Trial::default();
    let mut history = ClosedWindows::default();
    let size = windows.len().div_ceil(BLOCKS);
    for start in (0..windows.len()).step_by(size) {
        let block = start..(start + size).min(windows.len());
        let mut others = WindowCounts::default();
        let left = windows.iter().enumerate().filter(|(place, _)| !block.contains(place));
        left.for_each(|(_, (_, counts))| others.merge(counts));
        // Readable words are no use here, and the other windows are of the same model.
        let about = About { records: others.records(), ..profile.about().clone() };
        let others = Arc::new(Profile::new(about, others));
        let comparer = Comparer::new(ReferenceConfig::fixed(), verdict.clone(), granularities, Some(others));
        for (window, counts) in &windows[block] {
            let flags = trial.note(&comparer, *window, counts, &history);
            history.insert(*window, Past { counts: None, flags });
        }
    }
    Some(trial)
}

impl Trial {
    fn note(&mut self, comparer: &Comparer, window: Window, counts: &WindowCounts, history: &ClosedWindows) -> Flags {
        let merged = MergedWindow {
            window,
            revision: 0,
            is_final: true,
            counts: counts.clone(),
            offsets: Vec::new(),
            late_dropped: 0,
            clamped: 0,
            refused: std::collections::BTreeMap::new(),
        };
        let comparison = comparer.report(&merged, history);
        let overall = overall(&comparison.report.drift);
        let first_of_kind = match overall.verdict {
            Verdict::Drift => self.drift == 0,
            _ => self.drift == 0 && self.warned == 0,
        };
        match overall.verdict {
            Verdict::NotApplicable | Verdict::InsufficientData => return comparison.flags,
            Verdict::Drift | Verdict::Error => self.drift += 1,
            Verdict::Warn => self.warned += 1,
            Verdict::Ok => {}
        }
        self.windows += 1;
        if overall.verdict > Verdict::Ok && first_of_kind {
            self.example = Some(overall.reason);
        }
        comparison.flags
    }
}
