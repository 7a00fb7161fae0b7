//! False alarms of the embedding test where nothing changed: random Fourier features of vectors from one normal law.

use std::f64::consts::{PI, TAU};

use fastrand::Rng;
use statistics::mmd::{self, Moments};

/// Numbers in a vector, features of it.
const VECTOR: usize = 8;
const FEATURES: usize = 32;

/// The width of the kernel: about the median distance of two such vectors.
const WIDTH: f64 = 4.0;

/// A projection that all samples share.
pub struct Projection {
    directions: Vec<[f64; VECTOR]>,
    phases: Vec<f64>,
}

impl Projection {
    pub fn new(rng: &mut Rng) -> Self {
        let directions = (0..FEATURES).map(|_| std::array::from_fn(|_| normal(rng) / WIDTH)).collect();
        Self { directions, phases: (0..FEATURES).map(|_| TAU * rng.f64()).collect() }
    }

    fn features(&self, vector: &[f64; VECTOR]) -> [f64; FEATURES] {
        std::array::from_fn(|i| {
            let angle: f64 = self.directions[i].iter().zip(vector).map(|(w, x)| w * x).sum();
            (angle + self.phases[i]).cos() * (2.0 / FEATURES as f64).sqrt()
        })
    }

    /// Whether a reference and a window of these sizes differ at 5 %.
    pub fn alarms(&self, reference: u64, window: u64, rng: &mut Rng) -> bool {
        let ((old, old_products), (new, new_products)) = (self.sample(reference, rng), self.sample(window, rng));
        let old = Moments { records: reference, sums: &old, products: &old_products };
        let new = Moments { records: window, sums: &new, products: &new_products };
        mmd::test(old, new, 1.0).is_ok_and(|outcome| outcome.p_value <= 0.05)
    }

    /// Sums of features and of their products, the upper triangle row by row.
    fn sample(&self, records: u64, rng: &mut Rng) -> (Vec<f64>, Vec<f64>) {
        let (mut sums, mut products) = (vec![0.0; FEATURES], vec![0.0; FEATURES * (FEATURES + 1) / 2]);
        for _ in 0..records {
            let features = self.features(&std::array::from_fn(|_| normal(rng)));
            let mut cells = products.iter_mut();
            for (i, feature) in features.iter().enumerate() {
                sums[i] += feature;
                features[i..].iter().zip(cells.by_ref()).for_each(|(other, cell)| *cell += feature * other);
            }
        }
        (sums, products)
    }
}

/// Box and Muller's normal number.
fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (2.0 * PI * rng.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_products_are_those_of_the_features() {
        let projection = Projection::new(&mut Rng::with_seed(1));
        let (sums, products) = projection.sample(1, &mut Rng::with_seed(2));
        let mut packed = products.iter();
        for i in 0..FEATURES {
            for j in i..FEATURES {
                assert_eq!(packed.next(), Some(&(sums[i] * sums[j])));
            }
        }
        assert_eq!(packed.next(), None);
    }
}
