//! Categories, such as labels: chi-square homogeneity decides, and a row for each category tells which one moved.
//!
//! No categories are pooled; where they are rare, random tables and exact tests give the p-value. Among many categories
//! one that moved alone drowns in the sum of the others' noise, so that above [`FEW`] of them the exact test of the single
//! category that stands out most decides as well: p is twice the smaller of both, the latter times their number
//! (Bonferroni, valid whatever they have to do with each other, and so a little conservative).
//!
//! The change is that of the category that stands out most, in shares: "2 points" means the same in a model of 3 labels
//! and in one of 300. It counts as large when some category moved by more than the least change, over all that could
//! have (Bonferroni).

use schemas::report::{Bin, Contributor};
use statistics::proportion::{self, Proportion};
use statistics::{Method, Undefined, chi_square, design};

use super::draft::{CONFIDENCE, Draft, Effect, Least, Role, share, signed, top};
use super::numbers::distances;
use super::titles;
use crate::counts::{Categories, PairedCategory};
use crate::feature::Feature;
use crate::verdict::sentence;

/// Up to this many categories chi-square alone decides: one that moves shows in a sum of 10.
const FEW: usize = 10;

/// Two counts of one feature, and what its comparison rests on.
pub(super) struct Categorical<'a> {
    pub(super) feature: &'a Feature,
    pub(super) reference: &'a Categories,
    pub(super) current: &'a Categories,
    pub(super) design_effect: f64,
    pub(super) least: f64,
    /// Whether rows that describe, and a row for each category, are wanted.
    pub(super) described: bool,
}

/// One category with the tests of its share.
struct Part {
    category: PairedCategory,
    reference: Proportion,
    current: Proportion,
    p_value: f64,
    /// p-value of "it moved by no more than the least change".
    p_least: f64,
    contribution: f64,
}

impl Categorical<'_> {
    pub(super) fn compare(&self) -> Vec<Draft> {
        let paired = self.reference.paired(self.current);
        let parts = match self.parts(paired) {
            Ok(parts) => parts,
            Err(why) => return vec![Draft::of(Role::Decides, "chi_square", "homogeneity", |_| Err(why))],
        };
        let reference: Vec<u64> = parts.iter().map(|part| part.category.reference).collect();
        let current: Vec<u64> = parts.iter().map(|part| part.category.current).collect();
        let mut drafts = vec![self.homogeneity(&parts, &reference, &current)];
        if self.described {
            drafts.extend(parts.iter().map(|part| self.of_one(part)));
            drafts.push(Draft::of(Role::Describes, "g_test", "homogeneity", |draft| {
                draft.outcome(chi_square::g_test(&reference, &current, self.design_effect)?);
                Ok(())
            }));
            drafts.extend(distances(&reference, &current, "categories", self.design_effect));
        }
        drafts
    }

    fn parts(&self, paired: Vec<PairedCategory>) -> Result<Vec<Part>, Undefined> {
        let reference: Vec<u64> = paired.iter().map(|category| category.reference).collect();
        let current: Vec<u64> = paired.iter().map(|category| category.current).collect();
        let contributions = chi_square::contributions(&reference, &current)?;
        let (total, window) = (reference.iter().sum(), current.iter().sum());
        let part = |(category, contribution): (PairedCategory, f64)| {
            let (old, new) = (Proportion::new(category.reference, total)?, Proportion::new(category.current, window)?);
            let p_value = design::inflate(proportion::fisher(old, new)?.p_value, self.design_effect)?;
            let p_least = proportion::min_effect(old, new, self.least, self.design_effect)?.p_value;
            Ok(Part { category, reference: old, current: new, p_value, p_least, contribution })
        };
        paired.into_iter().zip(contributions).map(part).collect()
    }

    fn homogeneity(&self, parts: &[Part], reference: &[u64], current: &[u64]) -> Draft {
        Draft::of(Role::Decides, "chi_square", "homogeneity", |draft| {
            let outcome = chi_square::auto(reference, current, self.design_effect)?;
            draft.outcome(outcome);
            self.or_single(draft, parts);
            draft.statistic_bias = outcome.df.map(|df| df * self.design_effect);
            draft.n_unseen =
                parts.iter().filter(|part| part.category.reference == 0).map(|part| part.category.current).sum();
            draft.contributors = top(parts.iter().map(Part::contributor).collect());
            if self.described {
                draft.bins = parts.iter().map(Part::bin).collect();
            }
            let Some(lead) = lead(parts) else { return Err(Undefined::EmptyCurrent) };
            draft.effect = Some(lead.effect(self.design_effect)?);
            draft.least = Some(Least { least: self.least, p_value: self.any_beyond(parts) });
            draft.sentence = self.sentence(lead);
            Ok(())
        })
    }

    /// Lets a single category decide, too, where there are many.
    fn or_single(&self, draft: &mut Draft, parts: &[Part]) {
        let (Some(of_all), true) = (draft.p_value, parts.len() > FEW) else { return };
        let single = parts.iter().map(|part| part.p_value).fold(1.0, f64::min) * parts.len() as f64;
        draft.variant = "homogeneity_or_single";
        draft.p_value = Some((2.0 * of_all.min(single)).min(1.0));
        if single < of_all {
            draft.p_value_method = Some(Method::Exact.to_string());
        }
    }

    /// p-value of "no category moved by more than the least change": Bonferroni over those that might have done so. One
    /// that was seen to move by less than half of it cannot reject, and those that truly moved by all of it are counted.
    fn any_beyond(&self, parts: &[Part]) -> f64 {
        let could = |part: &&Part| (part.current.value() - part.reference.value()).abs() >= self.least / 2.0;
        let tested = parts.iter().filter(could).count();
        let smallest = parts.iter().filter(could).map(|part| part.p_least).fold(1.0, f64::min);
        (smallest * tested as f64).min(1.0)
    }

    fn of_one(&self, part: &Part) -> Draft {
        let mut draft = Draft::of(Role::Part, "fisher", "two_sided", |draft| {
            draft.outcome(proportion::fisher(part.reference, part.current)?);
            draft.p_value = Some(part.p_value);
            draft.effect = Some(part.effect(self.design_effect)?);
            draft.least = Some(Least { least: self.least, p_value: part.p_least });
            draft.sentence = self.sentence(part);
            Ok(())
        });
        draft.feature = Some(format!("{}:{}", self.feature.name(), part.category.name));
        draft
    }

    fn sentence(&self, part: &Part) -> String {
        let title = titles::of_category(self.feature, &part.category.name);
        sentence::share_moved(&title, part.reference.value(), part.current.value())
    }
}

