//! Shares of two samples: which class moved, by how much, and is that more than chance?

use std::f64::consts::PI;

use crate::distribution::{normal_isf, normal_sf, two_sided};
use crate::hypergeometric::Urn;
use crate::sample::{design_effect as checked, within};
use crate::{Interval, Method, Outcome, Undefined};

/// So many of so many records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proportion {
    hits: u64,
    total: u64,
}

impl Proportion {
    /// # Errors
    /// More hits than records, or no record.
    pub fn new(hits: u64, total: u64) -> Result<Self, Undefined> {
        if total > 0 && hits <= total { Ok(Self { hits, total }) } else { Err(Undefined::NoShare { hits, total }) }
    }

    pub fn hits(self) -> u64 {
        self.hits
    }

    pub fn total(self) -> u64 {
        self.total
    }

    /// 0..=1
    pub fn value(self) -> f64 {
        self.hits as f64 / self.total as f64
    }
}

/// The pooled two-proportion z-test, without continuity correction: z^2 is Pearson's chi-square. Positive z: it rose.
///
/// # Errors
/// A design effect below 1.
pub fn z_test(reference: Proportion, current: Proportion, design_effect: f64) -> Result<Outcome, Undefined> {
    let (n, m) = (reference.total as f64, current.total as f64);
    let pooled = (reference.hits as f64 + current.hits as f64) / (n + m);
    let variance = pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m) * checked(design_effect)?;
    let change = current.value() - reference.value();
    let statistic = if variance > 0.0 { change / variance.sqrt() } else { 0.0 };
    Ok(Outcome { statistic, p_value: two_sided(statistic), method: Method::Asymptotic, df: None })
}

/// Fisher's exact two-sided test; `scipy.stats.fisher_exact`. The statistic is the odds ratio, current over reference:
/// infinite where only the reference has none (or only misses are missing), 1 where neither sample varies.
///
/// # Errors
/// None for samples that exist.
pub fn fisher(reference: Proportion, current: Proportion) -> Result<Outcome, Undefined> {
    let (a, b) = (current.hits as f64, (current.total - current.hits) as f64);
    let (c, d) = (reference.hits as f64, (reference.total - reference.hits) as f64);
    let (up, down) = (a * d, b * c);
    let statistic = match (up == 0.0, down == 0.0) {
        (true, true) => 1.0,
        (false, true) => f64::INFINITY,
        _ => up / down,
    };
    let p_value = Urn::new(reference.total, current.total)?.two_sided(reference.hits, current.hits)?;
    Ok(Outcome { statistic, p_value, method: Method::Exact, df: None })
}

/// Wilson's score interval of one share; `scipy.stats.binomtest(k, n).proportion_ci(method="wilson")`.
///
/// # Errors
/// A confidence outside of 0..1; a design effect below 1.
pub fn wilson(share: Proportion, confidence: f64, design_effect: f64) -> Result<Interval, Undefined> {
    let z = deviate(confidence)?;
    let n = share.total as f64 / checked(design_effect)?;
    let p = share.value();
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let reach = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let low = if share.hits == 0 { 0.0 } else { (centre - reach).max(0.0) };
    let high = if share.hits == share.total { 1.0 } else { (centre + reach).min(1.0) };
    Ok(Interval { low, high })
}

/// Newcombe's interval of the change, current less reference: his method 10, from the two score intervals.
///
/// # Errors
/// As [`wilson`].
pub fn newcombe(
    reference: Proportion,
    current: Proportion,
    confidence: f64,
    design_effect: f64,
) -> Result<Interval, Undefined> {
    let old = wilson(reference, confidence, design_effect)?;
    let new = wilson(current, confidence, design_effect)?;
    let (p, q) = (reference.value(), current.value());
    let change = q - p;
    let low = change - (q - new.low).hypot(old.high - p);
    let high = change + (new.high - q).hypot(p - old.low);
    Ok(Interval { low: low.max(-1.0), high: high.min(1.0) })
}

/// The p-value of "the share changed by at most `minimum`" (0..=1, absolute), in either direction.
///
/// The standard error is that of the likeliest shares exactly `minimum` apart (Farrington and Manning 1990), so the
/// test also holds for rare classes. The statistic is the z-score of the excess over the minimum.
///
/// # Errors
/// A minimum outside of 0..=1; a design effect below 1.
pub fn min_effect(
    reference: Proportion,
    current: Proportion,
    minimum: f64,
    design_effect: f64,
) -> Result<Outcome, Undefined> {
    within("minimum change", minimum, 0.0, 1.0)?;
    let effect = checked(design_effect)?;
    let (high, low) = if current.value() >= reference.value() { (current, reference) } else { (reference, current) };
    let (p, q) = restricted(high, low, minimum);
    let variance = (p * (1.0 - p) / high.total as f64 + q * (1.0 - q) / low.total as f64) * effect;
    let change = high.value() - low.value();
    let (statistic, p_value) = if change <= 0.0 || variance <= 0.0 {
        (0.0, 1.0)
    } else {
        let error = variance.sqrt();
        let excess = (change - minimum) / error;
        // the far side of "in either direction" counts where the minimum is small
        (excess, (normal_sf(excess) + normal_sf((change + minimum) / error)).min(1.0))
    };
    Ok(Outcome { statistic, p_value, method: Method::Asymptotic, df: None })
}

