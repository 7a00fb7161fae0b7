//! The counts of a window as rows of the table `window_summary`: what a later test needs, without any text.
//!
//! Only filled bins and categories have a row. Words have one per hash bucket, and only where at least
//! [`WORD_TEXTS_MIN`] texts have the word: rarer ones are most of a vocabulary and too few to be tested. An embedding has
//! none: its sums are no counts. Records that are no labelled events stand under `refused`, by reason.

use schemas::report::{ReportKey, SummaryRow};

use super::draft::signed;
use super::row::slice_columns;
use crate::board::MergedWindow;
use crate::counts::{Counts, View};
use crate::feature::Feature;
use crate::slice::{OTHER, Slice};

/// Fewer texts than this are not worth a row: a word in 4 texts of a window and in none of the reference has a p-value of
/// 0.0001 at best in samples of equal size, above the level of most windows.
const WORD_TEXTS_MIN: u64 = 5;

/// What was not counted, and why: the `feature` of its rows.
const REFUSED: &str = "refused";

pub(super) fn rows(key: &ReportKey, merged: &MergedWindow) -> Vec<SummaryRow> {
    let mut rows = of_slice(key, &Slice::All, merged.counts.all());
    for (slice, counts) in merged.counts.slices() {
        rows.extend(of_slice(key, &slice, counts));
    }
    let refused = |(reason, count): (&String, &u64)| SummaryRow {
        feature: REFUSED.to_owned(),
        label: Some(reason.clone()),
        count: signed(*count),
        ..row(key, &Slice::All, &Feature::DeadLetterReason)
    };
    rows.extend(merged.refused.iter().map(refused));
    rows
}

fn of_slice(key: &ReportKey, slice: &Slice, counts: &Counts) -> Vec<SummaryRow> {
    let features = counts.features();
    let viewed = features.iter().filter_map(|feature| counts.view(feature).map(|view| (feature, view)));
    viewed.flat_map(|(feature, view)| of_feature(&row(key, slice, feature), view)).collect()
}

/// A row of a feature, still without its bin.
fn row(key: &ReportKey, slice: &Slice, feature: &Feature) -> SummaryRow {
    let (slice_key, slice_value) = slice_columns(slice);
    SummaryRow {
        key: key.clone(),
        slice_key,
        slice_value,
        feature: feature.name().into_owned(),
        feature_kind: feature.kind().name().to_owned(),
        bin: None,
        label: None,
        low: None,
        high: None,
        count: 0,
    }
}

fn of_feature(row: &SummaryRow, view: View<'_>) -> Vec<SummaryRow> {
    let named =
        |label: &str, count: u64| SummaryRow { label: Some(label.to_owned()), count: signed(count), ..row.clone() };
    match view {
        View::Histogram(histogram) => histogram
            .bins()
            .map(|bin| SummaryRow {
                bin: Some(i32::from(bin.index)),
                low: Some(bin.low),
                high: Some(bin.high),
                count: signed(bin.count),
                ..row.clone()
            })
            .collect(),
        View::Categories(categories) => {
            let mut rows: Vec<_> = categories.iter().map(|(name, count)| named(name, count)).collect();
            rows.sort_by(|one, other| one.label.cmp(&other.label));
            rows.extend((categories.other() > 0).then(|| named(OTHER, categories.other())));
            rows
        }
        View::Share(share) => vec![named("yes", share.yes), named("no", share.total.saturating_sub(share.yes))],
        View::Distinct(distinct) => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an estimate of at most as many texts as were added"
            )]
            let different = distinct.estimate().round() as u64;
            vec![named("texts", distinct.added()), named("different_texts", different)]
        }
        View::Words(words) => {
            let frequent = words.buckets().into_iter().filter(|(_, texts)| *texts >= WORD_TEXTS_MIN);
            let buckets = frequent.map(|(bucket, texts)| SummaryRow {
                bin: Some(i32::from(bucket)),
                count: signed(texts),
                ..row.clone()
            });
            std::iter::once(named("texts", words.texts())).chain(buckets).collect()
        }
        View::Embedding(_) => Vec::new(),
    }
}
