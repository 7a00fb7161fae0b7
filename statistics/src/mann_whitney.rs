//! Mann and Whitney's rank test and the AUC: how often is a current record above a reference one?
//!
//! The AUC is an effect size without a unit: 0.5 is no shift, 1 that every current record lies above. Exact from binned
//! counts, ties by midranks.

use crate::distribution::{normal_sf, two_sided};
use crate::proportion::deviate;
use crate::sample::{design_effect as checked, sizes, within};
use crate::{Interval, Method, Outcome, Undefined};

/// The share of pairs in which the current record is the larger one, equal ones counted half.
///
/// # Errors
/// Samples over different bins, or empty.
pub fn auc(reference: &[u64], current: &[u64]) -> Result<f64, Undefined> {
    Ok(Placement::of(reference, current)?.auc)
}

/// The two-sided rank test with tie and continuity correction; `scipy.stats.mannwhitneyu(method="asymptotic")`.
///
/// The statistic is U of the current sample: `AUC n m`. A constant gives p = 1.
///
/// # Errors
/// Samples over different bins, or empty; a design effect below 1.
pub fn test(reference: &[u64], current: &[u64], design_effect: f64) -> Result<Outcome, Undefined> {
    let effect = checked(design_effect)?;
    let sizes = sizes(reference, current)?;
    let auc = auc(reference, current)?;
    let (n, m) = (sizes.reference, sizes.current);
    let all = n + m;
    let ties: f64 = reference.iter().zip(current).map(|(&old, &new)| tied(old as f64 + new as f64, all)).sum();
    // in units of pairs: n m / 12 ((N + 1) - sum (t^3 - t) / (N (N - 1))) / (n m)^2
    let variance = (all + 1.0) / 12.0 / n / m * (1.0 - ties).max(0.0) * effect;
    let excess = ((auc - 0.5).abs() - 0.5 / n / m).max(-0.5 / n / m);
    let p_value =
        if variance > 0.0 && sizes.filled > 1 { (2.0 * normal_sf(excess / variance.sqrt())).min(1.0) } else { 1.0 };
    Ok(Outcome { statistic: auc * n * m, p_value, method: Method::Asymptotic, df: None })
}

/// The share of `N^3 - N` that one group of ties takes.
fn tied(group: f64, all: f64) -> f64 {
    group / all * ((group - 1.0) / (all - 1.0)) * ((group + 1.0) / (all + 1.0))
}

/// An interval of the AUC by the variance of its placements (DeLong, DeLong and Clarke-Pearson 1988).
///
/// # Errors
/// As [`test()`]; a confidence outside of 0..1.
pub fn interval(
    reference: &[u64],
    current: &[u64],
    confidence: f64,
    design_effect: f64,
) -> Result<Interval, Undefined> {
    let placement = Placement::of(reference, current)?;
    let reach = deviate(confidence)? * (placement.variance * checked(design_effect)?).sqrt();
    Ok(Interval { low: (placement.auc - reach).max(0.0), high: (placement.auc + reach).min(1.0) })
}

/// The p-value of "the AUC is at most `minimum` away from 0.5", in either direction.
///
/// # Errors
/// As [`test()`]; a minimum outside of 0..=0.5.
pub fn min_effect(reference: &[u64], current: &[u64], minimum: f64, design_effect: f64) -> Result<Outcome, Undefined> {
    within("minimum AUC difference", minimum, 0.0, 0.5)?;
    let placement = Placement::of(reference, current)?;
    let error = (placement.variance * checked(design_effect)?).sqrt();
    let difference = (placement.auc - 0.5).abs();
    let statistic = (difference - minimum) / error;
    let p_value = if minimum == 0.0 {
        two_sided(statistic)
    } else {
        (normal_sf(statistic) + normal_sf((difference + minimum) / error)).min(1.0)
    };
    Ok(Outcome { statistic, p_value, method: Method::Asymptotic, df: None })
}

/// The AUC and its variance.
struct Placement {
    auc: f64,
    variance: f64,
}

impl Placement {
    fn of(reference: &[u64], current: &[u64]) -> Result<Self, Undefined> {
        let sizes = sizes(reference, current)?;
        let (n, m) = (sizes.reference, sizes.current);
        let (mut below_old, mut below_new, mut auc) = (0.0, 0.0, 0.0);
        for (&old, &new) in reference.iter().zip(current) {
            let (old, new) = (old as f64, new as f64);
            auc += new / m * ((below_old + old / 2.0) / n);
            below_old += old;
        }
        // placements: for a current record the share of the reference below it, for a reference record the share above
        let (mut of_new, mut of_old) = (0.0, 0.0);
        below_old = 0.0;
        for (&old, &new) in reference.iter().zip(current) {
            let (old, new) = (old as f64, new as f64);
            let (below, above) = ((below_old + old / 2.0) / n, 1.0 - (below_new + new / 2.0) / m);
            of_new += new * (below - auc) * (below - auc);
            of_old += old * (above - auc) * (above - auc);
            below_old += old;
            below_new += new;
        }
        let measured = of_new / (m - 1.0).max(1.0) / m + of_old / (n - 1.0).max(1.0) / n;
        // with every pair on one side nothing is seen to vary; one pair in doubt is the least that can be meant
        let floor = 0.25 / n / m / n.min(m);
        Ok(Self { auc, variance: measured.max(floor) })
    }
}
