//! Making a profile out of windows of a quiet time, and saying what it is worth before anyone is woken by it.
//!
//! The windows of the shortest length add up to the profile's counts. The windows of each length tell by how much records
//! resemble their neighbours (design effects). Then every window is held against a profile of the others
//! ([`trial`]: the false alarms that this profile would have raised), and the sizes of the samples say what it would find
//! ([`power`]).

pub mod power;
pub mod trial;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemas::ModelId;

use crate::compare::main_model;
use crate::counts::{CountsError, View, WindowCounts};
use crate::feature::Feature;
use crate::profile::{About, Profile, StreamCalibration};
use crate::reference::design;
use crate::verdict::settings::VerdictConfig;
use crate::window::{Granularity, Window};
use power::Detectable;
use trial::Trial;

/// Windows of one length that design effects and the trial look at: about three weeks of hours. Of more, every second,
/// third and so on is taken.
const WINDOWS_MAX: usize = 500;

/// What a profile is to be called, and what is known of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileSource {
    pub name: String,
    /// For people: a file, or a range of a topic.
    pub made_from: String,
    /// The model that labelled the records; `None` takes what most of them name.
    pub model: Option<ModelId>,
    /// Keep readable words and not only their hash buckets.
    pub has_words: bool,
    /// Dead letters were read, too.
    pub has_dead_letters: bool,
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    #[error("create a profile from {found} records, expected at least {least} (verdict.records_min)")]
    TooFew { found: u64, least: u64 },
    #[error("create a profile from these counts")]
    Counts(#[from] CountsError),
}

/// A profile, and what to expect of it.
#[derive(Clone, Debug)]
pub struct Calibrated {
    pub profile: Profile,
    /// Shortest windows first.
    pub outlooks: Vec<Outlook>,
}

/// What to expect of a profile in windows of one length.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    pub granularity: Granularity,
    /// Windows that were calibrated on.
    pub windows: usize,
    pub records_per_window: f64,
    /// The level of one window.
    pub alpha: f64,
    /// False alarms to expect a week at most, by the budget.
    pub alarms_per_week: f64,
    /// What happened when each window was held against the others; `None` from fewer than two windows.
    pub trial: Option<Trial>,
    /// The smallest changes that a window of this size would find.
    pub detectable: Vec<Detectable>,
}

impl Calibrated {
    /// False alarms to expect a week at most, over all window lengths.
    pub fn alarms_per_week(&self) -> f64 {
        self.outlooks.iter().map(|outlook| outlook.alarms_per_week).sum()
    }
}

/// Takes windows one by one; keeps their bytes, not their counts.
#[derive(Debug)]
pub struct Calibrator {
    granularities: Vec<Granularity>,
    windows: BTreeMap<Window, Vec<u8>>,
}

impl Calibrator {
    /// `granularities` are those that will be reported, shortest first.
    pub fn new(granularities: &[Granularity]) -> Self {
        Self { granularities: granularities.to_vec(), windows: BTreeMap::new() }
    }

    /// Adds a closed window of any of the granularities; a later revision replaces it. Those of the shortest make up the
    /// profile.
    pub fn add(&mut self, window: Window, counts: &WindowCounts) {
        self.windows.insert(window, counts.encode());
    }

    /// The profile of all windows, and what to expect of it under these verdict settings.
    ///
    /// # Errors
    /// There are too few records.
    pub fn finish(self, source: ProfileSource, verdict: &VerdictConfig) -> Result<Calibrated, CalibrateError> {
        let whole = self.whole()?;
        let (found, least) = (whole.records(), verdict.records_min());
        if found < least {
            return Err(CalibrateError::TooFew { found, least });
        }
        let mut samples = Vec::new();
        for granularity in &self.granularities {
            samples.push(self.sample(*granularity)?);
        }
        let filled = self.granularities.iter().zip(&samples).filter(|(_, sample)| !sample.windows.is_empty());
        let calibrations = filled.map(|(granularity, sample)| sample.calibration(*granularity)).collect();
        let profile = Profile::new(self.about(source, &whole, calibrations), whole);
        let mut outlooks = Vec::new();
        for (granularity, sample) in self.granularities.iter().zip(&samples) {
            let alpha = verdict.budget().alpha(*granularity, self.granularities.len());
            let records_per_window = sample.records_per_window();
            outlooks.push(Outlook {
                granularity: *granularity,
                windows: sample.all,
                records_per_window,
                alpha,
                alarms_per_week: alpha * power::windows_per_week(*granularity),
                trial: trial::run(&sample.windows, &profile, verdict, &self.granularities),
                detectable: power::detectable(&profile, *granularity, records_per_window, verdict, alpha),
            });
        }
        Ok(Calibrated { profile, outlooks })
    }

