//! Cramer and von Mises' test of two samples: the mean squared distance of the cumulative shares.
//!
//! It sees shifts all along the range, where Kolmogorov's distance sees one place. From binned counts by midranks.

use crate::sample::{design_effect as checked, sizes};
use crate::{Method, Outcome, Undefined, distribution};

/// `scipy.stats.cramervonmises_2samp(method="asymptotic")`, ties by midranks.
///
/// A constant gives p = 1. The tail is precise where scipy's is cut (see [`distribution::cramer_von_mises_sf`]).
///
/// # Errors
/// Samples over different bins, or empty; a design effect below 1.
pub fn asymptotic(reference: &[u64], current: &[u64], design_effect: f64) -> Result<Outcome, Undefined> {
    let sizes = sizes(reference, current)?;
    let effect = checked(design_effect)?;
    let (n, m) = (sizes.reference, sizes.current);
    let all = n + m;
    let (mut below_old, mut below_new) = (0.0, 0.0);
    let (mut squares_old, mut squares_new) = (0.0, 0.0);
    for (&old, &new) in reference.iter().zip(current) {
        let (old, new) = (old as f64, new as f64);
        // a record's midrank among all, less its rank in its own sample, is the midrank among the others and the ties
        squares_old += rank_squares(old, new, below_new);
        squares_new += rank_squares(new, old, below_old);
        below_old += old;
        below_new += new;
    }
    let statistic = squares_old / (m * all) + squares_new / (n * all) - (4.0 * n * m - 1.0) / (6.0 * all);
    let statistic = statistic.max(0.0);

    let mean = (1.0 + 1.0 / all) / 6.0;
    let ratio = (n / m) + (m / n); // (n^2 + m^2) / (n m)
    let variance = (1.0 + 1.0 / all) / 45.0 * (1.0 - (3.0 * ratio + 2.0) / (4.0 * all));
    let standardised = 1.0 / 6.0 + (statistic / effect - mean) / (45.0 * variance).sqrt();
    let p_value =
        if sizes.filled < 2 || variance <= 0.0 { 1.0 } else { distribution::cramer_von_mises_sf(standardised) };
    Ok(Outcome { statistic, p_value, method: Method::Asymptotic, df: None })
}

/// `sum (R - i)^2` over the records of one bin of one sample: R their midrank, i their ranks in their own sample.
///
/// With `own` records here, `other` of the other sample and `below` of those further down, `R - i` runs over
/// `below + other / 2 + (own + 1) / 2 - k` for k in 1..=own.
fn rank_squares(own: f64, other: f64, below: f64) -> f64 {
    let centre = below + other / 2.0;
    own * (centre * centre + (own * own - 1.0).max(0.0) / 12.0)
}
