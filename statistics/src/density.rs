//! Densities of counts to full relative precision for any size, by Loader's saddle-point expansion.
//!
//! `ln C(n, k)` from `ln_gamma` loses six digits at 10^9 records, because it subtracts numbers of the size of `n ln n`.
//! Source: C. Loader, "Fast and accurate computation of binomial probabilities" (2000), as R computes them.

use std::f64::consts::PI;

use statrs::function::gamma::ln_gamma;

/// `ln(sqrt(2 pi))`
const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;

/// `ln(n!) - ln(sqrt(2 pi n) (n / e)^n)` for real `n > 0`: what Stirling's formula leaves out.
pub(crate) fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        return ln_gamma(n + 1.0) - (n + 0.5) * n.ln() + n - LN_SQRT_2PI;
    }
    let nn = n * n;
    // 1/(12 n) - 1/(360 n^3) + 1/(1260 n^5) - 1/(1680 n^7) + 1/(1188 n^9)
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / nn) / nn) / nn) / nn) / n
}

/// `x ln(x / mean) + mean - x`, without cancellation where `x` is near `mean`.
pub(crate) fn deviance(x: f64, mean: f64) -> f64 {
    let difference = x - mean;
    if difference.abs() >= 0.1 * (x + mean) {
        return if x == 0.0 { mean } else { x * (x / mean).ln() + mean - x };
    }
    // x ln(x/mean) by the series of ln((1+v)/(1-v)) with v = (x - mean) / (x + mean)
    let v = difference / (x + mean);
    let mut sum = difference * v;
    let mut term = 2.0 * x * v;
    for j in 1..1000 {
        term *= v * v;
        let next = sum + term / f64::from(2 * j + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// `ln(mean^x e^-mean / Gamma(x + 1))` for real `x >= 0`.
pub(crate) fn ln_poisson(x: f64, mean: f64) -> f64 {
    if x == 0.0 {
        return -mean;
    }
    if mean == 0.0 {
        return f64::NEG_INFINITY;
    }
    -stirling_error(x) - deviance(x, mean) - 0.5 * (2.0 * PI * x).ln()
}

/// `ln(C(n, x) p^x q^(n-x))` for real `0 <= x <= n`; `q` is `1 - p`, given apart so that it keeps its digits.
pub(crate) fn ln_binomial(x: f64, n: f64, p: f64, q: f64) -> f64 {
    if x <= 0.0 {
        return if p < 0.5 { n * (-p).ln_1p() } else { n * q.ln() };
    }
    if x >= n {
        return if q < 0.5 { n * (-q).ln_1p() } else { n * p.ln() };
    }
    let errors = stirling_error(n) - stirling_error(x) - stirling_error(n - x);
    let deviances = deviance(x, n * p) + deviance(n - x, n * q);
    errors - deviances - 0.5 * (2.0 * PI * x * ((n - x) / n)).ln()
}

/// The probability that `x` of `hits` fall on the second of two samples of these sizes; 0 outside of what can be.
pub(crate) fn hypergeometric(x: u64, hits: u64, first: u64, second: u64) -> f64 {
    if x > hits || x > second || hits - x > first {
        return 0.0;
    }
    let all = first as f64 + second as f64;
    let (share, rest) = (hits as f64 / all, (all - hits as f64) / all);
    if share == 0.0 || rest == 0.0 {
        return 1.0; // there is only one way
    }
    // C(second, x) C(first, hits - x) / C(all, hits): each a binomial density at one common probability of a hit
    let parts =
        ln_binomial(x as f64, second as f64, share, rest) + ln_binomial((hits - x) as f64, first as f64, share, rest);
    (parts - ln_binomial(hits as f64, all, share, rest)).exp()
}
