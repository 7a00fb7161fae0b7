//! Two-sample tests on counts: numbers in, numbers out. The crate knows nothing of Kafka, labels or windows.
//!
//! Every test takes counts over the same bins for a reference and a current sample, because counts merge exactly. No
//! result is ever NaN: a p-value lies in 0..=1, and is 0 only if it is below the smallest `f64`. Two samples that do not
//! differ have p = 1, also if there is only one category. A question that has no answer returns [`Undefined`]. The design
//! effect (>= 1) is the factor by which similar neighbouring records inflate the variance of counts: n records are worth
//! n / design effect independent ones.
//!
//! Reference values come from scipy and R (`tests/golden.rs`). `statrs` has the normal, chi-square and gamma functions; our
//! own code is what it lacks or computes with too few digits: see [`distribution`].

pub mod chi_square;
pub mod cramer_von_mises;
pub mod design;
pub mod distribution;
pub mod divergence;
pub mod hypergeometric;
pub mod kolmogorov;
pub mod ks;
pub mod mann_whitney;
pub mod mmd;
pub mod multiple;
pub mod power;
pub mod proportion;
pub mod psi;
pub mod wasserstein;

mod density;
mod paths;
mod quadratic;

mod random;
mod sample;
mod sparse;

use std::fmt;

/// What a test found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// In the test's own unit: a distance, a sum of squares, a z-score.
    pub statistic: f64,
    /// 0..=1, never NaN.
    pub p_value: f64,
    pub method: Method,
    /// Degrees of freedom, where the law of the statistic has them.
    pub df: Option<f64>,
}

/// Where a p-value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The law of the statistic for exactly these sample sizes.
    Exact,
    /// The limit law for large samples.
    Asymptotic,
    /// This many random tables with the margins of the observed one.
    MonteCarlo(u32),
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::Asymptotic => f.write_str("asymptotic"),
            Self::MonteCarlo(tables) => write!(f, "monte_carlo({tables})"),
        }
    }
}

/// The values that a confidence interval holds, both ends included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Undefined {
    #[error("the reference sample is empty")]
    EmptyReference,
    #[error("the current sample is empty")]
    EmptyCurrent,
    #[error("the reference has {reference} bins and the current sample {current}")]
    BinsDiffer { reference: usize, current: usize },
    #[error("{hits} of {total} is not a share")]
    NoShare { hits: u64, total: u64 },
    #[error("a design effect is at least 1, this one is {0}")]
    DesignEffect(f64),
    #[error("{name} is {value}, which is out of range")]
    OutOfRange { name: &'static str, value: f64 },
}
