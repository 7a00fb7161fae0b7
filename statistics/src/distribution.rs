//! Tails of the laws that the tests need; each upper tail keeps its relative precision down to the smallest `f64`.
//!
//! From `statrs`: the error function (normal tail to 1e-13 relative) and the incomplete gamma function (central
//! chi-square to 1e-12). Our own: the noncentral chi-square, which it lacks; the Cramer-von Mises limit, which it lacks;
//! Kolmogorov's laws, in [`crate::kolmogorov`]. Parity with scipy: `tests/golden.rs`.

use std::f64::consts::{PI, SQRT_2};

use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::gamma::gamma_ur;

use crate::density::ln_poisson;

/// `P(Z > z)` of the standard normal law.
pub fn normal_sf(z: f64) -> f64 {
    0.5 * erfc(z / SQRT_2)
}

/// The `z` with `P(Z > z) = p`; infinite at 0 and 1.
pub fn normal_isf(p: f64) -> f64 {
    SQRT_2 * erfc_inv(2.0 * p.clamp(0.0, 1.0))
}

/// `P(|Z| > |z|)`: what a two-sided z-test reports.
pub fn two_sided(z: f64) -> f64 {
    (2.0 * normal_sf(z.abs())).min(1.0)
}

/// `P(X > x)` of the chi-square law; 1 where `df` is 0 and for `x <= 0`.
pub fn chi_square_sf(x: f64, df: f64) -> f64 {
    if x <= 0.0 || df <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    gamma_ur(df / 2.0, x / 2.0).clamp(0.0, 1.0)
}

/// The `x` with `P(X > x) = p` of the chi-square law, for p inside 0..1 and `df > 0`.
pub fn chi_square_isf(p: f64, df: f64) -> f64 {
    // far above any such point: the mean, plus what an exponential tail adds
    let high = 2.0 * df + 20.0 - 8.0 * p.max(f64::MIN_POSITIVE).ln();
    falling_to(p, 0.0, high, |x| chi_square_sf(x, df))
}

/// `P(X > x)` of the noncentral chi-square law with noncentrality `lambda >= 0`; `scipy.stats.ncx2.sf`.
///
/// The sum over j of Poisson(j; lambda/2) times the central tail with df + 2j degrees of freedom. All terms are
/// positive, and the recurrence `Q(a+1, y) = Q(a, y) + y^a e^-y / Gamma(a+1)` only adds, so nothing cancels in either
/// tail. The sum starts ten standard deviations below its largest term (a relative error under 1e-20).
pub fn noncentral_chi_square_sf(x: f64, df: f64, lambda: f64) -> f64 {
    if x <= 0.0 || df <= 0.0 {
        return 1.0;
    }
    if lambda <= 0.0 {
        return chi_square_sf(x, df);
    }
    if x.is_infinite() {
        return 0.0;
    }
    let (mean, half, y) = (lambda / 2.0, df / 2.0, x / 2.0);
    let largest = largest_term(mean, half, y);
    let first = (largest - 10.0 * (largest + 1.0).sqrt() - 30.0).max(0.0).floor();

    // terms, and what the next tail gains, each times its weight: only the products stay within the range of an f64
    let ln_first = ln_poisson(first, mean) + ln_gamma_tail(half + first, y);
    let (mut term, mut j, mut sum) = (1.0, first, 0.0);
    let mut gain = (ln_poisson(first, mean) + ln_poisson(half + first, y) - ln_first).exp();
    loop {
        sum += term;
        if j > largest && term <= sum * 1e-17 {
            break;
        }
        j += 1.0;
        term = (term + gain) * (mean / j);
        gain *= mean / j * (y / (half + j));
    }
    (ln_first + sum.ln()).exp().clamp(0.0, 1.0)
}

/// The index of the largest term: where Poisson weights fall as fast as central tails rise.
fn largest_term(mean: f64, half: f64, y: f64) -> f64 {
    if half + mean >= y {
        return mean; // the tails are near 1 from here on
    }
    // the root of (j + 1)(half + j) = mean y
    let b = half + 1.0;
    (0.5 * ((b * b + 4.0 * (mean * y - half)).max(0.0).sqrt() - b)).max(0.0)
}

/// `ln Q(a, y)`, the regularised upper incomplete gamma function, also where Q itself underflows.
fn ln_gamma_tail(a: f64, y: f64) -> f64 {
    if y <= a + 1.0 {
        return gamma_ur(a, y).ln();
    }
    // Legendre's continued fraction by Lentz's method: Q = y^a e^-y / Gamma(a) * fraction
    let mut b = y + 1.0 - a;
    let (mut c, mut d) = (f64::MAX, 1.0 / b);
    let mut fraction = d;
    for i in 1..1_000_000 {
        let i = f64::from(i);
        let numerator = -i * (i - a);
        b += 2.0;
        d = 1.0 / (numerator * d + b);
        c = b + numerator / c;
        let factor = c * d;
        fraction *= factor;
        if (factor - 1.0).abs() < 1e-16 {
            break;
        }
    }
    // y^a e^-y / Gamma(a) = a * (y^a e^-y / Gamma(a + 1))
    ln_poisson(a, y) + a.ln() + fraction.ln()
}

/// `P(W2 > x)` of the limit law of Cramer-von Mises' statistic, to 1e-12 relative in the upper tail.
///
/// Smirnov's formula (1936): `1/pi sum_k (-1)^(k-1) int sqrt(-t / sin t) e^(-x t^2 / 2) 2 dt / t` over t from (2k-1)pi
/// to 2k pi. The ends are inverse square roots, so Gauss-Chebyshev nodes converge geometrically.
/// scipy sums a series for 1 - P that it cuts at 1e-7, which is all the precision its tail has.
pub fn cramer_von_mises_sf(x: f64) -> f64 {
    /// Nodes on one interval; 48 already leave 1e-15.
    const NODES: u32 = 64;
    if x <= 0.008 {
        return 1.0; // P(W2 < 0.008) < 1e-6
    }
    let mut sum = 0.0;
    for k in 1..200 {
        let low = (2.0 * f64::from(k) - 1.0) * PI;
        let integral: f64 = (0..NODES)
            .map(|i| {
                let u = 0.5 * (1.0 + ((f64::from(i) + 0.5) * PI / f64::from(NODES)).cos());
                let t = low + PI * u;
                // -sin t = sin(pi u); the weight of the rule takes sqrt(u (1 - u)) out of the ends
                (t * u * (1.0 - u) / (PI * u).sin()).sqrt() * (-x * t * t / 2.0).exp() * 2.0 / t
            })
            .sum();
        let term = integral * PI / f64::from(NODES); // times pi of the interval, over pi of the formula
        sum += if k % 2 == 1 { term } else { -term };
        if term.abs() <= sum.abs() * 1e-16 {
            break;
        }
    }
    sum.clamp(0.0, 1.0)
}

/// The `x` in `low..=high` at which a falling function reaches `target`, by bisection to 1e-13 of itself.
pub(crate) fn falling_to(target: f64, mut low: f64, mut high: f64, function: impl Fn(f64) -> f64) -> f64 {
    while high - low > 1e-13 * high {
        let middle = 0.5 * (low + high);
        if function(middle) > target {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}
