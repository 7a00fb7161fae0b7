//! The laws of Kolmogorov's distance: for a sample of n against a known law, and their limit.
//!
//! Regions and formulas follow Simard and L'Ecuyer, "Computing the two-sided Kolmogorov-Smirnov distribution" (2011), as
//! scipy's `kstwo` does; Durbin's matrix (Marsaglia, Tsang, Wang 2003) also stands in for Pomeranz' recursion.

use std::f64::consts::PI;

use crate::density::{ln_binomial, stirling_error};

/// `P(sqrt(n) D > x)` in the limit of large n: `2 sum (-1)^(k-1) e^(-2 k^2 x^2)`; `scipy.stats.kstwobign.sf`.
pub fn kolmogorov_sf(x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x < 1.0 {
        // the other series of the same function, which converges where the first does not
        let terms = (1..20).map(|k| (-f64::from((2 * k - 1) * (2 * k - 1)) * PI * PI / (8.0 * x * x)).exp());
        return (1.0 - (2.0 * PI).sqrt() / x * terms.sum::<f64>()).clamp(0.0, 1.0);
    }
    let terms = (1..20).map(|k| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * (-2.0 * f64::from(k * k) * x * x).exp()
    });
    terms.sum::<f64>().clamp(0.0, 1.0)
}

/// `P(D > distance)` for a sample of `n` whole records against a known continuous law; `scipy.stats.kstwo.sf`.
pub fn kstwo_sf(distance: f64, n: f64) -> f64 {
    let n = n.round().max(1.0);
    let t = n * distance;
    if distance >= 1.0 {
        return 0.0;
    }
    if t <= 0.5 {
        return 1.0;
    }
    if t <= 1.0 {
        // Ruben and Gambino: n! / n^n (2 t - 1)^n
        let ln_cdf = stirling_error(n) + 0.5 * (2.0 * PI * n).ln() - n + n * (2.0 * t - 1.0).ln();
        return (1.0 - ln_cdf.exp()).clamp(0.0, 1.0);
    }
    let squared = t * distance;
    // from here on both sides of the band are not left together: P(D+ or D-) = 2 P(D+) to 2e-6 relative and better
    let one_sided = if n <= 140.0 { 4.0 } else { 2.2 };
    if t >= n - 1.0 || distance >= 0.5 || squared >= one_sided {
        return (2.0 * smirnov_sf(distance, n)).min(1.0);
    }
    let cdf = if n <= 140.0 || (n <= 5000.0 && t * distance.sqrt() <= 1.4) {
        durbin_cdf(distance, n)
    } else {
        pelz_good_cdf(distance, n)
    };
    (1.0 - cdf).clamp(0.0, 1.0)
}

/// `P(D+ > distance)`, one-sided: Birnbaum and Tingey's sum, all of whose terms are positive.
///
/// `d sum_j C(n, j) (d + j/n)^(j-1) (1 - d - j/n)^(n-j)`. Beyond [`TERMS_MAX`] terms the inner ones, which are smooth in
/// j, are integrated instead of added.
fn smirnov_sf(distance: f64, n: f64) -> f64 {
    /// Terms that are added one by one from either end, where the summand is least smooth.
    const ENDS: f64 = 200.0;
    /// Beyond this many terms integration is the cheaper way.
    const TERMS_MAX: f64 = 2000.0;

    let last = (n * (1.0 - distance)).floor();
    let term = |j: f64| {
        let p = distance + j / n;
        let q = 1.0 - p;
        if q <= 0.0 { 0.0 } else { (ln_binomial(j, n, p, q) - p.ln()).exp() }
    };
    let add = |from: f64, to: f64| {
        let (mut sum, mut j) = (0.0, from);
        while j <= to {
            sum += term(j);
            j += 1.0;
        }
        sum
    };
    let sum = if last <= TERMS_MAX {
        add(0.0, last)
    } else {
        let (low, high) = (ENDS - 0.5, last - ENDS + 0.5);
        add(0.0, ENDS - 1.0) + midpoint_sum(low, high, term) + add(last - ENDS + 1.0, last)
    };
    (distance * sum).clamp(0.0, 1.0)
}

/// The sum of a smooth function at the whole numbers between two half-whole ends: Euler and Maclaurin's midpoint rule,
/// its integral by Gauss-Legendre on panels that double in length from both ends.
fn midpoint_sum(low: f64, high: f64, function: impl Fn(f64) -> f64) -> f64 {
    let middle = 0.5 * (low + high);
    let mut edges = Vec::new();
    let mut reach = low;
    while reach < middle {
        edges.push(reach);
        reach = low + (reach - low).max(32.0) * 2.0;
    }
    let mirrored: Vec<f64> = edges.iter().rev().map(|edge| low + high - edge).collect();
    edges.push(middle);
    edges.extend(mirrored);
    let integral: f64 = edges.windows(2).map(|panel| gauss_legendre(panel[0], panel[1], &function)).sum();
    let slope = |x: f64| 0.5 * (function(x + 1.0) - function(x - 1.0));
    integral - (slope(high) - slope(low)) / 24.0
}

/// Abscissas and weights of the 16-point rule on -1..1; each stands for its mirror image too.
const LEGENDRE: [(f64, f64); 8] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
    (0.458_016_777_657_227_37, 0.169_156_519_395_002_54),
    (0.617_876_244_402_643_7, 0.149_595_988_816_576_73),
    (0.755_404_408_355_003, 0.124_628_971_255_533_87),
    (0.865_631_202_387_831_7, 0.095_158_511_682_492_78),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_89),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_095),
];

