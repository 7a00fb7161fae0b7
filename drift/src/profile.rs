//! Profiles: a fixed reference in a file, as counts and without any text.
//!
//! A profile is made once by `labelstream drift calibrate`, and may ship inside a model package. Besides the counts it
//! holds what calibration learnt: by how much neighbouring records resemble each other ([`Calibration`]). Its id is the
//! digest of its bytes, so that a report names exactly what it was compared with.

mod file;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemas::ModelId;
use serde::{Deserialize, Serialize};

use crate::counts::{ABSTAINED, CountsError, View, WindowCounts};
use crate::feature::Feature;
use crate::window::Granularity;

/// The largest file that is read as a profile, in bytes: one of a million texts with readable words has 2 MiB.
const BYTES_MAX: u64 = 64 << 20;

/// What a profile says of itself; the first line of its file, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub name: String,
    /// The model that labelled the events. `digest` is empty where the events did not tell.
    pub model: ModelId,
    /// What it was made from, for people: a file or a range of a topic.
    pub made_from: String,
    /// Event times of the first and the last record, milliseconds since 1970 UTC.
    pub first_ms: i64,
    pub last_ms: i64,
    pub records: u64,
    /// Whether words can be read; otherwise only their hash buckets are kept.
    pub has_words: bool,
    /// Whether dead letters were read too; otherwise their rate is not known.
    pub has_dead_letters: bool,
    /// Per granularity, what the windows of the calibration told.
    pub calibrations: Vec<Calibration>,
}

/// What windows of one length told of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Length of the windows, in ms.
    pub granularity_ms: i64,
    pub windows: u32,
    pub records_per_window: f64,
    /// Per feature, the variance between windows over that within, at least 1: so many records tell as much as one
    /// independent record does.
    pub design_effects: BTreeMap<String, f64>,
    /// Mean share of texts that were seen before in the same window, 0..=1.
    pub duplicates: Option<f64>,
}

/// A fixed reference.
#[derive(Clone, Debug)]
pub struct Profile {
    about: About,
    counts: Arc<WindowCounts>,
    id: String,
}

/// Why a file is no profile for this stream.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error("read the profile {}", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("write the profile {}", file.display())]
    Write { file: PathBuf, source: std::io::Error },
    #[error("read the profile {}: it has {bytes} bytes, expected at most {BYTES_MAX}", file.display())]
    TooLarge { file: PathBuf, bytes: u64 },
    #[error("read the profile {}: expected a file that begins with {}, as labelstream drift calibrate writes", file.display(), file::MAGIC)]
    NoProfile { file: PathBuf },
    #[error("read the profile {}: its format is version {found}, this program reads up to {}", file.display(), file::VERSION)]
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

impl Profile {
    /// A profile of these counts. Words are kept as hash buckets only unless `about.has_words`.
    pub fn new(about: About, mut counts: WindowCounts) -> Self {
        if !about.has_words {
            counts.forget_words();
        }
        let bytes = file::encode(&about, &counts);
        Self { about, counts: Arc::new(counts), id: file::digest(&bytes) }
    }

    /// Reads a profile's file.
    ///
    /// # Errors
    /// The file cannot be read, or is no profile.
    pub fn read(file: &Path) -> Result<Self, ProfileError> {
        let read = |source| ProfileError::Read { file: file.to_owned(), source };
        let bytes = fs::metadata(file).map_err(read)?.len();
        if bytes > BYTES_MAX {
            return Err(ProfileError::TooLarge { file: file.to_owned(), bytes });
        }
        Self::parse(file, &fs::read(file).map_err(read)?)
    }

    /// A profile from the bytes of its file; `file` is for messages.
    ///
    /// # Errors
    /// These bytes are no profile, or one of a later version.
    pub fn parse(file: &Path, bytes: &[u8]) -> Result<Self, ProfileError> {
        let (about, counts) = file::decode(file, bytes)?;
        Ok(Self { about, counts: Arc::new(counts), id: file::digest(bytes) })
    }

    /// Writes the profile's file beside its place and renames it there: readers never see half of it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), ProfileError> {
        let write = |source| ProfileError::Write { file: file.to_owned(), source };
        let mut beside = file.as_os_str().to_owned();
        beside.push(".tmp");
        fs::write(&beside, self.to_bytes()).map_err(write)?;
        fs::rename(&beside, file).map_err(write)
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        file::encode(&self.about, &self.counts)
    }

    pub fn about(&self) -> &About {
        &self.about
    }

    /// `sha256:` and the hexadecimal digest of the file.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn counts(&self) -> Arc<WindowCounts> {
        Arc::clone(&self.counts)
    }

    /// How many windows of its finest granularity the profile is made of.
    pub fn windows(&self) -> u32 {
        self.about.calibrations.first().map_or(1, |calibration| calibration.windows)
    }

    /// What windows of this length told; else of the length nearest to it by ratio. `None` without calibration.
    pub fn calibration(&self, granularity: Granularity) -> Option<&Calibration> {
        let distance = |calibration: &&Calibration| {
            let ratio = calibration.granularity_ms as f64 / granularity.length_ms() as f64;
            ratio.ln().abs()
        };
        self.about.calibrations.iter().min_by(|one, other| distance(one).total_cmp(&distance(other)))
    }

    /// The design effect of a feature in windows of this length; `None` where calibration did not tell.
    pub fn design_effect(&self, granularity: Granularity, feature: &Feature) -> Option<f64> {
        self.calibration(granularity)?.design_effects.get(&*feature.name()).copied()
    }

    /// Refuses a profile of another model; `labels` are those that the model knows, where that is known.
    ///
    /// # Errors
    /// The digests differ (name and version, where a digest is not known).
    pub fn check_model(&self, model: &ModelId, labels: &[Arc<str>]) -> Result<(), ProfileError> {
        let own = &self.about.model;
        let is_same = if own.digest.is_empty() || model.digest.is_empty() {
            (&own.name, &own.version) == (&model.name, &model.version)
        } else {
            own.digest == model.digest
        };
        if is_same {
            return Ok(());
        }
        let known = |label: &str| label == ABSTAINED || labels.is_empty() || labels.iter().any(|own| &**own == label);
        let own_labels = match self.counts.all().view(&Feature::Label) {
            Some(View::Categories(labels)) => labels.iter().map(|(label, _)| label).collect(),
            _ => Vec::new(),
        };
        let mut missing: Vec<String> =
            own_labels.into_iter().filter(|label| !known(label)).map(str::to_owned).collect();
        missing.sort();
        let text = |model: &ModelId| format!("{} {} {}", model.name, model.version, model.digest);
        Err(ProfileError::OtherModel {
            name: self.about.name.clone(),
            expected: text(own),
            found: text(model),
            missing,
        })
    }
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
