//! Distances in the feature's own unit: Wasserstein-1 (the earth mover's distance) and the energy distance.
//!
//! Bins stand for a value each, in ascending order; a feature's scale is the reader's to know, so there is no test here.

use crate::proportion::deviate;
use crate::sample::{design_effect as checked, sizes};
use crate::{Interval, Undefined};

/// `integral |F - G| dx`, in the unit of the positions; `scipy.stats.wasserstein_distance`.
///
/// `positions` are ascending, one a bin.
///
/// # Errors
/// Samples over different bins, or empty.
pub fn distance(positions: &[f64], reference: &[u64], current: &[u64]) -> Result<f64, Undefined> {
    Ok(gaps(positions, reference, current)?.map(|gap| gap.difference.abs() * gap.width).sum())
}

/// `sqrt(2 integral (F - G)^2 dx)`; `scipy.stats.energy_distance`.
///
/// # Errors
/// Samples over different bins, or empty.
pub fn energy(positions: &[f64], reference: &[u64], current: &[u64]) -> Result<f64, Undefined> {
    let squares: f64 =
        gaps(positions, reference, current)?.map(|gap| gap.difference * gap.difference * gap.width).sum();
    Ok((2.0 * squares).sqrt())
}

/// An interval of [`distance`]: the observed one, give or take the standard error of its potential.
///
/// The distance is the difference in the mean of a function that rises where the reference lies below and falls where it
/// lies above; the variances of that mean add up. Near 0 the distance is biased upward and the interval reaches 0.
///
/// # Errors
/// As [`distance`]; a confidence outside of 0..1, a design effect below 1.
pub fn interval(
    positions: &[f64],
    reference: &[u64],
    current: &[u64],
    confidence: f64,
    design_effect: f64,
) -> Result<Interval, Undefined> {
    let z = deviate(confidence)?;
    let effect = checked(design_effect)?;
    let sizes = sizes(reference, current)?;
    let mut height = 0.0;
    let mut potential = vec![0.0];
    potential.extend(gaps(positions, reference, current)?.map(|gap| {
        height += gap.width * gap.difference.signum();
        height
    }));
    let variance = |counts: &[u64], size: f64| {
        let mean = counts.iter().zip(&potential).map(|(&count, h)| count as f64 / size * h).sum::<f64>();
        counts.iter().zip(&potential).map(|(&count, h)| count as f64 / size * (h - mean) * (h - mean)).sum::<f64>()
            / size
    };
    let error = ((variance(reference, sizes.reference) + variance(current, sizes.current)) * effect).sqrt();
    let distance = distance(positions, reference, current)?;
    Ok(Interval { low: (distance - z * error).max(0.0), high: distance + z * error })
}

/// Between two neighbouring bins.
struct Gap {
    width: f64,
    /// Cumulative share of the reference less that of the current sample.
    difference: f64,
}

fn gaps<'a>(
    positions: &'a [f64],
    reference: &'a [u64],
    current: &'a [u64],
) -> Result<impl Iterator<Item = Gap> + 'a, Undefined> {
    let sizes = sizes(reference, current)?;
    if positions.len() != reference.len() {
        return Err(Undefined::BinsDiffer { reference: reference.len(), current: positions.len() });
    }
    let (mut below_old, mut below_new) = (0.0, 0.0);
    let counts = reference.iter().zip(current);
    Ok(positions.windows(2).zip(counts).map(move |(ends, (&old, &new))| {
        below_old += old as f64;
        below_new += new as f64;
        Gap { width: ends[1] - ends[0], difference: below_old / sizes.reference - below_new / sizes.current }
    }))
}
