//! Random Fourier features of an embedding (Rahimi and Recht 2007): their mean tells two sets of embeddings apart.
//!
//! For frequencies w drawn from N(0, 1 / bandwidth^2), cos(w x) and sin(w x) have the Gaussian kernel
//! exp(-|x - y|^2 / (2 bandwidth^2)) as expected product; the distance of two means is then the maximum mean discrepancy.
//! Frequencies follow from the seed alone. Features are rounded to whole numbers before they are summed; on one kind of
//! machine the same event gives the same ones.

use std::f64::consts::TAU;

use serde::Deserialize;

use crate::counts::{FEATURE_UNIT, Features, finish, hash};

/// Distances that the median heuristic looks at.
const PAIRS_MAX: usize = 100_000;

/// `[observe.embedding]`, as written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingSettings {
    /// Where a labelled event carries its embedding, an array of numbers.
    pub pointer: String,
    /// Numbers in it; embeddings of another size are not counted.
    pub dimensions: usize,
    /// Random frequencies; each gives two features. More find smaller changes and cost more per event.
    pub frequencies: usize,
    /// Width of the kernel, in the embedding's unit of distance; calibration proposes the median distance.
    pub bandwidth: f64,
    /// Embeddings can be compared only under one seed.
    pub seed: u64,
}

/// A fixed set of frequencies.
#[derive(Clone, Debug)]
pub(super) struct Projection {
    name: u64,
    /// `[dimensions, frequencies]`, row-major: one number of the embedding meets all frequencies in a row.
    weights: Vec<f32>,
    dimensions: usize,
    frequencies: usize,
}

impl Projection {
    pub(super) fn new(settings: &EmbeddingSettings) -> Self {
        let EmbeddingSettings { dimensions, frequencies, bandwidth, seed, .. } = *settings;
        let parts = [dimensions as u64, frequencies as u64, bandwidth.to_bits(), seed];
        let name = hash(parts.map(u64::to_le_bytes).as_flattened());
        let draw = |place: usize| normal(seed, place as u64) / bandwidth;
        #[expect(clippy::cast_possible_truncation, reason = "a weight needs no more than an f32's precision")]
        let weights = (0..dimensions * frequencies).map(|place| draw(place) as f32).collect();
        Self { name, weights, dimensions, frequencies }
    }

    /// The cosines, then the sines; `None` for an embedding of another size.
    pub(super) fn features(&self, embedding: &[f32]) -> Option<Features> {
        if embedding.len() != self.dimensions {
            return None;
        }
        let mut phases = vec![0.0_f32; self.frequencies];
        for (number, row) in embedding.iter().zip(self.weights.chunks_exact(self.frequencies)) {
            for (phase, weight) in phases.iter_mut().zip(row) {
                *phase += number * weight;
            }
        }
        let fixed = |feature: f32| {
            #[expect(clippy::cast_possible_truncation, reason = "a cosine is at most 1")]
            let units = (f64::from(feature) * FEATURE_UNIT).round() as i16;
            units
        };
        let cosines = phases.iter().map(|phase| fixed(phase.cos()));
        let values = cosines.chain(phases.iter().map(|phase| fixed(phase.sin()))).collect();
        Some(Features { projection: self.name, values })
    }
}

/// A normal variate by Box and Muller 1958, from two hashes of its place.
fn normal(seed: u64, place: u64) -> f64 {
    let uniform = |salt: u64| {
        let bits = finish(finish(seed ^ salt).wrapping_add(place.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        // the middle of one of 2^53 equal parts of 0..1: neither end is ever drawn
        ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    };
    (-2.0 * uniform(0x6a09_e667).ln()).sqrt() * (TAU * uniform(0xbb67_ae85)).cos()
}

/// The median distance between embeddings of one size: the usual width of the kernel (Gretton et al. 2012). `None` for
/// fewer than two, and where most are equal. Of many embeddings the first few hundred are compared.
pub fn bandwidth(embeddings: &[Vec<f32>]) -> Option<f64> {
    let mut squares = Vec::new();
    'pairs: for (place, one) in embeddings.iter().enumerate() {
        for other in &embeddings[..place] {
            if squares.len() == PAIRS_MAX {
                break 'pairs;
            }
            let square = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)).powi(2);
            squares.push(one.iter().zip(other).map(square).sum::<f64>());
        }
    }
    squares.sort_unstable_by(f64::total_cmp);
    squares.get(squares.len() / 2).map(|median| median.sqrt()).filter(|median| *median > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(frequencies: usize, bandwidth: f64) -> EmbeddingSettings {
        EmbeddingSettings { pointer: "/embedding".to_owned(), dimensions: 3, frequencies, bandwidth, seed: 7 }
    }

    /// Worked example: |x - y| = 1 at bandwidth 1 gives exp(-1/2) = 0.607.
    #[test]
    fn products_of_features_approach_the_gaussian_kernel() {
        let projection = Projection::new(&settings(512, 1.0));
        let features = |embedding: &[f32]| projection.features(embedding).expect("three numbers").values;
        for (x, y) in [
            ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
            ([0.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
            ([0.3, -1.0, 0.5], [0.3, 1.0, 0.0]),
        ] {
            let product: f64 = features(&x).iter().zip(&features(&y)).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let square: f32 = x.iter().zip(&y).map(|(a, b): (&f32, &f32)| (a - b).powi(2)).sum();
            let (kernel, expected) = (product / FEATURE_UNIT.powi(2) / 512.0, (-f64::from(square) / 2.0).exp());
            // standard error at most 1 / sqrt(2 * 512) = 0.03
            assert!((kernel - expected).abs() < 0.1, "{x:?} {y:?}: {kernel} for {expected}");
        }
    }

    #[test]
    fn a_projection_is_named_by_all_that_it_depends_on() {
        let name = |settings| Projection::new(&settings).name;
        assert_eq!(name(settings(8, 1.0)), name(settings(8, 1.0)));
        assert_ne!(name(settings(8, 1.0)), name(settings(8, 2.0)));
        assert_ne!(name(settings(8, 1.0)), name(settings(9, 1.0)));
        assert_eq!(Projection::new(&settings(8, 1.0)).features(&[0.0; 4]), None);
    }

    #[test]
    fn weights_are_normal() {
        let n = 100_000;
        let draws: Vec<f64> = (0..n).map(|place| normal(42, place)).collect();
        let moment = |power| draws.iter().map(|draw| draw.powi(power)).sum::<f64>() / n as f64;
        // four standard errors
        assert!(moment(1).abs() < 0.013 && (moment(2) - 1.0).abs() < 0.018 && (moment(4) - 3.0).abs() < 0.13);
    }

    #[test]
    fn the_bandwidth_is_the_median_distance() {
        let points = |xs: &[f32]| xs.iter().map(|x| vec![*x, 0.0]).collect::<Vec<_>>();
        assert_eq!(bandwidth(&points(&[0.0, 1.0, 3.0])), Some(2.0));
        assert_eq!(bandwidth(&points(&[0.0])), None);
        assert_eq!(bandwidth(&points(&[1.0, 1.0, 1.0])), None);
    }
}
