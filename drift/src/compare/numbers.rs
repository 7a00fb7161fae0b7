//! Continuous values, such as scores: the Kolmogorov-Smirnov distance decides, others describe.
//!
//! The distance is in a unit that a user can weigh: the largest difference in the share of events below some value. It
//! is taken between bins, so it is off from that of the raw values by at most the largest bin's share.

use schemas::report::{Bin, Contributor};
use statistics::{Outcome, Undefined, chi_square, cramer_von_mises, divergence, ks, mann_whitney, psi, wasserstein};

use super::draft::{CONFIDENCE, Draft, Effect, Least, Role, share, signed, top};
use super::titles;
use crate::counts::{Edges, Histogram, Paired};
use crate::feature::Feature;
use crate::verdict::sentence;

/// Quantile groups of the reference, for the population stability index and the divergences: the usual deciles.
pub(super) const GROUPS: usize = 10;

/// The exact p-value costs `distance x n x m` steps; above this many pairs of records (2 ms) the asymptotic one is off by
/// less than 2 % of itself.
const EXACT_PAIRS_MAX: u128 = 4_000_000;

/// Two histograms of one feature, and what its comparison rests on.
pub(super) struct Numbers<'a> {
    pub(super) feature: &'a Feature,
    pub(super) reference: &'a Histogram,
    pub(super) current: &'a Histogram,
    pub(super) design_effect: f64,
    pub(super) least: f64,
    /// Whether rows that describe are wanted.
    pub(super) described: bool,
}

impl Numbers<'_> {
    pub(super) fn compare(&self) -> Vec<Draft> {
        let paired = self.reference.paired(self.current);
        let mut drafts = vec![self.distance(&paired)];
        if self.described {
            drafts.extend(self.describe(&paired));
        }
        drafts
    }

    fn distance(&self, paired: &Paired) -> Draft {
        let Paired { reference, current, .. } = paired;
        Draft::of(Role::Decides, "ks", "histogram", |draft| {
            draft.outcome(self.test(paired)?);
            let interval = ks::interval(reference, current, CONFIDENCE, self.design_effect)?;
            let value = ks::distance(reference, current)?.value;
            draft.statistic_interval = Some(interval);
            draft.effect = Some(Effect { value, interval: Some(interval), unit: "ks_distance" });
            let beyond = ks::min_effect(reference, current, self.least, self.design_effect)?;
            draft.least = Some(Least { least: self.least, p_value: beyond.p_value });
            draft.approx_error_bound = Some(self.reference.mass_max().max(self.current.mass_max()));
            draft.n_unseen = unseen(reference, current);
            (draft.bins, draft.contributors) = groups(self.reference, self.current)?;
            draft.sentence = self.sentence(paired)?;
            Ok(())
        })
    }

    fn test(&self, paired: &Paired) -> Result<Outcome, Undefined> {
        let pairs = u128::from(self.reference.total()) * u128::from(self.current.total());
        if self.design_effect == 1.0 && pairs <= EXACT_PAIRS_MAX {
            ks::exact(&paired.reference, &paired.current)
        } else {
            ks::asymptotic(&paired.reference, &paired.current, self.design_effect)
        }
    }

    pub(super) fn describe(&self, paired: &Paired) -> Vec<Draft> {
        let Paired { positions, reference, current } = paired;
        let effect = self.design_effect;
        let cvm = Draft::of(Role::Describes, "cramer_von_mises", "midranks", |draft| {
            draft.outcome(cramer_von_mises::asymptotic(reference, current, effect)?);
            Ok(())
        });
        let ranks = Draft::of(Role::Describes, "mann_whitney", "midranks", |draft| {
            draft.outcome(mann_whitney::test(reference, current, effect)?);
            let value = mann_whitney::auc(reference, current)?;
            let interval = Some(mann_whitney::interval(reference, current, CONFIDENCE, effect)?);
            draft.effect = Some(Effect { value, interval, unit: "auc" });
            Ok(())
        });
        let moved = Draft::of(Role::Describes, "wasserstein_1", "bin_middles", |draft| {
            draft.statistic = Some(wasserstein::distance(positions, reference, current)?);
            let interval = wasserstein::interval(positions, reference, current, CONFIDENCE, effect)?;
            draft.statistic_interval = Some(interval);
            Ok(())
        });
        let edges = Edges::of(self.reference, GROUPS);
        let (reference, current) = (edges.counts(self.reference), edges.counts(self.current));
        let mut drafts = vec![cvm, ranks, moved, Draft::describe("energy_distance", "bin_middles", energy(paired))];
        drafts.extend(distances(&reference, &current, "deciles", effect));
        drafts
    }

    /// By the medians where they differ as the distance does, else by the share below the value where it is greatest.
    fn sentence(&self, paired: &Paired) -> Result<String, Undefined> {
        let title = titles::of_number(self.feature);
        let medians = self.reference.quantile(0.5).zip(self.current.quantile(0.5));
        let gap = ks::distance(&paired.reference, &paired.current)?;
        if let Some((before, now)) = medians
            && (now - before).abs() > TELLING * before.abs().max(now.abs())
            && (now < before) == gap.current_is_lower
        {
            return Ok(sentence::value_moved(&format!("median {title}"), before, now));
        }
        let below = |counts: &[u64]| share(counts[..=gap.bin].iter().sum(), counts.iter().sum());
        let digits = if self.feature.kind() == crate::feature::FeatureKind::Length { 0 } else { 2 };
        let title = format!("share of events with a {title} up to {:.digits$}", paired.positions[gap.bin]);
        Ok(sentence::share_moved(&title, below(&paired.reference), below(&paired.current)))
    }
}

