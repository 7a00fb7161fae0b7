//! The tail of a sum of chi-squares weighted by the eigenvalues of a matrix: the null law of squared distances of means.
//!
//! Matching moments is off by a factor of two at p = 1e-5 and of nine at 1e-10, always towards alarms. A saddle point
//! keeps its relative error in every tail: p is at most 14 % too large, for one weight at 1e-100. In Householder's
//! tridiagonal form its cumulants cost one pass.

use crate::distribution;

/// `P(sum l_i chi-square_1 > x)` for the eigenvalues l of a symmetric positive matrix, given row by row.
///
/// Lugannani and Rice's formula (1980) with `K(s) = -1/2 ln det(I - 2 s A)`; around the mean, where it is singular, the
/// first three moments (Liu, Tang and Zhang 2009). 1 for a matrix of zeros.
pub(crate) fn weighted_chi_square_sf(x: f64, mut matrix: Vec<f64>, size: usize) -> f64 {
    let mean: f64 = (0..size).map(|i| matrix[i * size + i]).sum();
    let second: f64 = matrix.iter().map(|cell| cell * cell).sum();
    if mean <= 0.0 || second <= 0.0 {
        return 1.0;
    }
    let deviate = (x - mean) / (2.0 * second).sqrt();
    if deviate < 1.0 {
        let skewness = third(&matrix, size) / second.powf(1.5);
        let df = 1.0 / (skewness * skewness);
        return distribution::chi_square_sf(deviate * (2.0 * df).sqrt() + df, df);
    }
    Tridiagonal::of(&mut matrix, size).tail(x, mean / (2.0 * second))
}

/// The trace of the third power.
fn third(matrix: &[f64], size: usize) -> f64 {
    let row = |i: usize| &matrix[i * size..(i + 1) * size];
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    (0..size).map(|i| (0..size).map(|j| row(i)[j] * dot(row(i), row(j))).sum::<f64>()).sum()
}

/// A symmetric matrix of three diagonals with the eigenvalues of the one it was made of.
struct Tridiagonal {
    diagonal: Vec<f64>,
    /// Squares of what stands beside the diagonal.
    beside: Vec<f64>,
}

/// `ln det(I - 2 s A)` and its first two derivatives in s.
struct LogDeterminant {
    value: f64,
    first: f64,
    second: f64,
}

impl Tridiagonal {
    /// Householder's reflections, which turn the matrix into its tridiagonal form in place.
    fn of(matrix: &mut [f64], size: usize) -> Self {
        let mut beside = Vec::with_capacity(size);
        for k in 1..size {
            // the part of column k - 1 below its diagonal is reflected onto its first place
            let mut v: Vec<f64> = (k..size).map(|i| matrix[i * size + k - 1]).collect();
            let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
            beside.push(length * length);
            v[0] += length.copysign(v[0]);
            let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
            if norm == 0.0 {
                continue;
            }
            v.iter_mut().for_each(|x| *x /= norm);
            // B - v q' - q v' with q = 2 B v - 2 (v' B v) v
            let product: Vec<f64> = (k..size)
                .map(|i| v.iter().zip(&matrix[i * size + k..(i + 1) * size]).map(|(x, cell)| x * cell).sum())
                .collect();
            let inner: f64 = v.iter().zip(&product).map(|(x, y)| x * y).sum();
            let q: Vec<f64> = v.iter().zip(&product).map(|(x, y)| 2.0 * (y - inner * x)).collect();
            for i in k..size {
                for j in k..size {
                    matrix[i * size + j] -= v[i - k] * q[j - k] + q[i - k] * v[j - k];
                }
            }
        }
        Self { diagonal: (0..size).map(|i| matrix[i * size + i]).collect(), beside }
    }

