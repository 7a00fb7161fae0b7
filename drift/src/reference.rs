//! References: the counts that a window is compared with.
//!
//! A fixed reference is a [`Profile`]. The others are sums of windows that closed before, out of [`ClosedWindows`]: the one
//! before, the last k, or those of the same hour of the week in the last k weeks. [`ClosedWindows`] holds what each window
//! counted at revision 0, so that a report depends on the log alone and a replay finds the same reference.

pub mod design;
pub mod settings;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::counts::{CountsError, WindowCounts};
use crate::feature::Feature;
use crate::profile::Profile;
use crate::window::{Granularity, Window};
use settings::{ReferenceConfig, WEEK_MS};

pub use settings::ReferenceKind;

/// Windows whose counts are held at once to learn design effects; two days of hours tell enough.
const PARTS_MAX: usize = 48;

/// Findings of one window that were sure and large, by [`finding key`](crate::compare::finding_key).
pub type Flags = BTreeSet<String>;

/// What later windows need of a closed one, always as of its revision 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// [`WindowCounts::encode`]; `None` where no reference will ask for them.
    pub counts: Option<Arc<[u8]>>,
    pub flags: Flags,
}

/// Closed windows, for references and for persistence.
#[derive(Clone, Debug, Default)]
pub struct ClosedWindows {
    windows: BTreeMap<Window, Past>,
}

impl ClosedWindows {
    /// Remembers a closed window; one that is known already is replaced.
    pub fn insert(&mut self, window: Window, past: Past) {
        self.windows.insert(window, past);
    }

    pub fn get(&self, window: Window) -> Option<&Past> {
        self.windows.get(&window)
    }

    /// Forgets the windows of one granularity that end at or before this moment (milliseconds since 1970 UTC).
    pub fn forget(&mut self, granularity: Granularity, end_ms: i64) {
        self.windows.retain(|window, _| window.granularity != granularity || window.end_ms() > end_ms);
    }

    /// How many of the `count` windows before this one carry a flag.
    pub fn flagged_before(&self, window: Window, count: u32, key: &str) -> u32 {
        let flagged = (1..=i64::from(count))
            .filter_map(|back| self.get(window.later(-back)))
            .filter(|past| past.flags.contains(key));
        u32::try_from(flagged.count()).unwrap_or(u32::MAX)
    }
}

/// The counts that one window is compared with.
#[derive(Clone, Debug)]
pub struct Reference {
    pub kind: ReferenceKind,
    /// Names the counts in reports: the digest of a profile, or which windows were summed.
    pub id: String,
    pub counts: Arc<WindowCounts>,
    /// How many windows the counts are the sum of.
    pub windows: u32,
    /// By how much records of a feature resemble their neighbours, where the windows tell; those of a profile are its own.
    pub design_effects: BTreeMap<Feature, f64>,
}

/// Why there is no reference.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    #[error("there is no profile: create one with labelstream drift calibrate, or set reference.kind")]
    Profile,
    #[error("the {kind} reference has {found} of the {least} windows that it needs, {} more to come", least - found)]
    Windows { kind: ReferenceKind, found: u32, least: u32 },
    #[error("the {kind} reference cannot be read: {source}")]
    Unreadable { kind: ReferenceKind, source: CountsError },
}

/// The reference of this window; `granularities` are all that are counted.
///
/// # Errors
/// There is none yet, or its counts cannot be read.
pub fn reference(
    config: &ReferenceConfig,
    profile: Option<&Profile>,
    history: &ClosedWindows,
    window: Window,
    granularities: &[Granularity],
) -> Result<Reference, Missing> {
    let kind = config.kind;
    if kind == ReferenceKind::Fixed {
        let profile = profile.ok_or(Missing::Profile)?;
        let windows = profile.windows();
        let (id, counts) = (profile.id().to_owned(), profile.counts());
        return Ok(Reference { kind, id, counts, windows, design_effects: BTreeMap::new() });
    }
    let (count, least) = config.windows();
    let mut sum = WindowCounts::default();
    let (mut used, mut parts) = (Vec::new(), Vec::new());
    for earlier in candidates(kind, window, count, granularities) {
        let Some(bytes) = history.get(earlier).and_then(|past| past.counts.as_ref()) else { continue };
        let counts = WindowCounts::decode(bytes).map_err(|source| Missing::Unreadable { kind, source })?;
        sum.merge(&counts);
        used.push(earlier);
        if parts.len() < PARTS_MAX {
            parts.push(counts);
        }
    }
    let found = u32::try_from(used.len()).unwrap_or(u32::MAX);
    if found < least {
        return Err(Missing::Windows { kind, found, least });
    }
    let design_effects = design::effects(&parts.iter().collect::<Vec<_>>());
    Ok(Reference { kind, id: name_of(kind, &used), counts: Arc::new(sum), windows: found, design_effects })
}

/// The windows that a reference of this kind may sum, newest first.
fn candidates(kind: ReferenceKind, window: Window, count: u32, granularities: &[Granularity]) -> Vec<Window> {
    let back = 1..=i64::from(count);
    match kind {
        ReferenceKind::Fixed => Vec::new(),
        ReferenceKind::Previous | ReferenceKind::Rolling => back.map(|back| window.later(-back)).collect(),
        ReferenceKind::Seasonal => {
            let granularity = settings::seasonal_granularity(window.granularity, granularities);
            // A window longer than a week has no hour of the week: the ones before it are as good.
            let step = WEEK_MS.max(granularity.length_ms());
            back.map(|weeks| granularity.window(window.start_ms.saturating_sub(step.saturating_mul(weeks)))).collect()
        }
    }
}

/// Such as `rolling:PT1H:24:1767139200000-1767225600000`: granularity, number of windows, start of the oldest and the
/// newest.
fn name_of(kind: ReferenceKind, used: &[Window]) -> String {
    match (used.first(), used.last()) {
        (Some(newest), Some(oldest)) => {
            format!("{kind}:{}:{}:{}-{}", newest.granularity, used.len(), oldest.start_ms, newest.start_ms)
        }
        _ => kind.to_string(),
    }
}
