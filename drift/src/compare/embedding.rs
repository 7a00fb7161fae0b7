//! The mean embedding in random Fourier features: maximum mean discrepancy (MMD).
//!
//! The test that both samples have one mean is `statistics::mmd`, whose null law counts the noise of both. Whether the
//! distance is larger than the least change follows from the law of the squared distance where there is one: its standard
//! error is that of the features along the difference of the means (delta method), joined with its error under no change.

use statistics::distribution::normal_sf;
use statistics::{Interval, Undefined, mmd};

use super::draft::{Draft, Effect, Least, Role};
use crate::counts::Embedding;

/// The two-sided normal quantile of 95 %.
const DEVIATE: f64 = 1.959_963_984_540_054;

/// The law of the statistic needs so many records per feature, both samples together.
const RECORDS_PER_FEATURE: u64 = 10;

/// Why two embeddings cannot be compared; `None` when they can.
pub(super) fn unfit(reference: &Embedding, current: &Embedding) -> Option<String> {
    if reference.projection() != current.projection() {
        return Some("the reference was made with another projection of the embedding".to_owned());
    }
    let needed = RECORDS_PER_FEATURE.saturating_mul(reference.sums().len() as u64);
    let found = reference.events().saturating_add(current.events());
    (found < needed).then(|| format!("only {found} records with an embedding on both sides, {needed} are needed"))
}

pub(super) fn compare(reference: &Embedding, current: &Embedding, design_effect: f64, least: f64) -> Draft {
    let (old_sums, old_products) = (reference.sums(), reference.products());
    let (new_sums, new_products) = (current.sums(), current.products());
    let old = mmd::Moments { records: reference.events(), sums: &old_sums, products: &old_products };
    let new = mmd::Moments { records: current.events(), sums: &new_sums, products: &new_products };
    Draft::of(Role::Decides, "mmd", "random_fourier_features", |draft| {
        let outcome = mmd::test(old, new, design_effect)?;
        draft.outcome(outcome);
        let error = standard_error(&old, &new, design_effect)?;
        let squared = outcome.statistic;
        let interval = Interval { low: squared - DEVIATE * error, high: squared + DEVIATE * error };
        draft.statistic_interval = Some(interval);
        let root = |squared: f64| squared.max(0.0).sqrt();
        let interval = Interval { low: root(interval.low), high: root(interval.high) };
        draft.effect = Some(Effect { value: root(squared), interval: Some(interval), unit: "mmd" });
        let p_value = if error > 0.0 { normal_sf((squared - least * least) / error) } else { 1.0 };
        draft.least = Some(Least { least, p_value });
        draft.sentence = format!("the mean embedding moved by {:.3} (maximum mean discrepancy)", root(squared));
        Ok(())
    })
}

/// The standard error of the squared distance: `sqrt(4 d' S d + 2 tr(S^2))` with `d` the difference of the means and
/// `S` the covariance of that difference.
fn standard_error(old: &mmd::Moments<'_>, new: &mmd::Moments<'_>, design_effect: f64) -> Result<f64, Undefined> {
    let size = old.sums.len();
    let triangle = size * (size + 1) / 2;
    if old.products.len() != triangle || new.products.len() != triangle || new.sums.len() != size {
        return Err(Undefined::BinsDiffer { reference: size, current: new.sums.len() });
    }
    let (n, m) = (old.records as f64, new.records as f64);
    let difference: Vec<f64> = old.sums.iter().zip(new.sums).map(|(before, now)| now / m - before / n).collect();
    let (mut along, mut squares, mut place) = (0.0, 0.0, 0);
    for row in 0..size {
        for column in row..size {
            let of_old = (old.products[place] - old.sums[row] * old.sums[column] / n) / (n - 1.0).max(1.0) / n;
            let of_new = (new.products[place] - new.sums[row] * new.sums[column] / m) / (m - 1.0).max(1.0) / m;
            let covariance = (of_old + of_new) * design_effect;
            let twice = if row == column { 1.0 } else { 2.0 };
            along += twice * covariance * difference[row] * difference[column];
            squares += twice * covariance * covariance;
            place += 1;
        }
    }
    Ok((4.0 * along.max(0.0) + 2.0 * squares).sqrt())
}