    /// The sum of the shortest windows.
    fn whole(&self) -> Result<WindowCounts, CountsError> {
        let mut whole = WindowCounts::default();
        for (window, bytes) in &self.windows {
            if self.granularities.first() == Some(&window.granularity) {
                whole.merge(&WindowCounts::decode(bytes)?);
            }
        }
        Ok(whole)
    }

    /// Windows of one length, evenly thinned.
    fn sample(&self, granularity: Granularity) -> Result<Sample, CountsError> {
        let of_length = || self.windows.iter().filter(|(window, _)| window.granularity == granularity);
        let all = of_length().count();
        let step = all.div_ceil(WINDOWS_MAX).max(1);
        let decoded = of_length().step_by(step).map(|(window, bytes)| Ok((*window, WindowCounts::decode(bytes)?)));
        Ok(Sample { all, windows: decoded.collect::<Result<_, CountsError>>()? })
    }

    fn about(&self, source: ProfileSource, whole: &WindowCounts, calibrations: Vec<StreamCalibration>) -> About {
        let shortest = self.granularities.first();
        let of_shortest = || self.windows.keys().filter(|window| Some(&window.granularity) == shortest);
        About {
            name: source.name,
            model: source.model.unwrap_or_else(|| model_of(whole)),
            made_from: source.made_from,
            first_ms: of_shortest().map(|window| window.start_ms).min().unwrap_or(0),
            last_ms: of_shortest().map(|window| window.end_ms()).max().unwrap_or(0),
            records: whole.records(),
            has_words: source.has_words,
            has_dead_letters: source.has_dead_letters,
            calibrations,
        }
    }
}

/// Windows of one length.
struct Sample {
    /// How many there were before they were thinned.
    all: usize,
    windows: Vec<(Window, WindowCounts)>,
}

impl Sample {
    fn records_per_window(&self) -> f64 {
        let records: u64 = self.windows.iter().map(|(_, counts)| counts.records()).sum();
        records as f64 / self.windows.len().max(1) as f64
    }

    fn calibration(&self, granularity: Granularity) -> StreamCalibration {
        let counts: Vec<&WindowCounts> = self.windows.iter().map(|(_, counts)| counts).collect();
        let effects = design::effects(&counts);
        let repeated: Vec<f64> = counts.iter().filter_map(|counts| repeated(counts)).collect();
        let mean = repeated.iter().sum::<f64>() / repeated.len().max(1) as f64;
        StreamCalibration {
            granularity_ms: granularity.length_ms(),
            windows: u32::try_from(self.all).unwrap_or(u32::MAX),
            records_per_window: self.records_per_window(),
            design_effects: effects
                .into_iter()
                .map(|(feature, effect)| (feature.name().into_owned(), effect))
                .collect(),
            duplicates: (!repeated.is_empty()).then_some(mean),
        }
    }
}

fn repeated(counts: &WindowCounts) -> Option<f64> {
    match counts.all().view(&Feature::Duplicates) {
        Some(View::Distinct(texts)) => texts.duplicate_share(),
        _ => None,
    }
}

/// The model that most records name; they do not tell its digest.
fn model_of(counts: &WindowCounts) -> ModelId {
    let name = main_model(counts).unwrap_or_default();
    let (name, version) = name.rsplit_once('@').unwrap_or((&name, ""));
    ModelId { name: name.to_owned(), version: version.to_owned(), digest: String::new() }
}
