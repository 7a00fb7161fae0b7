//! The population stability index: `sum (q - p) ln(q / p)` over bins frozen in the reference.
//!
//! A fixed threshold of 0.1 or 0.25 is blind on large windows and fires on small ones, because PSI follows
//! `(1/n + 1/m) chi-square(B - 1)` where nothing changed (Yurdakul 2018). So the index comes with that law's mean taken
//! off too.

use crate::Undefined;
use crate::sample::{design_effect as checked, sizes};

/// Jeffreys' prior: half a record in every bin of both samples keeps empty bins finite.
const PSEUDO_COUNT: f64 = 0.5;

/// The index in its three forms, and what each bin adds.
#[derive(Clone, Debug, PartialEq)]
pub struct Psi {
    /// With half a record added to every bin of both samples.
    pub smoothed: f64,
    /// Of the bare shares; `None` where a bin is empty in one sample only, which makes it infinite.
    pub raw: Option<f64>,
    /// `smoothed` less what chance alone gives on average; negative where there is less than that.
    pub corrected: f64,
    /// What each bin adds to `smoothed`.
    pub contributions: Vec<f64>,
}

/// # Errors
/// Samples over different bins, or empty; a design effect below 1.
pub fn index(reference: &[u64], current: &[u64], design_effect: f64) -> Result<Psi, Undefined> {
    let sizes = sizes(reference, current)?;
    let (n, m) = (sizes.reference, sizes.current);
    let added = PSEUDO_COUNT * reference.len() as f64;
    let contributions: Vec<f64> = reference
        .iter()
        .zip(current)
        .map(|(&old, &new)| term((old as f64 + PSEUDO_COUNT) / (n + added), (new as f64 + PSEUDO_COUNT) / (m + added)))
        .collect();
    let pairs = || reference.iter().zip(current).filter(|&(&old, &new)| old > 0 || new > 0);
    let finite = pairs().all(|(&old, &new)| old > 0 && new > 0);
    let raw = finite.then(|| pairs().map(|(&old, &new)| term(old as f64 / n, new as f64 / m)).sum());
    let smoothed = contributions.iter().sum();
    let corrected = smoothed - null_mean(reference.len(), n, m) * checked(design_effect)?;
    Ok(Psi { smoothed, raw, corrected, contributions })
}

fn term(p: f64, q: f64) -> f64 {
    (q - p) * (q / p).ln()
}

/// What the index is on average where nothing changed: `(B - 1)(1/n + 1/m)`.
pub fn null_mean(bins: usize, reference: f64, current: f64) -> f64 {
    bins.saturating_sub(1) as f64 * (1.0 / reference + 1.0 / current)
}
