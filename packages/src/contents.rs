//! Which files make a package, and what its `labelstream.json` promises of them.
//!
//! Only those are fetched: a repository holds much that no stream needs. Their names tell which they are
//! ([`PackageFiles`]) and by `labelstream.json`; what is in the files is the classifier's.

use std::collections::BTreeMap;
use std::path::Path;

use schemas::package_files::{CONFIG, Lack, MANIFEST, PackageFiles, TOKENIZER, listed};
use serde::Deserialize;

use crate::cache::is_inside;
use crate::digest::Promise;
use crate::download::Downloads;
use crate::error::FetchError;
use crate::remote::Remote;

/// Who promises the digests of a manifest.
const PROMISED: &str = "labelstream.json";

/// The part of `labelstream.json` that is about files.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Manifest {
    #[serde(default)]
    files: BTreeMap<String, Listed>,
    drift_reference: Option<Reference>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    sha256: String,
    bytes: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Reference {
    file: String,
    sha256: String,
    bytes: Option<u64>,
}

impl Manifest {
    pub(crate) const NAME: &str = MANIFEST;

    /// Reads it; every name in it stays inside the package.
    pub(crate) fn parse(content: &[u8]) -> Result<Self, String> {
        let manifest: Self =
            serde_json::from_slice(content).map_err(|error| format!("{} is malformed: {error}", Self::NAME))?;
        if let Some(name) = manifest.names().find(|name| !is_inside(name)) {
            return Err(format!("{} names {name:?}, which is not a path inside the package", Self::NAME));
        }
        Ok(manifest)
    }

    /// The files that it lists.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let reference = self.drift_reference.iter().map(|reference| reference.file.as_str());
        self.files.keys().map(String::as_str).chain(reference)
    }

    /// Adds what it says about a file to what is known of it.
    fn promise(&self, mut remote: Remote) -> Remote {
        let listed = self.files.get(&remote.name).map(|listed| (&listed.sha256, listed.bytes));
        let reference = self.drift_reference.as_ref().filter(|reference| reference.file == remote.name);
        for (sha256, bytes) in listed.into_iter().chain(reference.map(|listed| (&listed.sha256, listed.bytes))) {
            remote.promises.push(Promise::sha256(sha256, PROMISED));
            remote.bytes = remote.bytes.or(bytes);
        }
        remote
    }
}

/// What is wanted of an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// For messages.
    pub(crate) address: &'a str,
    /// What advice calls the place of the files.
    pub(crate) place: &'a str,
    /// The model that a person named, as a path inside the package.
    pub(crate) model_file: Option<&'a str>,
}

/// Fetches the files of a package into an empty or half-filled folder; their names come back.
pub(crate) async fn gather(
    downloads: &mut Downloads<'_>,
    wanted: Wanted<'_>,
    files: &[Remote],
    folder: &Path,
) -> Result<Vec<String>, FetchError> {
    let refused = |problem: String| FetchError::Refused { address: wanted.address.to_owned(), problem };
    let find = |name: &str| files.iter().find(|file| file.name == name);
    let mut manifest = Manifest::default();
    let mut fetched = Vec::new();
    if let Some(remote) = find(Manifest::NAME) {
        let file = downloads.fetch(remote, folder).await?;
        let content =
            std::fs::read(&file).map_err(|source| FetchError::Cache { action: "read", path: file, source })?;
        manifest = Manifest::parse(&content).map_err(refused)?;
        fetched.push(Manifest::NAME.to_owned());
    }
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let own = PackageFiles::find(&names, wanted.model_file, wanted.place).map_err(|lack| refused(missing(lack)))?;
    let mut all = vec![CONFIG, TOKENIZER, own.model.as_str()];
    all.extend(own.optional.iter().map(String::as_str));
    all.extend(manifest.names());
    all.sort_unstable();
    all.dedup();
    if let Some(name) = all.iter().find(|name| find(name).is_none()) {
        return Err(refused(missing(Lack { expected: (*name).to_owned(), found: listed(&names), advice: None })));
    }
    for (name, remote) in all.into_iter().filter_map(|name| find(name).map(|remote| (name, remote))) {
        downloads.fetch(&manifest.promise(remote.clone()), folder).await?;
        fetched.push(name.to_owned());
    }
    Ok(fetched)
}

fn missing(Lack { expected, found, advice }: Lack) -> String {
    let advice = advice.map(|advice| format!(": {advice}")).unwrap_or_default();
    format!("expected {expected} in it, found {found}{advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_are_refused() {
        for json in [
            r#"{"files": {"../model.onnx": {"sha256": "00"}}}"#,
            r#"{"files": {"/etc/passwd": {"sha256": "00"}}}"#,
            r#"{"drift_reference": {"file": "a/../../b", "sha256": "00"}}"#,
        ] {
            let error = Manifest::parse(json.as_bytes()).expect_err(json);
            assert!(error.contains("is not a path inside the package"), "{error}");
        }
        assert!(Manifest::parse(b"{").expect_err("no JSON").contains("malformed"));
    }

    #[test]
    fn other_members_are_the_classifiers_own() {
        let json = r#"{"name": "m", "files": {"model.onnx": {"sha256": "AB", "bytes": 3}}, "new": {},
            "drift_reference": {"file": "drift.profile", "sha256": "cd"}}"#;
        let manifest = Manifest::parse(json.as_bytes()).expect("a manifest");
        assert_eq!(manifest.names().collect::<Vec<_>>(), ["model.onnx", "drift.profile"]);
    }
}
