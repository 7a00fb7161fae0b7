//! Why a file is no profile for a stream.

use std::path::PathBuf;

use crate::counts::CountsError;

/// How every profile begins.
pub(super) const MAGIC: &str = r#"{"format":"labelstream drift profile","#;

/// Grows when an older program would misread the file.
pub(super) const VERSION: u32 = 1;

/// The largest file that is read as a profile, in bytes: one of a million texts with readable words has 2 MiB.
pub(super) const BYTES_MAX: u64 = 64 << 20;

/// Why a file is no profile for this stream.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error("read the profile {}", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("write the profile {}", file.display())]
    Write { file: PathBuf, source: std::io::Error },
    #[error("read the profile {}: it has {bytes} bytes, expected at most {BYTES_MAX}", file.display())]
    TooLarge { file: PathBuf, bytes: u64 },
    #[error("read the profile {}: expected a file that begins with {}, as labelstream drift calibrate writes", file.display(), MAGIC)]
    NoProfile { file: PathBuf },
    #[error("read the profile {}: its format is version {found}, this program reads up to {}", file.display(), VERSION)]
    Version { file: PathBuf, found: u32 },
    #[error("read the header of the profile {}", file.display())]
    Header { file: PathBuf, source: serde_json::Error },
    #[error("read the profile {}: {problem}", file.display())]
    Content { file: PathBuf, problem: String },
    #[error("read the counts of the profile {}", file.display())]
    Counts { file: PathBuf, source: CountsError },
    #[error(
        "compare with the profile {name}: it was made for the model {expected}, the events come from {found}{}; create \
         one for this model, or set reference.allow_other_model = true",
        labels_text(missing)
    )]
    OtherModel {
        name: String,
        expected: String,
        found: String,
        /// Labels of the profile that this model does not know.
        missing: Vec<String>,
    },
}

/// The first few labels that only the profile has.
fn labels_text(missing: &[String]) -> String {
    const SHOWN: usize = 5;
    match missing.len() {
        0 => String::new(),
        count if count <= SHOWN => format!(", which does not have the labels {}", missing.join(", ")),
        count => format!(", which does not have {count} of its labels, such as {}", missing[..SHOWN].join(", ")),
    }
}
