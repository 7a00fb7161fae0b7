//! Design effects: by how much counts vary more than those of independent records.
//!
//! Records that come close together resemble each other (one customer, one incident), so n records tell less than n
//! independent ones. The factor is measured between past windows and divides n wherever p-values are made (Rao and Scott
//! 1981, first order); unheeded, an autocorrelation of 0.5 turns 5 % false alarms into 21 %.

use crate::distribution::{normal_isf, two_sided};
use crate::sample::design_effect as checked;
use crate::{Undefined, distribution};

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
    let deviate = normal_isf(p_value / 2.0);
    let larger = if deviate.is_finite() { two_sided(deviate / design_effect.sqrt()) } else { 0.0 };
    // an exact p may be 0 by underflow only; its deviate is then beyond 38
    Ok(if p_value == 0.0 { distribution::two_sided(38.0 / design_effect.sqrt()) } else { larger.max(p_value) })
}