impl Part {
    fn effect(&self, design_effect: f64) -> Result<Effect, Undefined> {
        let interval = proportion::newcombe(self.reference, self.current, CONFIDENCE, design_effect)?;
        let value = self.current.value() - self.reference.value();
        Ok(Effect { value, interval: Some(interval), unit: "share" })
    }

    fn bin(&self) -> Bin {
        Bin {
            label: self.category.name.to_string(),
            low: None,
            high: None,
            reference: signed(self.category.reference),
            current: signed(self.category.current),
            contribution: self.contribution,
        }
    }

    fn contributor(&self) -> Contributor {
        Contributor {
            key: self.category.name.to_string(),
            score: self.contribution,
            reference_share: self.reference.value(),
            current_share: self.current.value(),
            p_value: Some(self.p_value),
        }
    }
}

/// The category to speak of: the one that surest moved by more than the least change, where one seems to have, else the
/// one that adds most to the statistic.
fn lead(parts: &[Part]) -> Option<&Part> {
    let large = parts.iter().filter(|part| part.p_least < 0.5);
    let surest = large.min_by(|one, other| one.p_least.total_cmp(&other.p_least));
    // Reversed, so that the first of equals is taken: names are ascending.
    surest.or_else(|| parts.iter().rev().max_by(|one, other| one.contribution.total_cmp(&other.contribution)))
}

/// A yes-or-no rate: Fisher's exact test decides, the two-proportion z-test describes.
pub(super) struct Rate<'a> {
    pub(super) feature: &'a Feature,
    pub(super) reference: crate::counts::Share,
    pub(super) current: crate::counts::Share,
    pub(super) design_effect: f64,
    pub(super) least: f64,
    /// Whether rows that describe are wanted.
    pub(super) described: bool,
}

impl Rate<'_> {
    pub(super) fn compare(&self) -> Vec<Draft> {
        let shares = || -> Result<(Proportion, Proportion), Undefined> {
            let of = |counts: crate::counts::Share| Proportion::new(counts.yes, counts.total);
            Ok((of(self.reference)?, of(self.current)?))
        };
        let mut drafts = vec![Draft::of(Role::Decides, "fisher", "two_sided", |draft| {
            let (reference, current) = shares()?;
            let outcome = proportion::fisher(reference, current)?;
            draft.outcome(outcome);
            draft.p_value = Some(design::inflate(outcome.p_value, self.design_effect)?);
            let interval = proportion::newcombe(reference, current, CONFIDENCE, self.design_effect)?;
            let value = current.value() - reference.value();
            draft.effect = Some(Effect { value, interval: Some(interval), unit: "share" });
            let beyond = proportion::min_effect(reference, current, self.least, self.design_effect)?;
            draft.least = Some(Least { least: self.least, p_value: beyond.p_value });
            let title = titles::of_rate(self.feature);
            draft.sentence = sentence::share_moved(&title, reference.value(), current.value());
            Ok(())
        })];
        if self.described {
            drafts.push(Draft::of(Role::Describes, "two_proportion_z", "pooled", |draft| {
                let (reference, current) = shares()?;
                draft.outcome(proportion::z_test(reference, current, self.design_effect)?);
                Ok(())
            }));
        }
        drafts
    }
}

/// The share of repeated texts, which is an estimate and grows with the number of texts: it is described and not tested.
pub(super) fn repeated(reference: &crate::counts::Distinct, current: &crate::counts::Distinct) -> Vec<Draft> {
    let of = |distinct: &crate::counts::Distinct| distinct.duplicate_share().unwrap_or(0.0);
    let (before, now) = (of(reference), of(current));
    let mut draft = Draft::new(Role::Describes, "distinct_texts", "hyperloglog");
    draft.statistic = Some(now);
    draft.effect = Some(Effect { value: now - before, interval: None, unit: "share" });
    draft.approx_error_bound = Some(CONFIDENCE_DEVIATE * current.relative_error());
    draft.sentence = sentence::share_moved(&titles::of_rate(&Feature::Duplicates), before, now);
    if share(reference.added(), current.added()) > SIZE_RATIO_MAX
        || share(current.added(), reference.added()) > SIZE_RATIO_MAX
    {
        draft.sentence.push_str(", which cannot be compared between samples of such different size");
    }
    vec![draft]
}

/// Two standard errors, as of a confidence of 95 %.
const CONFIDENCE_DEVIATE: f64 = 1.96;

/// More texts meet more repetitions: beyond this ratio of sizes the shares tell different things.
const SIZE_RATIO_MAX: f64 = 2.0;
