//! From the counts of a window to its report: every feature of every slice held against the reference.
//!
//! One test per feature and slice decides (see [`numbers`](self), [`crate::verdict`]); Benjamini and Hochberg's correction
//! runs over all of them, slices included. The other rows describe the change in other units, or tell which label or
//! word moved. A statistic that cannot be computed has the verdict `error` on its own row and stops no other. The same
//! counts, reference and settings give the same rows: nothing here reads a clock or a random number.

mod categories;
mod draft;
mod embedding;
mod features;
mod lengths;
mod numbers;
mod row;
mod ruling;
mod summary;
mod titles;
mod words;

#[cfg(test)]
pub(crate) mod streams;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::report::{ReportKey, WindowReport};

use crate::board::{Kept, MergedWindow};
use crate::counts::{View, WindowCounts};
use crate::feature::Feature;
use crate::performance;
use crate::profile::Profile;
use crate::reference::settings::ReferenceConfig;
use crate::reference::{self, ClosedWindows, Flags, Missing, Reference, ReferenceKind};
use crate::verdict::settings::VerdictConfig;
use crate::window::Granularity;
use row::{Frame, digest};

pub use ruling::finding_key;

pub(crate) use row::slice_columns;

/// A report, and what later windows need to know of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub report: WindowReport,
    /// Findings that were sure and large; those of revision 0 belong into the [`ClosedWindows`].
    pub flags: Flags,
}

/// Makes reports under one set of settings.
#[derive(Clone, Debug)]
pub struct Comparer {
    pub(crate) reference: ReferenceConfig,
    pub(crate) verdict: VerdictConfig,
    granularities: Vec<Granularity>,
    profile: Option<Arc<Profile>>,
    model: Option<String>,
    config_hash: String,
}

impl Comparer {
    /// `granularities` are all that are reported: the budget is split over them. `profile` is the fixed reference, where
    /// there is one.
    pub fn new(
        reference: ReferenceConfig,
        verdict: VerdictConfig,
        granularities: &[Granularity],
        profile: Option<Arc<Profile>>,
    ) -> Self {
        let config_hash = config_hash(&reference, &verdict, granularities);
        Self { reference, verdict, granularities: granularities.to_vec(), profile, model: None, config_hash }
    }

    /// Files reports under this model; otherwise under the one that most events of a window name.
    #[must_use]
    pub fn with_model(self, name: String) -> Self {
        Self { model: Some(name), ..self }
    }

    /// The model that all reports are filed under; `None`: each under its own.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The level of one window, from the budget.
    pub fn alpha(&self, granularity: Granularity) -> f64 {
        self.verdict.budget.alpha(granularity, self.granularities.len())
    }

    /// What the board must keep of closed windows of each length, for references and persistence.
    pub fn kept(&self) -> BTreeMap<Granularity, Kept> {
        let kept = |granularity: &Granularity| Kept {
            counts_ms: self.reference.counts_kept_ms(*granularity, &self.granularities),
            flags_ms: self.verdict.flags_kept_ms(*granularity),
        };
        self.granularities.iter().map(|granularity| (*granularity, kept(granularity))).collect()
    }

    /// The report of a window. `history` may hold more than is needed, later windows too.
    pub fn report(&self, merged: &MergedWindow, history: &ClosedWindows) -> Comparison {
        let found =
            reference::reference(&self.reference, self.profile.as_deref(), history, merged.window, &self.granularities);
        let frame = self.frame(merged, found.as_ref().ok());
        let rows = match found {
            Err(missing) => ruling::without_reference(&frame, &merged.counts, &missing),
            Ok(reference) => match self.other_model(&merged.counts) {
                Some(reason) => ruling::refused(&frame, &merged.counts, &reason),
                None => self.compare(merged, &frame, &reference, history),
            },
        };
        let profile = self.profile.as_deref().filter(|_| self.reference.kind == ReferenceKind::Fixed);
        let report = WindowReport {
            model: frame.model.clone(),
            granularity: frame.granularity.clone(),
            performance: performance::estimates(merged, &frame.key, &rows.drift, profile, &frame.model_version),
            summary: summary::rows(&frame.key, merged),
            key: frame.key,
            drift: rows.drift,
            words: rows.words,
        };
        Comparison { report, flags: rows.flags }
    }

