//! Weights that a model keeps in other files, as models beyond two gigabytes must and `torch.onnx` often does.
//!
//! They are read like every other file of the package: bounded, from inside the package alone, once, and as part of its
//! digest. ONNX Runtime gets the bytes that were hashed, and opens nothing by itself.

use std::path::{Component, Path};
use std::sync::Arc;

use super::error::PackageError;
use super::files::{self, FileFacts};
use super::graph::Found;

/// A file of weights.
#[derive(Clone, Debug)]
pub struct ExternalFile {
    /// As the model names it, relative to its own folder.
    pub location: String,
    pub content: Arc<[u8]>,
}

/// Reads every file that the model names; what they are joins `all`.
pub(super) fn read(
    dir: &Path,
    model: &str,
    found: &Found,
    all: &mut Vec<FileFacts>,
) -> Result<Vec<ExternalFile>, PackageError> {
    let file = || dir.join(model);
    if found.facts.external_data && found.external_files.is_empty() {
        return Err(PackageError::ExternalUnnamed { file: file() });
    }
    let folder = model.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
    let mut files = Vec::new();
    for location in &found.external_files {
        let plain = plain(location);
        if !files::is_inside(&plain) {
            return Err(PackageError::ExternalOutside { file: file(), name: location.clone() });
        }
        let name = format!("{folder}{plain}");
        if !dir.join(&name).exists() {
            return Err(PackageError::ExternalMissing { file: file(), name });
        }
        let (content, facts) = files::read(dir, &name, files::EXTERNAL_BYTES_MAX)?;
        if !all.contains(&facts) {
            all.push(facts);
        }
        files.push(ExternalFile { location: location.clone(), content: content.into() });
    }
    Ok(files)
}

/// The location without the `./` that some programs write before it.
fn plain(location: &str) -> String {
    let mut parts = Path::new(location).components().peekable();
    while parts.next_if_eq(&Component::CurDir).is_some() {}
    parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
