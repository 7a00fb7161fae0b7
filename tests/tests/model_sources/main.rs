//! Model packages by address, from servers that run on this machine: MLflow and S3 themselves, and a web server that
//! stands for the Hugging Face hub and for any other, because it can fail on request.

mod hub;
mod kills;
mod mlflow;
mod s3;
mod server;
#[path = "../packages/tiny.rs"]
mod tiny;
mod web;

use std::fs;
use std::path::{Path, PathBuf};

use packages::address::Address;
use packages::error::FetchError;
use packages::fetch::{Fetched, fetch};
use packages::settings::{DEFAULTS, PackagesConfig, PackagesSettings, Variables};
use serde::Deserialize;
use tempfile::TempDir;
use tiny::Tiny;
use tokio_util::sync::CancellationToken;

#[derive(Deserialize)]
struct Root {
    packages: PackagesSettings,
}

/// A cache of one's own, and how packages are fetched into it.
pub(crate) struct Fetching {
    folder: TempDir,
    pub(crate) settings: PackagesSettings,
    pub(crate) variables: Vec<(&'static str, String)>,
    /// The setting `model.file`.
    pub(crate) model_file: Option<String>,
}

impl Fetching {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut settings = toml::from_str::<Root>(DEFAULTS).expect("the defaults are settings").packages;
        settings.cache = Some(folder.path().join("cache"));
        (settings.attempts_max, settings.retry_wait_ms) = (3, 10);
        (settings.idle_wait_ms, settings.fetch_wait_ms) = (5000, 60_000);
        Self { folder, settings, variables: Vec::new(), model_file: None }
    }

    pub(crate) fn fetch(&self, address: &str) -> Result<Fetched, FetchError> {
        let address = Address::parse(address, false).unwrap_or_else(|error| panic!("{address}: {error}"));
        let config = PackagesConfig::try_from(self.settings.clone()).expect("good settings");
        let config = config.with_model_file(self.model_file.as_deref());
        let variable =
            |wanted: &str| self.variables.iter().find(|(name, _)| *name == wanted).map(|(_, text)| text.clone());
        fetch(&address, &config, &Variables::read(variable)?, &CancellationToken::new())
    }

    /// Fetches what is refused; the whole text of the error comes back, and nothing of a package is left.
    pub(crate) fn refusal(&self, address: &str) -> String {
        let error = self.fetch(address).expect_err("it is refused");
        assert!(!error.is_passing(), "{error}");
        assert_eq!(self.packages(), Vec::<PathBuf>::new(), "nothing is left: {error}");
        assert_eq!(files(&self.cache().join("partial")), Vec::<PathBuf>::new(), "nothing half is left: {error}");
        error.to_string()
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    pub(crate) fn packages(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.cache().join("packages")).map(|entries| entries.flatten().collect());
        entries.unwrap_or_else(|_| Vec::new()).iter().map(fs::DirEntry::path).collect()
    }
}

/// The files of the tiny package, whose first label has this name.
pub(crate) fn tiny_files(label: &str) -> Vec<(String, Vec<u8>)> {
    let tiny = Tiny::new().with("config.json", tiny::CONFIG.replace("positive", label));
    ["config.json", "model.onnx", "tokenizer.json"]
        .into_iter()
        .map(|name| (name.to_owned(), fs::read(tiny.path(name)).expect("just written")))
        .collect()
}

/// `labelstream.json` with the digests of these files.
pub(crate) fn manifest(files: &[(String, Vec<u8>)]) -> (String, Vec<u8>) {
    let listed = files.iter().map(|(name, content)| {
        let listed = serde_json::json!({"sha256": server::sha256(content), "bytes": content.len()});
        (name.clone(), listed)
    });
    let listed: serde_json::Map<_, _> = listed.collect();
    ("labelstream.json".to_owned(), serde_json::json!({"files": listed}).to_string().into_bytes())
}

/// The first label of a fetched package, by the classifier's own reading of it.
pub(crate) fn label(fetched: &Fetched) -> String {
    let package = engine::package::Package::open_named(&fetched.folder, fetched.name.as_deref());
    package.unwrap_or_else(|error| panic!("{error}")).config.labels[0].to_string()
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
