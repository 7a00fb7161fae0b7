//! Cramer and von Mises' test of two samples: the mean squared distance of the cumulative shares.
//!
//! It sees shifts all along the range, where Kolmogorov's distance sees one place. Binned counts are ties, and scipy's
//! rank formula takes the width of a tie for a distance: two equal samples of a billion records in 40 bins get 10^15.
//! Here ties are no distance, and the law is matched to the mean and the variance that the statistic has given the ties.
//! Without ties both are scipy's to the last digit.

use crate::sample::{design_effect as checked, sizes};
use crate::{Method, Outcome, Undefined, distribution};

/// `n m / N^2` times the sum over all N records of the squared difference of the cumulative shares, taken just below and
/// just above a record and averaged; without ties `scipy.stats.cramervonmises_2samp(method="asymptotic")`.
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
    let (mut statistic, mut null) = (0.0, Null::default());
    let (mut below_old, mut below_new, mut difference) = (0.0, 0.0, 0.0f64);
    for (&old, &new) in reference.iter().zip(current) {
        let share = (old as f64 + new as f64) / all;
        let below = difference * difference;
        null.add(share / 2.0, (below_old + below_new) / all);
        below_old += old as f64;
        below_new += new as f64;
        difference = below_new / m - below_old / n;
        null.add(share / 2.0, (below_old + below_new) / all);
        statistic += share * 0.5 * (below + difference * difference);
    }
    statistic *= sizes.effective();

    let mean = null.mean * (all / (all - 1.0));
    let deviation = (untied_variance(n, m) * null.variance() / untied_limit(all)).sqrt();
    let p_value = if sizes.filled > 1 && deviation > 0.0 {
        // the limit law has mean 1/6 and variance 1/45
        distribution::cramer_von_mises_sf(1.0 / 6.0 + (statistic / effect - mean) / (deviation * 45f64.sqrt()))
    } else {
        1.0
    };
    Ok(Outcome { statistic, p_value, method: Method::Asymptotic, df: None })
}

/// Mean and variance of `sum v B(F)^2` for a Brownian bridge B at ascending shares F with weights v.
///
/// `cov(B(s), B(t)) = s (1 - t)` for s <= t, so the mean is `sum v F (1 - F)` and the variance twice the sum of
/// `v v' cov^2` over all pairs, for which one pass is enough.
#[derive(Default)]
struct Null {
    mean: f64,
    /// `sum v F^2` so far
    squares: f64,
    /// half the variance
    pairs: f64,
}

impl Null {
    fn add(&mut self, weight: f64, share: f64) {
        let rest = (1.0 - share).max(0.0);
        self.mean += weight * share * rest;
        let own = weight * share * share;
        self.pairs += weight * rest * rest * (2.0 * self.squares + own);
        self.squares += own;
    }

    fn variance(&self) -> f64 {
        2.0 * self.pairs
    }
}

/// The variance without ties for exactly these sizes (Anderson 1962), as scipy's.
fn untied_variance(n: f64, m: f64) -> f64 {
    let all = n + m;
    // (N + 1) (4 n m N - 3 (n^2 + m^2) - 2 n m) / (180 N^2 n m)
    (1.0 + 1.0 / all) / 45.0 * (1.0 - (3.0 * (n / m + m / n) + 2.0) / (4.0 * all))
}

/// What [`Null`] makes of N records without ties, so that its ratio to this is what ties change.
///
/// `2 / N^6 (sum s^2 (N-s)^2 + 2 sum_{s<t} s^2 (N-t)^2)` at weights of `1 / N`, in closed form.
fn untied_limit(all: f64) -> f64 {
    let choose = |k: u32| (0..k).map(|i| (all + 1.0 - f64::from(i)) / f64::from(k - i) / all).product::<f64>();
    // binomials of N + 1, each over N^k; the powers of N that are left over follow
    let pairs = 4.0 * choose(6) + 4.0 * choose(5) / all + choose(4) / (all * all);
    let own = (1.0 - 1.0 / all.powi(4)) / 30.0 / all;
    2.0 * (own + 2.0 * pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_ties_the_matched_law_is_the_exact_one() {
        for records in [4, 10, 101, 1000] {
            let counts: Vec<u64> = (0..records).map(|record| record % 2).collect();
            let others: Vec<u64> = counts.iter().map(|count| 1 - count).collect();
            let mut null = Null::default();
            for record in 0..records {
                null.add(0.5 / records as f64, record as f64 / records as f64);
                null.add(0.5 / records as f64, (record + 1) as f64 / records as f64);
            }
            let all = records as f64;
            assert!((null.mean * all / (all - 1.0) - (1.0 + 1.0 / all) / 6.0).abs() < 1e-12);
            assert!((null.variance() / untied_limit(all) - 1.0).abs() < 1e-12, "{records}");
            // every other record is from the other sample: as even as can be
            let outcome = asymptotic(&counts, &others, 1.0).expect("an outcome");
            assert!(records < 100 || outcome.p_value > 0.99, "{outcome:?}");
        }
    }
}
