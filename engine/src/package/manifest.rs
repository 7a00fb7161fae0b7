//! `labelstream.json`: what a package says about itself beyond the Hugging Face files. The file and all its fields are
//! optional; an unknown field is an error, because a misspelt threshold would be silently ignored.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::calibration::Calibration;
use super::config::ModelConfig;
use super::error::PackageError;
use super::files;

/// How far a golden score may lie from the expected one when the package does not say, in probability.
const GOLDEN_TOLERANCE: f32 = 0.001;

/// The file as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manifest {
    pub name: Option<String>,
    pub version: Option<String>,
    /// Digests by path inside the package; each is checked.
    pub files: BTreeMap<String, FileDigest>,
    /// Tokens per row, special ones included.
    pub tokens_max: Option<usize>,
    /// Divides the logits, so that scores are calibrated.
    pub temperature: f32,
    pub thresholds: Thresholds,
    /// How good the scores are; shown, and not used for any label.
    pub calibration: Option<Calibration>,
    /// Texts with the scores that the package must give them on every machine.
    pub golden: Vec<Golden>,
    /// Largest difference of a golden score, 0..=1; for regression in the unit of the model.
    pub golden_tolerance: f32,
    pub licence: Option<String>,
    /// What the model was trained on.
    pub data: Vec<DataSource>,
    /// Figures of merit, by name; shown, not used.
    pub metrics: BTreeMap<String, f64>,
    /// What the model's labels look like when all is well, for the drift worker; scores do not depend on it.
    pub drift_reference: Option<DriftReference>,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            name: None,
            version: None,
            files: BTreeMap::new(),
            tokens_max: None,
            temperature: 1.0,
            thresholds: Thresholds::default(),
            calibration: None,
            golden: Vec::new(),
            golden_tolerance: GOLDEN_TOLERANCE,
            licence: None,
            data: Vec::new(),
            metrics: BTreeMap::new(),
            drift_reference: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    pub sha256: String,
    pub bytes: Option<u64>,
}

/// A profile of labelled events, as `labelstream drift calibrate` writes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftReference {
    /// Path inside the package.
    pub file: String,
    pub sha256: String,
    pub bytes: Option<u64>,
}

/// Below these, 0..=1, a label is not given.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// For the best score, whatever its label.
    pub abstain_below: Option<f32>,
    pub per_label: BTreeMap<String, f32>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    pub text: String,
    /// The label given; absent for regression and where the model abstains.
    #[serde(default)]
    pub label: Option<String>,
    /// The score of the label, or the value of a regression.
    pub score: f32,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    pub name: String,
    #[serde(default)]
    pub licence: Option<String>,
    #[serde(default)]
    pub attribution: Option<String>,
    /// Of the only file, or over the digests of `files`.
    #[serde(default)]
    pub sha256: Option<String>,
    /// The files as they lay on disk.
    #[serde(default)]
    pub files: Vec<DataFile>,
    /// Texts that were not used, counted by reason.
    #[serde(default)]
    pub dropped: BTreeMap<String, u64>,
}

/// One file of labelled texts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    pub name: String,
    pub sha256: String,
    #[serde(default)]
    pub rows: Option<u64>,
}

impl Manifest {
    pub(super) fn parse(file: &Path, content: &[u8]) -> Result<Self, PackageError> {
        serde_json::from_slice(content).map_err(|source| PackageError::Json { file: file.to_owned(), source })
    }

