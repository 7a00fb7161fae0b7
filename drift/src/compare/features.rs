//! Which tests are asked of which counts: one answer per feature and slice.

use std::collections::BTreeSet;

use schemas::report::Verdict;

use super::categories::{Categorical, Rate, repeated};
use super::draft::{Draft, Role};
use super::numbers::Numbers;
use super::row::Subject;
use super::words::{Moved, WordCounts};
use super::{embedding, lengths};
use crate::counts::{Counts, View, WindowCounts};
use crate::feature::{Feature, FeatureKind};
use crate::profile::Profile;
use crate::reference::Reference;
use crate::slice::Slice;
use crate::verdict::sentence;
use crate::verdict::settings::VerdictConfig;
use crate::window::Granularity;

/// A window and what it is compared with.
pub(super) struct Question<'a> {
    pub(super) granularity: Granularity,
    /// The level of the window.
    pub(super) alpha: f64,
    pub(super) verdict: &'a VerdictConfig,
    pub(super) reference: &'a Reference,
    /// The fixed reference, where it is one.
    pub(super) profile: Option<&'a Profile>,
    pub(super) current: &'a WindowCounts,
}

/// What is to be said about one feature in one slice.
pub(super) struct Answer {
    pub(super) subject: Subject,
    pub(super) content: Content,
}

pub(super) enum Content {
    /// Rows of tests, and the words that moved.
    Tested { drafts: Vec<Draft>, words: Vec<Moved> },
    /// There is nothing to test, and why.
    Untested { verdict: Verdict, reason: String },
}

/// One slice on both sides.
struct Sides<'a> {
    slice: &'a Slice,
    reference: &'a Counts,
    current: &'a Counts,
}

impl Question<'_> {
    /// All events first, then the slices; the features of each in their fixed order.
    pub(super) fn answers(&self) -> Vec<Answer> {
        let all = Sides { slice: &Slice::All, reference: self.reference.counts.all(), current: self.current.all() };
        let mut answers = self.of_slice(&all);
        for (slice, current) in self.current.slices() {
            match self.reference.counts.slice(&slice) {
                Some(reference) => answers.extend(self.of_slice(&Sides { slice: &slice, reference, current })),
                None => {
                    let reason = format!("the reference has no events of {slice}");
                    answers.push(self.nothing(&slice, current.events(), reason));
                }
            }
        }
        answers
    }

    fn of_slice(&self, sides: &Sides<'_>) -> Vec<Answer> {
        let least = self.verdict.records_min;
        let (n_ref, n_cur) = (records(sides.reference), records(sides.current));
        // A slice of few events reports it once, not for every feature.
        if *sides.slice != Slice::All && n_ref.min(n_cur) < least {
            let reason = too_few(n_ref, n_cur, least);
            return vec![self.nothing(sides.slice, n_cur, reason)];
        }
        features(sides).into_iter().map(|feature| self.of_feature(sides, feature)).collect()
    }

    fn nothing(&self, slice: &Slice, n_cur: u64, reason: String) -> Answer {
        let n_ref = self.reference.counts.slice(slice).map_or(0, records);
        let subject =
            Subject { slice: slice.clone(), feature: Feature::Label, n_ref, n_cur, n_missing: 0, design_effect: 1.0 };
        Answer { subject, content: Content::Untested { verdict: Verdict::InsufficientData, reason } }
    }

    fn of_feature(&self, sides: &Sides<'_>, feature: Feature) -> Answer {
        let (reference, current) = (sides.reference.view(&feature), sides.current.view(&feature));
        let subject = Subject {
            slice: sides.slice.clone(),
            n_ref: reference.map_or(0, |view| view.total()),
            n_cur: current.map_or(0, |view| view.total()),
            n_missing: sides.current.missing(&feature),
            design_effect: self.design_effect(&feature),
            feature,
        };
        let content = match (reference, current) {
            (Some(reference), Some(current)) => self.of_views(&subject, reference, current),
            (reference, _) => {
                let side = if reference.is_some() { "event of the window" } else { "record of the reference" };
                let reason = format!("no {side} carries {}", subject.feature.name());
                Content::Untested { verdict: Verdict::NotApplicable, reason }
            }
        };
        Answer { subject, content }
    }

    fn of_views(&self, subject: &Subject, reference: View<'_>, current: View<'_>) -> Content {
        let least = self.verdict.records_min;
        if subject.n_ref.min(subject.n_cur) < least {
            let reason = too_few(subject.n_ref, subject.n_cur, least);
            return Content::Untested { verdict: Verdict::InsufficientData, reason };
        }
        if subject.feature == Feature::DeadLetters
            && self.profile.is_some_and(|profile| !profile.about().has_dead_letters)
        {
            let reason = "the profile was made without dead letters".to_owned();
            return Content::Untested { verdict: Verdict::NotApplicable, reason };
        }
        if let (View::Embedding(old), View::Embedding(new)) = (reference, current)
            && let Some(reason) = embedding::unfit(old, new)
        {
            return Content::Untested { verdict: Verdict::InsufficientData, reason };
        }
        self.test(subject, reference, current)
    }

    fn test(&self, subject: &Subject, reference: View<'_>, current: View<'_>) -> Content {
        let Subject { feature, design_effect, .. } = subject;
        let (design_effect, least) = (*design_effect, self.verdict.min_effect(feature));
        let described = subject.slice == Slice::All && !matches!(feature, Feature::ClassScore(_));
        let mut words = Vec::new();
        let drafts = match (reference, current) {
            (View::Histogram(reference), View::Histogram(current)) => {
                let numbers = Numbers { feature, reference, current, design_effect, least, described };
                if feature.kind() == FeatureKind::Length { lengths::compare(&numbers) } else { numbers.compare() }
            }
            (View::Categories(reference), View::Categories(current)) => {
                Categorical { feature, reference, current, design_effect, least, described }.compare()
            }
            (View::Share(reference), View::Share(current)) => {
                Rate { feature, reference, current, design_effect, least, described }.compare()
            }
            (View::Distinct(reference), View::Distinct(current)) => repeated(reference, current),
            (View::Words(reference), View::Words(current)) => {
                let counts = WordCounts { reference, current, design_effect, least, alpha: self.alpha };
                let (draft, moved) = counts.compare();
                words = moved;
                vec![draft]
            }
            (View::Embedding(reference), View::Embedding(current)) => {
                vec![embedding::compare(reference, current, design_effect, least)]
            }
            // One feature has one kind of view: the two sides cannot differ.
            _ => vec![error(feature)],
        };
        Content::Tested { drafts, words }
    }

    /// By how much records of this feature resemble their neighbours; the scores of a label do as the best score does
    /// where nothing else is known.
    fn design_effect(&self, feature: &Feature) -> f64 {
        let of = |feature: &Feature| match self.profile {
            Some(profile) => profile.design_effect(self.granularity, feature),
            None => self.reference.design_effects.get(feature).copied(),
        };
        let like = matches!(feature, Feature::ClassScore(_)).then(|| of(&Feature::Score)).flatten();
        of(feature).or(like).unwrap_or(1.0)
    }
}

