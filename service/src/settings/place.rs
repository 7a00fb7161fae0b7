//! Where a setting was written: what a person needs to find it again.

use std::fmt;
use std::path::PathBuf;

/// The place that gave a key its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The embedded `default.toml`.
    Default,
    /// A line of the settings file, counted from 1.
    File { path: PathBuf, line: usize },
    /// An environment variable.
    Environment(String),
    /// A command line flag of its own, such as `--brokers`.
    Flag(String),
    /// `--set key=value`.
    Set(String),
    /// A file that holds a secret, and the place that names it.
    SecretFile { path: PathBuf, named_by: Box<Place> },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => f.write_str(name),
            Self::Set(key) => write!(f, "--set {key}"),
            Self::SecretFile { path, named_by } => {
                write!(f, "file {}, named by {named_by}", path.display())
            }
        }
    }
}