/// The likeliest two shares whose difference is `delta`: the root of a cubic, in closed form.
fn restricted(high: Proportion, low: Proportion, delta: f64) -> (f64, f64) {
    let (p, q) = (high.value(), low.value());
    let ratio = low.total as f64 / high.total as f64;
    let a = 1.0 + ratio;
    let b = -(1.0 + ratio + p + ratio * q + delta * (ratio + 2.0));
    let c = delta * delta + delta * (2.0 * p + ratio + 1.0) + p + ratio * q;
    let d = -p * delta * (1.0 + delta);
    let third = b / (3.0 * a);
    let v = third.powi(3) - b * c / (6.0 * a * a) + d / (2.0 * a);
    let u = (third * third - c / (3.0 * a)).max(0.0).sqrt().copysign(v);
    let angle = if u == 0.0 { PI } else { (PI + (v / u.powi(3)).clamp(-1.0, 1.0).acos()) / 3.0 };
    let root = if u == 0.0 { -third } else { 2.0 * u * angle.cos() - third };
    let p = root.clamp(delta, 1.0);
    (p, (p - delta).clamp(0.0, 1.0))
}

/// The two-sided normal quantile of a confidence.
pub(crate) fn deviate(confidence: f64) -> Result<f64, Undefined> {
    let inside = confidence > 0.0 && confidence < 1.0;
    if inside {
        Ok(normal_isf((1.0 - confidence) / 2.0))
    } else {
        Err(Undefined::OutOfRange { name: "confidence", value: confidence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(hits: u64, total: u64) -> Proportion {
        Proportion::new(hits, total).expect("a share")
    }

    /// Newcombe (1998), table II: 56/70 and 48/80 differ by 0.2, interval 0.0524 to 0.3339.
    #[test]
    fn newcombe_gives_the_interval_of_his_paper() {
        let interval = newcombe(share(48, 80), share(56, 70), 0.95, 1.0).expect("an interval");
        assert!((interval.low - 0.0524).abs() < 5e-5 && (interval.high - 0.3339).abs() < 5e-5, "{interval:?}");
    }

    #[test]
    fn a_minimum_of_nothing_is_the_plain_test() {
        for (old, new) in [((50, 1000), (100, 1000)), ((3, 5000), (9, 400)), ((700, 800), (20, 90))] {
            let (old, new) = (share(old.0, old.1), share(new.0, new.1));
            let plain = z_test(old, new, 1.0).expect("an outcome").p_value;
            let minimum = min_effect(old, new, 0.0, 1.0).expect("an outcome").p_value;
            assert!((plain / minimum - 1.0).abs() < 1e-6, "{plain} {minimum}");
        }
    }

    #[test]
    fn restricted_shares_are_the_likeliest_at_their_distance() {
        let (high, low, delta) = (share(90, 300), share(40, 500), 0.1);
        let (p, q) = restricted(high, low, delta);
        assert!((p - q - delta).abs() < 1e-12);
        let likelihood = |p: f64| {
            let of = |share: Proportion, p: f64| {
                share.hits as f64 * p.ln() + (share.total - share.hits) as f64 * (1.0 - p).ln()
            };
            of(high, p) + of(low, p - delta)
        };
        assert!(likelihood(p) > likelihood(p + 1e-4) && likelihood(p) > likelihood(p - 1e-4), "{p}");
    }

    #[test]
    fn larger_minimums_and_design_effects_are_harder_to_exceed() {
        let (old, new) = (share(410, 10_000), share(980, 10_000));
        let p_values = [0.0, 0.02, 0.04, 0.0569, 0.06, 0.5, 1.0]
            .map(|minimum| min_effect(old, new, minimum, 1.0).expect("an outcome").p_value);
        assert!(p_values.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12), "{p_values:?}");
        assert!(p_values[1] < 1e-9 && p_values[4] > 0.5, "{p_values:?}");
        let clustered = min_effect(old, new, 0.04, 20.0).expect("an outcome").p_value;
        assert!(clustered > p_values[2]);
        assert!(min_effect(old, new, 1.1, 1.0).is_err());
    }

    #[test]
    fn shares_that_never_vary_have_nothing_to_tell() {
        for (old, new) in [(share(0, 10), share(0, 20)), (share(10, 10), share(20, 20))] {
            assert_eq!(z_test(old, new, 1.0).expect("an outcome").p_value, 1.0);
            assert_eq!(fisher(old, new).expect("an outcome").statistic, 1.0);
            assert_eq!(min_effect(old, new, 0.02, 1.0).expect("an outcome").p_value, 1.0);
        }
        assert_eq!(Proportion::new(3, 2), Err(Undefined::NoShare { hits: 3, total: 2 }));
    }
}
