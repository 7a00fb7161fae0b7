//! Design effects: by how much counts vary more than those of independent records.
//!
//! Records that come close together resemble each other (one customer, one incident), so n records tell less than n
//! independent ones. The factor is measured between past windows and divides n wherever p-values are made (Rao and Scott
//! 1981, first order); unheeded, an autocorrelation of 0.5 turns 5 % false alarms into 21 %.

use crate::Undefined;
use crate::distribution::{normal_isf, two_sided};
use crate::sample::design_effect as checked;

/// Overdispersion of windows that should be alike: Pearson's statistic of all of them over its degrees of freedom.
///
/// `windows` hold counts over the same bins. Windows without a record and bins that none fills are left out; the result
/// is never below 1, and 1 where there is nothing to compare. A trend or a season in the windows enlarges it: give it
/// windows of one hour of the week, or of a quiet time.
///
/// # Errors
/// Windows over different bins.
pub fn effect<W: AsRef<[u64]>>(windows: &[W]) -> Result<f64, Undefined> {
    let bins = windows.first().map_or(0, |window| window.as_ref().len());
    let mut pooled = vec![0.0; bins];
    for window in windows.iter().map(AsRef::as_ref) {
        if window.len() != bins {
            return Err(Undefined::BinsDiffer { reference: bins, current: window.len() });
        }
        pooled.iter_mut().zip(window).for_each(|(sum, &count)| *sum += count as f64);
    }
    let all: f64 = pooled.iter().sum();
    let (mut statistic, mut filled) = (0.0, 0.0f64);
    for window in windows.iter().map(AsRef::as_ref) {
        let size: f64 = window.iter().map(|&count| count as f64).sum();
        if size == 0.0 {
            continue;
        }
        filled += 1.0;
        for (&count, &sum) in window.iter().zip(&pooled).filter(|&(_, &sum)| sum > 0.0) {
            let expected = sum / all * size;
            statistic += (count as f64 - expected) * (count as f64 - expected) / expected;
        }
    }
    let categories = pooled.iter().filter(|&&sum| sum > 0.0).count() as f64;
    let df = (filled - 1.0) * (categories - 1.0);
    Ok(if df > 0.0 { (statistic / df).max(1.0) } else { 1.0 })
}

/// The two-sided p-value of the same normal deviate over the root of the design effect: for tests of whole counts.
///
/// # Errors
/// A design effect below 1.
pub fn inflate(p_value: f64, design_effect: f64) -> Result<f64, Undefined> {
    if checked(design_effect)? == 1.0 {
        return Ok(p_value);
    }
    // an exact p is 0 by underflow only: its deviate is then beyond 38, and 38 is on the safe side
    let deviate = normal_isf(p_value / 2.0).min(38.0);
    Ok(two_sided(deviate / design_effect.sqrt()).max(p_value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_are_alike_have_no_design_effect() {
        assert_eq!(effect::<[u64; 2]>(&[]), Ok(1.0));
        assert_eq!(effect(&[[5, 5]]), Ok(1.0));
        assert_eq!(effect(&[[5, 5], [5, 5], [0, 0]]), Ok(1.0));
        assert_eq!(effect(&[vec![1, 2], vec![1, 2, 3]]), Err(Undefined::BinsDiffer { reference: 2, current: 3 }));
    }

    /// Two windows of 100: 60/40 against 40/60 is a Pearson statistic of 4 * 100/50 = 8 over one degree of freedom.
    #[test]
    fn overdispersion_is_pearson_over_its_degrees_of_freedom() {
        let measured = effect(&[[60, 40], [40, 60]]).expect("same bins");
        assert!((measured - 8.0).abs() < 1e-12, "{measured}");
    }

    #[test]
    fn a_design_effect_divides_the_square_of_the_deviate() {
        let p_value = two_sided(4.0);
        assert!((inflate(p_value, 4.0).expect("an effect") - two_sided(2.0)).abs() < 1e-9);
        assert_eq!(inflate(p_value, 1.0), Ok(p_value));
        assert_eq!(inflate(1.0, 3.0), Ok(1.0));
        assert!(inflate(0.0, 4.0).expect("an effect") > 0.0);
        assert!(inflate(0.5, 0.5).is_err());
    }
}
