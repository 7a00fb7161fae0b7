//! Maximum mean discrepancy of embeddings, from sums of random Fourier features.
//!
//! With features z(x) the squared distance of the two feature means estimates the MMD of the kernel that the features
//! stand for. Sums and second moments merge exactly and no vector is kept. The null law counts the variance of both
//! samples: taking the reference for the truth gave 37 % false alarms at 5 %.

use crate::quadratic::weighted_chi_square_sf;
use crate::sample::design_effect as checked;
use crate::{Method, Outcome, Undefined};

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
/// The squared distance of means is a sum of chi-squares weighted by the eigenvalues of the covariance, pooled within
/// the samples; p is right to 14 % of itself in every tail and costs `D^3` multiplications. The statistic is the squared distance
/// less what chance gives on average. Samples together should hold ten times as many records as features.
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
    let covariance = covariance(reference, current);
    let trace: f64 = (0..features).map(|i| covariance[i * features + i]).sum();
    let scale = (1.0 / n + 1.0 / m) * effect;
    let statistic = squared - trace * scale;
    let p_value = weighted_chi_square_sf(squared / scale, covariance, features);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Generator;

    /// Features of one law, drawn 600 times: their p-values are uniform to what 600 draws can show.
    #[test]
    fn samples_of_one_law_alarm_as_often_as_they_should() {
        const FEATURES: usize = 6;
        let mut generator = Generator::seeded([1].into_iter());
        let mut sample = |records: u64| {
            let (mut sums, mut products) = (vec![0.0; FEATURES], vec![0.0; FEATURES * (FEATURES + 1) / 2]);
            for _ in 0..records {
                let common = generator.hypergeometric(50, 100, 50) as f64 - 25.0;
                let record: Vec<f64> = (0..FEATURES)
                    .map(|i| common * i as f64 / 6.0 + generator.hypergeometric(20, 100, 30) as f64)
                    .collect();
                let mut packed = 0;
                for i in 0..FEATURES {
                    sums[i] += record[i];
                    for j in i..FEATURES {
                        products[packed] += record[i] * record[j];
                        packed += 1;
                    }
                }
            }
            (sums, products)
        };
        let mut alarms = 0;
        for _ in 0..600 {
            let ((old_sums, old_products), (new_sums, new_products)) = (sample(300), sample(60));
            let reference = Moments { records: 300, sums: &old_sums, products: &old_products };
            let current = Moments { records: 60, sums: &new_sums, products: &new_products };
            alarms += u32::from(test(reference, current, 1.0).expect("an outcome").p_value < 0.05);
        }
        // 30 are expected, with a standard deviation of 5.3
        assert!((12..=50).contains(&alarms), "{alarms} of 600");
    }

    #[test]
    fn features_that_do_not_match_are_refused() {
        let one = Moments { records: 5, sums: &[1.0], products: &[2.0] };
        assert_eq!(test(one, one, 1.0).expect("an outcome").p_value, 1.0);
        assert!(test(one, Moments { sums: &[1.0, 2.0], ..one }, 1.0).is_err());
        assert!(test(one, Moments { records: 1, ..one }, 1.0).is_err());
        assert!(test(Moments { products: &[], ..one }, one, 1.0).is_err());
    }
}
