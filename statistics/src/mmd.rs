//! Maximum mean discrepancy of embeddings, from sums of random Fourier features.
//!
//! With features z(x) the squared distance of the two feature means estimates the MMD of the kernel that the features
//! stand for. Sums and second moments merge exactly and no vector is kept. The null law counts the variance of both
//! samples: taking the reference for the truth gave 37 % false alarms at 5 %.

use crate::sample::design_effect as checked;
use crate::{Method, Outcome, Undefined, distribution};

/// The features of a sample, added up.
#[derive(Clone, Copy, Debug)]
pub struct Moments<'a> {
    pub records: u64,
    /// `sum z`, one a feature.
    pub sums: &'a [f64],
    /// `sum z_i z_j` for i <= j: the upper triangle row by row, `D (D + 1) / 2` numbers.
    pub products: &'a [f64],
}

/// The p-value of "both samples have the same mean features".
///
/// The squared distance of means is a sum of chi-squares weighted by the eigenvalues of the covariance; its tail is a
/// noncentral chi-square with the same first four cumulants (Liu, Tang and Zhang 2009), which are traces of powers of
/// the pooled covariance: `D^3` multiplications. The statistic is the squared distance less what chance gives on
/// average. Samples together should hold ten times as many records as features.
///
/// # Errors
/// Features that do not match, or a sample of fewer than two records; a design effect below 1.
pub fn test(reference: Moments<'_>, current: Moments<'_>, design_effect: f64) -> Result<Outcome, Undefined> {
    let effect = checked(design_effect)?;
    let features = reference.sums.len();
    for (left, right) in [
        (features, current.sums.len()),
        (features * (features + 1) / 2, reference.products.len()),
        (features * (features + 1) / 2, current.products.len()),
    ] {
        if left != right {
            return Err(Undefined::BinsDiffer { reference: left, current: right });
        }
    }
    if reference.records < 2 {
        return Err(Undefined::EmptyReference);
    }
    if current.records < 2 {
        return Err(Undefined::EmptyCurrent);
    }
    let (n, m) = (reference.records as f64, current.records as f64);
    let squared: f64 =
        reference.sums.iter().zip(current.sums).map(|(old, new)| (old / n - new / m) * (old / n - new / m)).sum();
    let traces = traces(&covariance(reference, current), features);
    let scale = (1.0 / n + 1.0 / m) * effect;
    let statistic = squared - traces[0] * scale;
    let p_value = if traces[1] > 0.0 { weighted_chi_square_sf(squared / scale, traces) } else { 1.0 };
    Ok(Outcome { statistic, p_value, method: Method::Asymptotic, df: None })
}

/// The pooled covariance within the samples, a full square.
fn covariance(reference: Moments<'_>, current: Moments<'_>) -> Vec<f64> {
    let features = reference.sums.len();
    let (n, m) = (reference.records as f64, current.records as f64);
    let mut square = vec![0.0; features * features];
    let mut packed = 0;
    for i in 0..features {
        for j in i..features {
            let old = reference.products[packed] - reference.sums[i] * reference.sums[j] / n;
            let new = current.products[packed] - current.sums[i] * current.sums[j] / m;
            square[i * features + j] = (old + new) / (n + m - 2.0);
            square[j * features + i] = square[i * features + j];
            packed += 1;
        }
    }
    square
}

/// Traces of the first four powers of a symmetric matrix.
fn traces(matrix: &[f64], size: usize) -> [f64; 4] {
    let mut square = vec![0.0; size * size];
    for i in 0..size {
        for k in 0..size {
            let factor = matrix[i * size + k];
            for j in 0..size {
                square[i * size + j] += factor * matrix[k * size + j];
            }
        }
    }
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let diagonal = (0..size).map(|i| matrix[i * size + i]).sum();
    [diagonal, dot(matrix, matrix), dot(matrix, &square), dot(&square, &square)]
}

/// `P(sum l_i chi-square_1 > x)` given the sums of the first four powers of l.
fn weighted_chi_square_sf(x: f64, traces: [f64; 4]) -> f64 {
    let [first, second, third, fourth] = traces;
    let skewness = third / second.powf(1.5);
    let kurtosis = fourth / (second * second);
    let (scale, df, lambda) = if skewness * skewness > kurtosis {
        let scale = 1.0 / (skewness - (skewness * skewness - kurtosis).sqrt());
        let lambda = skewness * scale.powi(3) - scale * scale;
        (scale, scale * scale - 2.0 * lambda, lambda)
    } else {
        (1.0 / skewness, 1.0 / (skewness * skewness), 0.0)
    };
    let standardised = (x - first) / (2.0 * second).sqrt();
    let matched = standardised * std::f64::consts::SQRT_2 * scale + df + lambda;
    distribution::noncentral_chi_square_sf(matched, df, lambda)
}
