//! One thing wrong with the settings. Checks return all of them at once; the loader adds where each key was set.

use std::fmt;

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The dotted key, such as `kafka.brokers`.
    pub key: String,
    /// What was expected and what was found, as a fragment that follows the key.
    pub expected: String,
}

impl Problem {
    pub fn new(key: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { key: key.into(), expected: expected.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.expected)
    }
}
