//! Distances between two sets of shares, for description: they have no p-value and depend on the sample size.
//!
//! Each names its base or its scale, because tools disagree: Evidently takes Jensen-Shannon in nats, NannyML in bits.

use std::f64::consts::LN_2;

use crate::Undefined;
use crate::sample::sizes;

/// Jensen and Shannon's distance in nats, 0..=sqrt(ln 2); `scipy.spatial.distance.jensenshannon(p, q)`.
///
/// # Errors
/// Samples over different bins, or empty.
pub fn js_nats(reference: &[u64], current: &[u64]) -> Result<f64, Undefined> {
    let half = |x: f64, middle: f64| if x == 0.0 { 0.0 } else { x * (x / middle).ln() };
    let terms = shares(reference, current)?.map(|(p, q)| {
        let middle = (p + q) / 2.0;
        // the rest sums to nothing over all bins and keeps every term positive
        half(p, middle) + half(q, middle)
    });
    Ok((terms.sum::<f64>() / 2.0).max(0.0).sqrt())
}

/// The same in bits, 0..=1; `jensenshannon(p, q, base=2)`.
///
/// # Errors
/// Samples over different bins, or empty.
pub fn js_bits(reference: &[u64], current: &[u64]) -> Result<f64, Undefined> {
    Ok(js_nats(reference, current)? / LN_2.sqrt())
}

/// What Jensen and Shannon's distance in nats is about where nothing changed: `sqrt((K - 1) / 8 (1/n + 1/m))`.
///
/// # Errors
/// Samples over different bins, or empty.
pub fn js_nats_by_chance(reference: &[u64], current: &[u64]) -> Result<f64, Undefined> {
    let sizes = sizes(reference, current)?;
    Ok(((sizes.filled as f64 - 1.0) / 8.0 * (1.0 / sizes.reference + 1.0 / sizes.current)).sqrt())
}

/// Hellinger's distance `sqrt(1 - sum sqrt(p q))`, 0..=1.
///
/// # Errors
/// Samples over different bins, or empty.
pub fn hellinger(reference: &[u64], current: &[u64]) -> Result<f64, Undefined> {
    let squares = shares(reference, current)?.map(|(p, q)| (p.sqrt() - q.sqrt()) * (p.sqrt() - q.sqrt()));
    Ok((squares.sum::<f64>() / 2.0).sqrt())
}

/// Total variation: half the sum of all changes of share, 0..=1; so much of the sample would have to move.
///
/// # Errors
/// Samples over different bins, or empty.
pub fn total_variation(reference: &[u64], current: &[u64]) -> Result<f64, Undefined> {
    Ok(shares(reference, current)?.map(|(p, q)| (p - q).abs()).sum::<f64>() / 2.0)
}

/// The largest change of a share, 0..=1.
///
/// # Errors
/// Samples over different bins, or empty.
pub fn l_infinity(reference: &[u64], current: &[u64]) -> Result<f64, Undefined> {
    Ok(shares(reference, current)?.map(|(p, q)| (p - q).abs()).fold(0.0, f64::max))
}

fn shares<'a>(reference: &'a [u64], current: &'a [u64]) -> Result<impl Iterator<Item = (f64, f64)> + 'a, Undefined> {
    let sizes = sizes(reference, current)?;
    let shares = move |(&old, &new): (&u64, &u64)| (old as f64 / sizes.reference, new as f64 / sizes.current);
    Ok(reference.iter().zip(current).map(shares))
}