    fn compare(
        &self,
        merged: &MergedWindow,
        frame: &Frame,
        reference: &Reference,
        history: &ClosedWindows,
    ) -> ruling::Rows {
        let question = features::Question {
            granularity: merged.window.granularity,
            alpha: self.alpha(merged.window.granularity),
            verdict: &self.verdict,
            reference,
            profile: self.profile.as_deref().filter(|_| reference.kind == ReferenceKind::Fixed),
            current: &merged.counts,
        };
        let bench = ruling::Bench {
            frame,
            verdict: &self.verdict,
            alpha: question.alpha,
            threshold_source: match self.granularities.len() {
                1 => self.verdict.budget.to_string(),
                lengths => format!("{} over {lengths} window lengths", self.verdict.budget),
            },
            window: merged.window,
            history,
        };
        bench.rule(question.answers())
    }

    fn frame(&self, merged: &MergedWindow, reference: Option<&Reference>) -> Frame {
        let model_version = main_model(&merged.counts).unwrap_or_default();
        let own = model_version.split('@').next().filter(|name| !name.is_empty()).map(str::to_owned);
        let of_profile = || self.profile.as_ref().map(|profile| profile.about().model.name.clone());
        let model = self.model.clone().or(own).or_else(of_profile).unwrap_or_else(|| "unknown".to_owned());
        Frame {
            key: ReportKey {
                window_start_ms: merged.window.start_ms,
                window_end_ms: merged.window.end_ms(),
                revision: merged.revision,
                is_final: merged.is_final,
            },
            granularity: merged.window.granularity.to_string(),
            model,
            model_version,
            pipeline_version: env!("CARGO_PKG_VERSION").to_owned(),
            config_hash: self.config_hash.clone(),
            reference_id: reference.map_or_else(String::new, |reference| reference.id.clone()),
            reference_kind: self.reference.kind.name(),
            late_dropped: draft::signed(merged.late_dropped),
            offsets: merged.offsets.clone(),
        }
    }

    /// The profile of a fixed reference.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_deref()
    }

    /// Why a fixed reference says nothing of these events: most of them come from another model.
    fn other_model(&self, counts: &WindowCounts) -> Option<String> {
        if self.reference.kind != ReferenceKind::Fixed || self.reference.allow_other_model {
            return None;
        }
        let about = self.profile.as_ref()?.about();
        let expected = format!("{}@{}", about.model.name, about.model.version);
        let found = main_model(counts).filter(|found| *found != expected)?;
        Some(format!(
            "the profile {} was made with the model {expected}, most events here come from {found}: calibrate a new \
             profile, or set reference.allow_other_model",
            about.name
        ))
    }
}

/// `name@version` of the model that labelled most events; the first by name among equals.
pub(crate) fn main_model(counts: &WindowCounts) -> Option<String> {
    let Some(View::Categories(models)) = counts.all().view(&Feature::Model) else { return None };
    let by_name: BTreeMap<&str, u64> = models.iter().collect();
    // The last of equal maxima is taken, hence reversed.
    let most = by_name.into_iter().rev().max_by_key(|(_, count)| *count);
    most.map(|(name, _)| name.to_owned())
}

/// A digest over every setting that a finding depends on.
fn config_hash(reference: &ReferenceConfig, verdict: &VerdictConfig, granularities: &[Granularity]) -> String {
    let ReferenceConfig { kind, profile: _, allow_other_model, rolling_windows, seasonal_weeks, windows_min } =
        reference;
    let reference = format!("{kind} {allow_other_model} {rolling_windows} {seasonal_weeks} {windows_min}");
    let lengths: Vec<String> = granularities.iter().map(ToString::to_string).collect();
    digest(&[&reference, &format!("{verdict:?}"), &lengths.join(" ")])
}

impl From<&Missing> for schemas::report::Verdict {
    fn from(missing: &Missing) -> Self {
        match missing {
            Missing::Profile | Missing::Windows { .. } => Self::InsufficientData,
            Missing::Unreadable { .. } => Self::Error,
        }
    }
}
