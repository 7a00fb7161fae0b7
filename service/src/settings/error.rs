//! Why settings cannot be used: every problem of one start in one error, each with the place to fix it.

use std::fmt;
use std::path::PathBuf;

use schemas::Recovery;

use super::place::Place;

/// One setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The dotted key; empty when a whole file cannot be read as TOML.
    pub key: String,
    pub place: Place,
    /// What was expected and what was found.
    pub expected: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.place, self.expected)
        } else {
            write!(f, "{} ({}): {}", self.key, self.place, self.expected)
        }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("read the settings file {}", path.display())]
    ReadFile { path: PathBuf, source: std::io::Error },
    /// Every problem found, in the order of the layers, then of the checks.
    #[error("use the settings, {}", list(.0))]
    Invalid(Vec<Fault>),
    /// Our own bug: the embedded defaults do not fit the program that embeds them.
    #[error("use the embedded defaults: {0}")]
    Defaults(String),
}

impl SettingsError {
    /// The exit code for bad settings: `EX_CONFIG` of sysexits.h.
    pub const EXIT_CODE: u8 = 78;

    /// Only a person can fix settings.
    pub fn recovery(&self) -> Recovery {
        Recovery::Exit
    }

    /// The single problems; empty for the other variants.
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Invalid(faults) => faults,
            Self::ReadFile { .. } | Self::Defaults(_) => &[],
        }
    }
}

fn list(faults: &[Fault]) -> String {
    let noun = if faults.len() == 1 { "problem" } else { "problems" };
    let mut text = format!("{} {noun}:", faults.len());
    for fault in faults {
        text.push_str("\n  ");
        text.push_str(&fault.to_string());
    }
    text
}