fn gauss_legendre(low: f64, high: f64, function: impl Fn(f64) -> f64) -> f64 {
    let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
    let pair = |&(x, weight): &(f64, f64)| weight * (function(middle - half * x) + function(middle + half * x));
    half * LEGENDRE.iter().map(pair).sum::<f64>()
}

/// `P(D <= distance)` by Durbin's matrix to the power n: exact, and costly as `(n distance)^3 log n`.
fn durbin_cdf(distance: f64, n: f64) -> f64 {
    let matrix = Durbin::new(n * distance);
    let mut power = Scaled { cells: matrix.cells, size: matrix.size, exponent: 0 };
    let mut result: Option<Scaled> = None;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "n is a whole number up to 5000")]
    let mut bits = n as u32;
    while bits > 0 {
        if bits & 1 == 1 {
            result = Some(result.map_or_else(|| power.clone(), |result| result.times(&power)));
        }
        bits >>= 1;
        if bits > 0 {
            power = power.times(&power);
        }
    }
    let Some(result) = result else { return 0.0 };
    let centre = result.cells[matrix.middle * matrix.size + matrix.middle];
    // n! / n^n through Stirling's formula
    let ln_factor = stirling_error(n) + 0.5 * (2.0 * PI * n).ln() - n;
    (centre.ln() + f64::from(result.exponent) * std::f64::consts::LN_2 + ln_factor).exp().clamp(0.0, 1.0)
}

/// Durbin's transition matrix for the band of half width `t / n`, with `t = k - h`, `k` whole, `0 <= h < 1`.
struct Durbin {
    cells: Vec<f64>,
    size: usize,
    middle: usize,
}

impl Durbin {
    fn new(t: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "t is below 200 where this is used"
        )]
        let k = t.ceil() as usize;
        let (h, size) = (k as f64 - t, 2 * k - 1);
        let mut cells = vec![0.0; size * size];
        let inverse_factorial: Vec<f64> = (0..=size)
            .scan(1.0, |factor, i| {
                *factor /= if i == 0 { 1.0 } else { i as f64 };
                Some(*factor)
            })
            .collect();
        for row in 0..size {
            for column in 0..size.min(row + 2) {
                let mut cell = 1.0;
                let order = row + 1 - column;
                if column == 0 {
                    cell -= h.powi(i32::try_from(row + 1).unwrap_or(i32::MAX));
                }
                if row == size - 1 {
                    cell -= h.powi(i32::try_from(size - column).unwrap_or(i32::MAX));
                    if column == 0 {
                        cell += (2.0 * h - 1.0).max(0.0).powi(i32::try_from(size).unwrap_or(i32::MAX));
                    }
                }
                cells[row * size + column] = cell * inverse_factorial[order];
            }
        }
        Self { cells, size, middle: k - 1 }
    }
}

/// A square matrix times `2^exponent`.
#[derive(Clone)]
struct Scaled {
    cells: Vec<f64>,
    size: usize,
    exponent: i32,
}

impl Scaled {
    fn times(&self, other: &Self) -> Self {
        let size = self.size;
        let mut cells = vec![0.0; size * size];
        for row in 0..size {
            for inner in 0..size {
                let factor = self.cells[row * size + inner];
                for column in 0..size {
                    cells[row * size + column] += factor * other.cells[inner * size + column];
                }
            }
        }
        let mut exponent = self.exponent + other.exponent;
        if cells.iter().any(|&cell| cell > f64::from(1u32 << 30).powi(10)) {
            cells.iter_mut().for_each(|cell| *cell /= f64::from(1u32 << 30).powi(10));
            exponent += 300;
        }
        Self { cells, size, exponent }
    }
}

/// `P(D <= distance)` by Pelz and Good's expansion in `1 / sqrt(n)` (1976), to 1e-7 from n = 140 on and better above.
fn pelz_good_cdf(distance: f64, n: f64) -> f64 {
    let z = n.sqrt() * distance;
    let z2 = z * z;
    let (z4, z6) = (z2 * z2, z2 * z2 * z2);
    let pi2 = PI * PI;
    let (mut k0, mut k1, mut k2, mut k3) = (0.0, 0.0, 0.0, 0.0);
    for i in 0..40 {
        let half = (f64::from(i) + 0.5) * (f64::from(i) + 0.5) * pi2; // pi^2 (k + 1/2)^2
        let weight = 2.0 * (-half / (2.0 * z2)).exp(); // k and -k - 1
        k0 += weight;
        k1 += weight * (half - z2);
        k2 += weight * (6.0 * z6 + 2.0 * z4 + half * (2.0 * z4 - 5.0 * z2) + half * half * (1.0 - 2.0 * z2));
        k3 += weight
            * (half * half * half * (5.0 - 30.0 * z2)
                + half * half * (-60.0 * z2 + 212.0 * z4)
                + half * (135.0 * z4 - 96.0 * z6)
                - (30.0 * z6 + 90.0 * z4 * z4));
    }
    let root = (PI / 2.0).sqrt();
    let z3 = z2 * z;
    k0 *= root / z;
    k1 *= root / (6.0 * z4);
    k2 *= root / (72.0 * z6 * z);
    k3 *= root / (6480.0 * z6 * z4);
    for i in 1..40 {
        let whole = f64::from(i) * f64::from(i) * pi2;
        let weight = 2.0 * (-whole / (2.0 * z2)).exp();
        k2 -= root / (36.0 * z3) * weight * whole;
        k3 += root / (216.0 * z6) * weight * (3.0 * whole * z2 - whole * whole);
    }
    let root_n = n.sqrt();
    k0 + k1 / root_n + k2 / n + k3 / (n * root_n)
}