/// The features that either side carries.
fn features(sides: &Sides<'_>) -> Vec<Feature> {
    let either: BTreeSet<Feature> = sides.reference.features().into_iter().chain(sides.current.features()).collect();
    let fixed = Feature::FIXED.into_iter().filter(|feature| either.contains(feature));
    let classes = either.iter().filter(|feature| matches!(feature, Feature::ClassScore(_)));
    fixed.chain(classes.cloned()).collect()
}

fn records(counts: &Counts) -> u64 {
    counts.events().saturating_add(counts.dead_letters())
}

fn too_few(n_ref: u64, n_cur: u64, least: u64) -> String {
    if n_cur < least {
        sentence::too_few("in the window", n_cur, least)
    } else {
        sentence::too_few("in the reference", n_ref, least)
    }
}

fn error(feature: &Feature) -> Draft {
    let (test, variant) = decisive_test(feature.kind());
    let sentence = format!("{} was counted in two ways that cannot be compared", feature.name());
    Draft { is_error: true, sentence, ..Draft::new(Role::Decides, test, variant) }
}

/// The test that decides for this kind of feature, and its variant.
pub(super) fn decisive_test(kind: FeatureKind) -> (&'static str, &'static str) {
    match kind {
        FeatureKind::Numeric => ("ks", "histogram"),
        FeatureKind::Length => ("chi_square", "reference_deciles"),
        FeatureKind::Categorical => ("chi_square", "homogeneity"),
        FeatureKind::Share => ("fisher", "two_sided"),
        FeatureKind::Estimate => ("distinct_texts", "hyperloglog"),
        FeatureKind::Words => ("hypergeometric", "simes"),
        FeatureKind::Embedding => ("mmd", "random_fourier_features"),
    }
}