    /// Holds the values against their ranges and against the model's labels and positions.
    pub(super) fn check(&self, file: &Path, config: &ModelConfig) -> Result<(), PackageError> {
        let fail = |field: &str, problem: String| {
            Err(PackageError::Field { file: file.to_owned(), field: field.to_owned(), problem })
        };
        if let Some(name) = self.files.keys().find(|name| !files::is_inside(name)) {
            return fail("files", format!("names {name:?}, which is not a path inside the package"));
        }
        if let Some(reference) = self.drift_reference.as_ref().filter(|reference| !files::is_inside(&reference.file)) {
            let name = &reference.file;
            return fail("drift_reference.file", format!("names {name:?}, which is not a path inside the package"));
        }
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return fail("temperature", format!("is {}: expected a number above 0", self.temperature));
        }
        if !(self.golden_tolerance.is_finite() && self.golden_tolerance > 0.0) {
            return fail("golden_tolerance", format!("is {}: expected a number above 0", self.golden_tolerance));
        }
        let shares =
            self.thresholds.per_label.iter().map(|(label, share)| (format!("thresholds.per_label.{label}"), share));
        let abstain = self.thresholds.abstain_below.iter().map(|share| ("thresholds.abstain_below".to_owned(), share));
        if let Some((field, share)) = shares.chain(abstain).find(|(_, share)| !(0.0..=1.0).contains(*share)) {
            return fail(&field, format!("is {share}: expected 0 to 1"));
        }
        if let Some((field, problem)) = self.calibration.as_ref().and_then(Calibration::problem) {
            return fail(&field, problem);
        }
        let known = |label: &str| config.labels.iter().any(|own| &**own == label);
        if let Some(label) = self.thresholds.per_label.keys().find(|label| !known(label)) {
            return fail("thresholds.per_label", format!("names the label {label:?}, which config.json does not have"));
        }
        for (number, golden) in self.golden.iter().enumerate() {
            if let Some(label) = golden.label.as_ref().filter(|label| !known(label)) {
                return fail(
                    "golden",
                    format!("number {number} has the label {label:?}, which config.json does not have"),
                );
            }
        }
        match self.tokens_max {
            Some(0) => fail("tokens_max", "is 0".to_owned()),
            Some(tokens) if config.positions.is_some_and(|positions| tokens > positions) => {
                let positions = config.positions.unwrap_or(tokens);
                fail("tokens_max", format!("is {tokens}, but the model has positions for {positions} tokens"))
            }
            _ => Ok(()),
        }
    }
}

/// The file without its member `drift_reference`, which no score depends on: the bytes that name a package.
///
/// A profile holds the digest of the package that it was made with, so it must not change that digest. What goes is the
/// member with the comma before it, or after it where it comes first: a file to which the member is added behind the
/// others keeps its digest.
pub(super) fn without_reference(content: &[u8]) -> Vec<u8> {
    #[derive(Deserialize)]
    struct Member<'a> {
        #[serde(borrow)]
        drift_reference: Option<&'a RawValue>,
    }
    let member = serde_json::from_slice::<Member<'_>>(content).ok().and_then(|file| file.drift_reference);
    let Some(value) = member.map(RawValue::get) else { return content.to_vec() };
    // The value is a part of the content: where it begins is the distance of the two.
    let start = (value.as_ptr() as usize).saturating_sub(content.as_ptr() as usize);
    let (before, after) = (&content[..start], &content[start + value.len()..]);
    // Before the value stand its name, a colon and white space; no quote lies between the two of the name.
    let name_end = before.iter().rposition(|byte| *byte == b'"').unwrap_or(0);
    let name = before[..name_end].iter().rposition(|byte| *byte == b'"').unwrap_or(0);
    let before = before[..name].trim_ascii_end();
    match (before.strip_suffix(b","), after.trim_ascii_start().strip_prefix(b",")) {
        (None, Some(after)) => [before, after].concat(),
        (rest, _) => [rest.unwrap_or(before), after].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: &str = r#""drift_reference": {"file": "a, \"b", "sha256": "00", "bytes": 3}"#;

    #[test]
    fn the_reference_leaves_no_trace_in_what_names_the_package() {
        for (with, without) in [
            (format!("{{\n \"name\": \"m\",\n {MEMBER}\n}}\n"), "{\n \"name\": \"m\"\n}\n"),
            (format!("{{{MEMBER}, \"name\": \"m\"}}"), "{ \"name\": \"m\"}"),
            (format!("{{\"a\": 1, {MEMBER} , \"name\": \"m\"}}"), "{\"a\": 1 , \"name\": \"m\"}"),
            (format!("{{ {MEMBER} }}"), "{ }"),
            ("{\"name\": \"m\"}".to_owned(), "{\"name\": \"m\"}"),
            ("no JSON".to_owned(), "no JSON"),
        ] {
            assert_eq!(String::from_utf8_lossy(&without_reference(with.as_bytes())), without, "{with}");
        }
    }
}
