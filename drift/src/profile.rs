//! Profiles: a fixed reference in a file, as counts and without any text.
//!
//! A profile is made once by `labelstream drift calibrate`, and may ship inside a model package. Besides the counts it
//! holds what calibration learnt: by how much neighbouring records resemble each other ([`StreamCalibration`]). Its id is the
//! digest of its bytes, so that a report names exactly what it was compared with.

mod about;
mod error;
mod file;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use schemas::ModelId;

use crate::counts::{ABSTAINED, View, WindowCounts};
use crate::feature::Feature;
use crate::window::Granularity;
use error::BYTES_MAX;

pub use about::{About, StreamCalibration};
pub use error::ProfileError;

/// A fixed reference.
#[derive(Clone, Debug)]
pub struct Profile {
    about: About,
    counts: Arc<WindowCounts>,
    id: String,
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
    pub fn calibration(&self, granularity: Granularity) -> Option<&StreamCalibration> {
        let distance = |calibration: &&StreamCalibration| {
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
