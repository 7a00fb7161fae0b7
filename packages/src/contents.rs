//! Which files make a package, and what its `labelstream.json` promises of them.
//!
//! Only those are fetched: a repository holds much that no stream needs. What is in the files is the classifier's.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::cache::is_inside;
use crate::digest::Promise;
use crate::download::Downloads;
use crate::error::FetchError;
use crate::remote::Remote;

/// The files of every package; of the last two, one.
const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const MODELS: [&str; 2] = ["model.onnx", "onnx/model.onnx"];
/// Names in a message.
const NAMES_MAX: usize = 12;
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
    pub(crate) const NAME: &str = "labelstream.json";

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

    /// Adds what it says of a file to what is known of it.
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

/// Fetches the files of a package into an empty or half-filled folder; their names come back.
pub(crate) async fn gather(
    downloads: &mut Downloads<'_>,
    address: &str,
    files: &[Remote],
    folder: &Path,
) -> Result<Vec<String>, FetchError> {
    let refused = |problem: String| FetchError::Refused { address: address.to_owned(), problem };
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
    let model = MODELS.into_iter().find(|name| find(name).is_some()).unwrap_or(MODELS[0]);
    let mut wanted = vec![CONFIG, TOKENIZER, model];
    wanted.extend(manifest.names());
    wanted.sort_unstable();
    wanted.dedup();
    if let Some(name) = wanted.iter().find(|name| find(name).is_none()) {
        return Err(refused(missing(name, files)));
    }
    for (name, remote) in wanted.into_iter().filter_map(|name| find(name).map(|remote| (name, remote))) {
        downloads.fetch(&manifest.promise(remote.clone()), folder).await?;
        fetched.push(name.to_owned());
    }
    Ok(fetched)
}

fn missing(name: &str, files: &[Remote]) -> String {
    let name = if MODELS.contains(&name) { MODELS.join(" or ") } else { name.to_owned() };
    let mut found: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let more = found.len() > NAMES_MAX;
    found.truncate(NAMES_MAX);
    let found = if found.is_empty() { "no files".to_owned() } else { found.join(", ") };
    let more = if more { " and more" } else { "" };
    format!("expected {name} in it, found {found}{more}")
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