/// Medians closer than this, relative to the larger, do not tell a person what moved.
const TELLING: f64 = 0.02;

fn energy(paired: &Paired) -> Result<f64, Undefined> {
    wasserstein::energy(&paired.positions, &paired.reference, &paired.current)
}

/// Distances between shares over the same groups or categories; they describe, since all depend on the sample size.
pub(super) fn distances(reference: &[u64], current: &[u64], variant: &'static str, design_effect: f64) -> Vec<Draft> {
    let index = Draft::of(Role::Describes, "psi", variant, |draft| {
        let index = psi::index(reference, current, design_effect)?;
        let size = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
        draft.statistic = Some(index.smoothed);
        draft.statistic_bias = Some(psi::null_mean(reference.len(), size(reference), size(current)) * design_effect);
        draft.effect = Some(Effect { value: index.corrected, interval: None, unit: "psi_corrected" });
        Ok(())
    });
    let nats = Draft::of(Role::Describes, "js_distance", "nats", |draft| {
        draft.statistic = Some(divergence::js_nats(reference, current)?);
        draft.statistic_bias = Some(divergence::js_nats_by_chance(reference, current)?);
        Ok(())
    });
    vec![
        index,
        nats,
        Draft::describe("js_distance", "bits", divergence::js_bits(reference, current)),
        Draft::describe("hellinger", variant, divergence::hellinger(reference, current)),
        Draft::describe("total_variation", variant, divergence::total_variation(reference, current)),
        Draft::describe("l_infinity", variant, divergence::l_infinity(reference, current)),
    ]
}

/// The quantile groups of a reference as bins of a report, with those that moved most.
pub(super) fn groups(reference: &Histogram, current: &Histogram) -> Result<(Vec<Bin>, Vec<Contributor>), Undefined> {
    let edges = Edges::of(reference, GROUPS);
    let (old, new) = (edges.counts(reference), edges.counts(current));
    let parts = chi_square::contributions(&old, &new)?;
    let mut bins = Vec::new();
    let mut contributors = Vec::new();
    for (place, (low, high)) in edges.bounds().into_iter().enumerate() {
        let label = range(low, high);
        contributors.push(Contributor {
            key: label.clone(),
            score: parts[place],
            reference_share: share(old[place], reference.total()),
            current_share: share(new[place], current.total()),
            p_value: None,
        });
        let (reference, current) = (signed(old[place]), signed(new[place]));
        bins.push(Bin { label, low, high, reference, current, contribution: parts[place] });
    }
    Ok((bins, top(contributors)))
}

/// Such as `0.5 to 0.75`, `below 12`.
fn range(low: Option<f64>, high: Option<f64>) -> String {
    let number = |value: f64| format!("{}", (value * 1e4).round() / 1e4);
    match (low, high) {
        (None, None) => "all".to_owned(),
        (None, Some(high)) => format!("below {}", number(high)),
        (Some(low), None) => format!("{} and more", number(low)),
        (Some(low), Some(high)) => format!("{} to {}", number(low), number(high)),
    }
}

/// Events in bins that the reference never filled.
pub(super) fn unseen(reference: &[u64], current: &[u64]) -> u64 {
    reference.iter().zip(current).filter(|(old, _)| **old == 0).map(|(_, new)| *new).sum()
}
