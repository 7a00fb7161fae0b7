//! Many tests at once: adjusted p-values, in the order of the input.
//!
//! `tests` is how many hypotheses there were, of which the given p-values are the smallest; the others count as p = 1.
//! With all given, pass their number.

/// Benjamini and Hochberg's q-values: rejecting q <= alpha keeps the false discovery rate at alpha for independent or
/// positively dependent tests; `scipy.stats.false_discovery_control(method="bh")`.
pub fn benjamini_hochberg(p_values: &[f64], tests: usize) -> Vec<f64> {
    let tests = tests.max(p_values.len()) as f64;
    let mut adjusted = vec![0.0; p_values.len()];
    let mut smallest: f64 = 1.0;
    for (rank, index) in ascending(p_values).into_iter().enumerate().rev() {
        smallest = smallest.min(p_values[index] * tests / (rank as f64 + 1.0));
        adjusted[index] = smallest;
    }
    adjusted
}

/// Simes' p-value of "none of these is real": `min tests p(i) / i`; 1 without any.
pub fn simes(p_values: &[f64], tests: usize) -> f64 {
    benjamini_hochberg(p_values, tests).into_iter().fold(1.0, f64::min)
}

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    order
}
