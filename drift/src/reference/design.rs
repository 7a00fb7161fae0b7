//! By how much records of one feature resemble their neighbours, learnt from windows that should be alike.
//!
//! The variance between windows over that within (`statistics::design`): of the quantile groups of a number, of the
//! shares of categories, of the words that are frequent enough. n records then tell as much as n / effect independent
//! ones. Taken over all groups it may be below the effect on the mean alone, so the larger of both counts.

use std::collections::{BTreeMap, BTreeSet};

use statistics::design;

use crate::counts::{Counts, Edges, Histogram, View, WindowCounts};
use crate::feature::Feature;

/// Fewer windows tell nothing: the ratio would be off by a half by chance alone.
pub const WINDOWS_MIN: usize = 8;

/// Groups that numbers are cut into, of equal size over all windows.
const GROUPS: usize = 10;

/// Words with fewer texts a window on average are left out: their counts are nearly all 0 and 1, and vary as such.
const WORD_TEXTS_MIN: u64 = 5;

/// Design effects, at least 1, of the features that the windows carry; none from fewer than [`WINDOWS_MIN`] windows. The
/// scores of single labels, embeddings and repeated texts have none of their own.
pub fn effects(windows: &[&WindowCounts]) -> BTreeMap<Feature, f64> {
    if windows.len() < WINDOWS_MIN {
        return BTreeMap::new();
    }
    let all: Vec<&Counts> = windows.iter().map(|window| window.all()).collect();
    let features = Feature::FIXED.into_iter();
    features.filter_map(|feature| effect(&all, &feature).map(|effect| (feature, effect))).collect()
}

fn effect(windows: &[&Counts], feature: &Feature) -> Option<f64> {
    let views: Vec<View<'_>> = windows.iter().filter_map(|counts| counts.view(feature)).collect();
    if views.len() < WINDOWS_MIN {
        return None;
    }
    let tables: Vec<Vec<u64>> = match views[0] {
        View::Histogram(_) => of_numbers(&views),
        View::Categories(_) => of_categories(&views),
        View::Share(_) => of_shares(&views),
        View::Words(_) => of_words(&views),
        View::Distinct(_) | View::Embedding(_) => return None,
    };
    // All windows have one table's bins, made from all of them: nothing can differ.
    let of_groups = design::effect(&tables).unwrap_or(1.0);
    let of_halves =
        if matches!(views[0], View::Histogram(_)) { design::effect(&halves(&tables)).unwrap_or(1.0) } else { 1.0 };
    Some(of_groups.max(of_halves))
}

/// Counts of the lower and the upper half of the groups: a shift of the whole shows here undiluted.
fn halves(tables: &[Vec<u64>]) -> Vec<Vec<u64>> {
    let half = |table: &Vec<u64>| {
        let (low, high) = table.split_at(table.len() / 2);
        vec![low.iter().sum(), high.iter().sum()]
    };
    tables.iter().map(half).collect()
}

fn of_numbers(views: &[View<'_>]) -> Vec<Vec<u64>> {
    let histograms: Vec<&Histogram> = views
        .iter()
        .filter_map(|view| if let View::Histogram(histogram) = view { Some(*histogram) } else { None })
        .collect();
    let Some((first, others)) = histograms.split_first() else { return Vec::new() };
    let mut pooled = (*first).clone();
    others.iter().for_each(|histogram| pooled.merge(histogram));
    let edges: Edges = Edges::of(&pooled, GROUPS);
    histograms.iter().map(|histogram| edges.counts(histogram)).collect()
}

fn of_categories(views: &[View<'_>]) -> Vec<Vec<u64>> {
    let categories: Vec<_> = views
        .iter()
        .filter_map(|view| if let View::Categories(categories) = view { Some(*categories) } else { None })
        .collect();
    let names: BTreeSet<&str> = categories.iter().flat_map(|counts| counts.iter().map(|(name, _)| name)).collect();
    let table = |counts: &&crate::counts::Categories| {
        names.iter().map(|name| counts.get(name)).chain([counts.other()]).collect()
    };
    categories.iter().map(table).collect()
}

fn of_shares(views: &[View<'_>]) -> Vec<Vec<u64>> {
    let table = |view: &View<'_>| match view {
        View::Share(share) => Some(vec![share.yes, share.total.saturating_sub(share.yes)]),
        _ => None,
    };
    views.iter().filter_map(table).collect()
}

/// Texts with the words of each frequent bucket.
fn of_words(views: &[View<'_>]) -> Vec<Vec<u64>> {
    let words: Vec<_> =
        views.iter().filter_map(|view| if let View::Words(words) = view { Some(*words) } else { None }).collect();
    let mut pooled: BTreeMap<u16, u64> = BTreeMap::new();
    for (bucket, texts) in words.iter().flat_map(|words| words.buckets()) {
        *pooled.entry(bucket).or_default() += texts;
    }
    let least = WORD_TEXTS_MIN.saturating_mul(words.len() as u64);
    let frequent: Vec<u16> =
        pooled.into_iter().filter(|(_, texts)| *texts >= least).map(|(bucket, _)| bucket).collect();
    words.iter().map(|words| frequent.iter().map(|bucket| words.bucket(*bucket)).collect()).collect()
}
