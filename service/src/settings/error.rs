//! Why settings cannot be used: every problem of one start in one error, each with the place to fix it.

use std::fmt;
use std::path::PathBuf;

use schemas::Recovery;

use super::place::Place;

/// One setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The dotted key; empty when a whole file cannot be read as TOML.
    pub key: String,
    pub place: Place,
    /// What was expected and what was found.
    pub expected: String,
}

impl fmt::Display for Mistake {
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
    Invalid(Vec<Mistake>),
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
    pub fn mistakes(&self) -> &[Mistake] {
        match self {
            Self::Invalid(mistakes) => mistakes,
            Self::ReadFile { .. } | Self::Defaults(_) => &[],
        }
    }
}

fn list(mistakes: &[Mistake]) -> String {
    let noun = if mistakes.len() == 1 { "problem" } else { "problems" };
    let mut text = format!("{} {noun}:", mistakes.len());
    for mistake in mistakes {
        text.push_str("\n  ");
        text.push_str(&mistake.to_string());
    }
    text
}
