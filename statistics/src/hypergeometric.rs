//! One thing counted in two samples, exactly: given how often it occurs in both, how unequal is the split?
//!
//! Fisher's two-sided test: the probability of all splits that are no more likely than the one seen. Densities are
//! relative to 1e-13 for any counts, tails are sums of ratios, so p keeps its digits down to 1e-308; log-gamma, as
//! `statrs` computes it, would lose six of them at 10^9 records. Built for 65,536 words a window.

use crate::Undefined;
use crate::density::hypergeometric as density;

/// Splits whose density is this close to that of the one seen count as equally likely; R's `fisher.test` says 1e-7 too.
const TIE: f64 = 1e-7;

/// Two samples of these sizes, for any number of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Urn {
    reference: u64,
    current: u64,
}

impl Urn {
    /// # Errors
    /// An empty sample.
    pub fn new(reference: u64, current: u64) -> Result<Self, Undefined> {
        match (reference, current) {
            (0, _) => Err(Undefined::EmptyReference),
            (_, 0) => Err(Undefined::EmptyCurrent),
            _ => Ok(Self { reference, current }),
        }
    }

    /// The exact two-sided p-value of these two counts; 1 where neither sample has any.
    ///
    /// # Errors
    /// More hits than records.
    pub fn two_sided(&self, reference_hits: u64, current_hits: u64) -> Result<f64, Undefined> {
        Ok(self.two_sided_below(reference_hits, current_hits, 1.0)?.unwrap_or(1.0))
    }

    /// The exact p-value where it is at most `ceiling`; `None` as soon as it is proven to lie above.
    ///
    /// The proof is a part of the sum that makes up p: the density of the split seen, then the tail beyond it. Most
    /// words of a window that did not drift cost that one density.
    ///
    /// # Errors
    /// More hits than records.
    pub fn two_sided_below(
        &self,
        reference_hits: u64,
        current_hits: u64,
        ceiling: f64,
    ) -> Result<Option<f64>, Undefined> {
        if reference_hits > self.reference {
            return Err(Undefined::NoShare { hits: reference_hits, total: self.reference });
        }
        if current_hits > self.current {
            return Err(Undefined::NoShare { hits: current_hits, total: self.current });
        }
        let split = Split { urn: *self, hits: reference_hits + current_hits };
        let p_value = split.two_sided(current_hits, ceiling);
        Ok(p_value.filter(|&p_value| p_value <= ceiling))
    }

    /// The smallest p-value that any split of so many hits can have: words that cannot be significant need not be
    /// counted as tested, because this depends on the pooled count alone (Tarone 1990).
    pub fn smallest(&self, pooled_hits: u64) -> f64 {
        let split = Split { urn: *self, hits: pooled_hits.min(self.reference.saturating_add(self.current)) };
        split.density(split.lowest()).min(split.density(split.highest()))
    }
}

/// All ways in which the hits can fall on the two samples, by how many fall on the current one.
struct Split {
    urn: Urn,
    hits: u64,
}

impl Split {
    fn density(&self, x: u64) -> f64 {
        density(x, self.hits, self.urn.reference, self.urn.current)
    }

    fn lowest(&self) -> u64 {
        self.hits.saturating_sub(self.urn.reference)
    }

    fn highest(&self) -> u64 {
        self.hits.min(self.urn.current)
    }

    /// The likeliest split.
    fn mode(&self) -> u64 {
        let product = (u128::from(self.hits) + 1) * (u128::from(self.urn.current) + 1);
        let mode = product / (u128::from(self.urn.reference) + u128::from(self.urn.current) + 2);
        u64::try_from(mode).unwrap_or(u64::MAX).clamp(self.lowest(), self.highest())
    }

    fn two_sided(&self, x: u64, ceiling: f64) -> Option<f64> {
        let mode = self.mode();
        if x == mode {
            return Some(1.0);
        }
        let seen = self.density(x);
        if seen > ceiling {
            return None;
        }
        let limit = seen * (1.0 + TIE);
        if self.density(mode) <= limit {
            return Some(1.0);
        }
        let up = x > mode;
        let near = seen * self.tail(x, up, ceiling / seen)?;
        let Some(mirror) = self.as_unlikely(limit, !up, mode) else { return Some(near.min(1.0)) };
        let opposite = self.density(mirror);
        let far = opposite * self.tail(mirror, !up, ceiling / opposite)?;
        Some((near + far).min(1.0))
    }

    /// The sum of densities from x outward, relative to that at x; `None` once it passes the ceiling.
    fn tail(&self, x: u64, up: bool, ceiling: f64) -> Option<f64> {
        let (hits, current) = (self.hits as f64, self.urn.current as f64);
        let rest = self.urn.reference as f64 - hits; // reference records that are no hits, less x
        let steps = if up { self.highest() - x } else { x - self.lowest() };
        let (mut k, mut term, mut sum) = (x as f64, 1.0, 1.0);
        for _ in 0..steps {
            if up {
                term *= (hits - k) / (k + 1.0) * ((current - k) / (rest + k + 1.0));
                k += 1.0;
            } else {
                term *= k / (hits - k + 1.0) * ((rest + k) / (current - k + 1.0));
                k -= 1.0;
            }
            sum += term;
            if sum > ceiling {
                return None;
            }
            if term <= sum * 1e-17 {
                break;
            }
        }
        Some(sum)
    }

    /// The likeliest split on the given side of the mode that is no likelier than `limit`, which the mode is.
    fn as_unlikely(&self, limit: f64, up: bool, mode: u64) -> Option<u64> {
        let (mut likely, mut unlikely) = (mode, if up { self.highest() } else { self.lowest() });
        if self.density(unlikely) > limit {
            return None;
        }
        while likely.abs_diff(unlikely) > 1 {
            let middle = likely.midpoint(unlikely);
            if self.density(middle) > limit {
                likely = middle;
            } else {
                unlikely = middle;
            }
        }
        Some(unlikely)
    }
}
