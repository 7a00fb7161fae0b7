//! Whole numbers with many ties, such as tokens: chi-square on the quantile groups of the reference decides.
//!
//! On such data Kolmogorov-Smirnov's test is conservative (0.3 % false alarms at 5 % on five values), a chi-square test on
//! groups that are nearly equal in the reference is not. The change is half the root of Pearson's divergence, less what
//! chance gives: at least the share of texts that fell into another group (total variation, by Cauchy and Schwarz), and
//! equal to it where every group moved in the same proportion. The test of the least change is the noncentral chi-square.

use statistics::{Interval, chi_square};

use super::draft::{CONFIDENCE, Draft, Effect, Least, Role};
use super::numbers::{self, GROUPS, Numbers};
use super::titles;
use crate::counts::Edges;
use crate::verdict::sentence;

pub(super) fn compare(numbers: &Numbers<'_>) -> Vec<Draft> {
    let edges = Edges::of(numbers.reference, GROUPS);
    let (reference, current) = (edges.counts(numbers.reference), edges.counts(numbers.current));
    let effect = numbers.design_effect;
    let decides = Draft::of(Role::Decides, "chi_square", "reference_deciles", |draft| {
        let outcome = chi_square::auto(&reference, &current, effect)?;
        let df = outcome.df.unwrap_or(0.0);
        draft.outcome(outcome);
        draft.statistic_bias = Some(df * effect);
        let by_chance = if outcome.statistic > 0.0 { (1.0 - df * effect / outcome.statistic).max(0.0) } else { 0.0 };
        let divergence = chi_square::divergence(&reference, &current)? * by_chance;
        let interval = chi_square::interval(&reference, &current, CONFIDENCE, effect)?;
        let interval = Interval { low: share_moved(interval.low), high: share_moved(interval.high) };
        draft.effect = Some(Effect { value: share_moved(divergence), interval: Some(interval), unit: "share_moved" });
        let least = 4.0 * numbers.least * numbers.least;
        let beyond = chi_square::min_effect(&reference, &current, least, effect)?;
        draft.least = Some(Least { least: numbers.least, p_value: beyond.p_value });
        let paired = numbers.reference.paired(numbers.current);
        draft.n_unseen = numbers::unseen(&paired.reference, &paired.current);
        (draft.bins, draft.contributors) = numbers::groups(numbers.reference, numbers.current)?;
        draft.sentence = tell(numbers, &draft.contributors);
        Ok(())
    });
    let mut drafts = vec![decides];
    if numbers.described {
        drafts.push(Draft::of(Role::Describes, "g_test", "reference_deciles", |draft| {
            draft.outcome(chi_square::g_test(&reference, &current, effect)?);
            Ok(())
        }));
        drafts.extend(numbers.describe(&numbers.reference.paired(numbers.current)));
    }
    drafts
}

/// Half the root of a divergence.
fn share_moved(divergence: f64) -> f64 {
    (divergence.sqrt() / 2.0).min(1.0)
}

/// By the medians where they differ, else by the group that moved most.
fn tell(numbers: &Numbers<'_>, contributors: &[schemas::report::Contributor]) -> String {
    let title = titles::of_number(numbers.feature);
    let medians = numbers.reference.quantile(0.5).zip(numbers.current.quantile(0.5));
    match (medians, contributors.first()) {
        (Some((before, now)), Some(group)) if before == now => {
            let title = format!("share of texts with a {title} of {}", group.key);
            sentence::share_moved(&title, group.reference_share, group.current_share)
        }
        (Some((before, now)), _) => sentence::count_moved(&format!("median {title}"), before, now),
        (None, _) => format!("{title} has no median"),
    }
}
