//! What every test asks of its two samples before it starts.

use crate::Undefined;

/// How many records each sample holds, and the bins that either of them fills.
pub(crate) struct Sizes {
    pub(crate) reference: f64,
    pub(crate) current: f64,
    pub(crate) filled: usize,
}

impl Sizes {
    /// `n m / (n + m)`: two samples vary together like one of this size against a known law.
    pub(crate) fn effective(&self) -> f64 {
        // written so that neither factor can overflow or lose digits
        self.reference / (self.reference + self.current) * self.current
    }
}

/// # Errors
/// Samples over different bins, or without a record.
pub(crate) fn sizes(reference: &[u64], current: &[u64]) -> Result<Sizes, Undefined> {
    if reference.len() != current.len() {
        return Err(Undefined::BinsDiffer { reference: reference.len(), current: current.len() });
    }
    // u128: the sum of any number of u64 that memory holds; converting once rounds once
    let total = |counts: &[u64]| counts.iter().map(|&count| u128::from(count)).sum::<u128>() as f64;
    let filled = reference.iter().zip(current).filter(|&(&old, &new)| old > 0 || new > 0).count();
    let sizes = Sizes { reference: total(reference), current: total(current), filled };
    if sizes.reference == 0.0 {
        return Err(Undefined::EmptyReference);
    }
    if sizes.current == 0.0 {
        return Err(Undefined::EmptyCurrent);
    }
    Ok(sizes)
}

/// # Errors
/// Below 1, infinite or NaN.
pub(crate) fn design_effect(effect: f64) -> Result<f64, Undefined> {
    if effect >= 1.0 && effect.is_finite() { Ok(effect) } else { Err(Undefined::DesignEffect(effect)) }
}

/// # Errors
/// Outside of `low..=high`, or NaN.
pub(crate) fn within(name: &'static str, value: f64, low: f64, high: f64) -> Result<f64, Undefined> {
    if (low..=high).contains(&value) { Ok(value) } else { Err(Undefined::OutOfRange { name, value }) }
}