    /// By the pivots of elimination; `None` where one is not positive: s is beyond `1 / (2 largest eigenvalue)`.
    fn ln_determinant(&self, s: f64) -> Option<LogDeterminant> {
        let mut sum = LogDeterminant { value: 0.0, first: 0.0, second: 0.0 };
        // the last pivot and its derivatives, over which the next one divides
        let (mut pivot, mut slope, mut bend) = (1.0, 0.0, 0.0);
        for (i, a) in self.diagonal.iter().enumerate() {
            let b = if i == 0 { 0.0 } else { 4.0 * self.beside[i - 1] };
            // b s^2 / pivot by the rules of quotients
            let (top, top_slope, top_bend) = (b * s * s, 2.0 * b * s, 2.0 * b);
            let ratio = top / pivot;
            let ratio_slope = (top_slope - ratio * slope) / pivot;
            let ratio_bend = (top_bend - 2.0 * ratio_slope * slope - ratio * bend) / pivot;
            (pivot, slope, bend) = (1.0 - 2.0 * s * a - ratio, -2.0 * a - ratio_slope, -ratio_bend);
            if pivot <= 0.0 {
                return None;
            }
            sum.value += pivot.ln();
            sum.first += slope / pivot;
            sum.second += bend / pivot - (slope / pivot) * (slope / pivot);
        }
        Some(sum)
    }

    /// Lugannani and Rice at the s with `K'(s) = x`, which lies between 0 and `s_max`.
    fn tail(&self, x: f64, s_max: f64) -> f64 {
        let too_small = |s: f64| match self.ln_determinant(s) {
            Some(determinant) if -0.5 * determinant.first < x => 1.0,
            _ => 0.0,
        };
        let s = distribution::falling_to(0.5, 0.0, s_max, too_small);
        // bisection ends on either side of the root; a hair below it the determinant exists
        let Some(determinant) = self.ln_determinant(s * (1.0 - 1e-12)) else { return 0.0 };
        let r = (2.0 * (s * x + 0.5 * determinant.value)).max(0.0).sqrt();
        let u = s * (-0.5 * determinant.second).max(0.0).sqrt();
        let density = (-r * r / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        (distribution::normal_sf(r) + density * (1.0 / u - 1.0 / r)).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix with these eigenvalues that is far from diagonal: reflected by `I - 2 v v'` with v all alike.
    fn reflected(eigenvalues: &[f64]) -> Vec<f64> {
        let size = eigenvalues.len();
        let reflection = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 / size as f64;
        let cell = |i: usize, j: usize| (0..size).map(|k| reflection(i, k) * eigenvalues[k] * reflection(k, j)).sum();
        (0..size * size).map(|place| cell(place / size, place % size)).collect()
    }

    #[test]
    fn equal_weights_are_a_chi_square() {
        for df in [1u32, 3, 10, 64] {
            let eigenvalues = vec![2.0; df as usize];
            for p in [0.9, 0.5, 0.1, 1e-2, 1e-5, 1e-12, 1e-100] {
                let x = distribution::chi_square_isf(p, f64::from(df));
                let ours = weighted_chi_square_sf(2.0 * x, reflected(&eigenvalues), eigenvalues.len());
                assert!((ours / p - 1.0).abs() < 0.14, "{df} {p:e}: {ours:e}");
            }
        }
    }

    /// Against the exact law of `a chi-square_2 + b chi-square_2`, a sum of two exponentials.
    #[test]
    fn unequal_weights_keep_their_tail() {
        let (a, b) = (3.0f64, 1.0f64);
        for x in [5.0f64, 15.0, 30.0, 60.0, 150.0, 1000.0] {
            let exact = (a * (-x / (2.0 * a)).exp() - b * (-x / (2.0 * b)).exp()) / (a - b);
            let ours = weighted_chi_square_sf(x, reflected(&[a, b, a, b]), 4);
            assert!((ours / exact - 1.0).abs() < 0.07, "{x}: {ours:e} {exact:e}");
        }
    }

    #[test]
    fn nothing_varies_in_a_matrix_of_zeros() {
        assert_eq!(weighted_chi_square_sf(1.0, vec![0.0; 9], 3), 1.0);
        let ours = weighted_chi_square_sf(6.0, reflected(&[1.0, 0.0, 0.0]), 3);
        assert!((ours / distribution::chi_square_sf(6.0, 1.0) - 1.0).abs() < 0.04, "{ours}");
    }
}
