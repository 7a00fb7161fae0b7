//! Registered models of an MLflow server, by its REST interface 2.0.
//!
//! An alias is asked for its version, and the version for its [source]: artifacts of a server of MLflow
//! (`mlflow-artifacts:`, `http:`), in a bucket (`s3:`), or in a folder of this machine (`file:`). The package is that folder
//! of artifacts, or the folder `package` in it.

mod source;

use std::path::PathBuf;

use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::address::{Version, file_of};
use crate::bucket;
use crate::error::FetchError;
use crate::http::{Answer, Http};
use crate::hub::escaped;
use crate::remote::{Content, Place, Remote, Request, Resolved, joined, local};
use crate::settings::{PackagesConfig, Variables, server};

/// Where a server of MLflow hands out artifacts, below its address.
const PROXY: &str = "api/2.0/mlflow-artifacts/artifacts";
/// The folder of artifacts that a package is registered under.
const FOLDER: &str = "package";
/// Folders below a package that are looked into: `onnx`.
const DEPTH: usize = 2;
/// Names in a message.
const NAMES_MAX: usize = 20;

/// An MLflow server, asked for one package.
pub(crate) struct Mlflow<'a> {
    pub(crate) http: &'a Http,
    /// The package, for messages.
    pub(crate) address: &'a str,
    pub(crate) endpoint: Url,
    pub(crate) config: &'a PackagesConfig,
    pub(crate) variables: &'a Variables,
}

#[derive(Deserialize)]
struct UriAnswer {
    artifact_uri: String,
}

#[derive(Deserialize)]
struct AliasAnswer {
    model_version: ModelVersion,
}

#[derive(Deserialize)]
struct ModelVersion {
    version: String,
}

#[derive(Deserialize)]
struct ModelAnswer {
    registered_model: RegisteredModel,
}

#[derive(Deserialize)]
struct RegisteredModel {
    #[serde(default)]
    aliases: Vec<Alias>,
    #[serde(default)]
    latest_versions: Vec<ModelVersion>,
}

#[derive(Deserialize)]
struct Alias {
    alias: String,
    version: String,
}

#[derive(Deserialize)]
struct SearchAnswer {
    #[serde(default)]
    registered_models: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    files: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    path: String,
    is_dir: bool,
    file_size: Option<u64>,
}

/// The tracking server's address, of the settings or of the environment.
pub(crate) fn endpoint(config: &PackagesConfig, variables: &Variables) -> Result<Url, String> {
    if let Some(endpoint) = &config.mlflow_endpoint {
        return Ok(endpoint.clone());
    }
    let Some(text) = &variables.mlflow_endpoint else {
        return Err(
            "expected the address of an MLflow server in packages.mlflow_endpoint or MLFLOW_TRACKING_URI, found \
                    neither"
                .to_owned(),
        );
    };
    server(text, config.allow_http).map_err(|error| format!("MLFLOW_TRACKING_URI: {error}"))
}

impl Mlflow<'_> {
    /// Asks which version an address stands for, and for its files.
    pub(crate) async fn resolve(&self, model: &str, version: &Version) -> Result<Resolved, FetchError> {
        let number = match version {
            Version::Number(number) => number.to_string(),
            Version::Alias(alias) => self.version_of(model, alias).await?,
        };
        let pairs = [("name", model), ("version", number.as_str())];
        let uri: UriAnswer = match self.ask("model-versions/get-download-uri", &pairs).await? {
            Ok(answer) => answer,
            Err(answer) => return Err(self.refused(self.explain(&answer, model, &format!("version {number}")).await)),
        };
        let files = self.files_of(&uri.artifact_uri).await?;
        Ok(Resolved {
            pin: format!("models:/{model}/{number} at {}", self.endpoint),
            said: format!("version {number}"),
            content: Content::Files(in_folder(files)),
        })
    }

    async fn version_of(&self, model: &str, alias: &str) -> Result<String, FetchError> {
        match self.ask::<AliasAnswer>("registered-models/alias", &[("name", model), ("alias", alias)]).await? {
            Ok(answer) => Ok(answer.model_version.version),
            Err(answer) => Err(self.refused(self.explain(&answer, model, &format!("alias {alias}")).await)),
        }
    }

    /// What an answer that says no means: an unknown alias, version and model all look alike to MLflow.
    async fn explain(&self, answer: &Answer, model: &str, what: &str) -> String {
        let endpoint = &self.endpoint;
        if matches!(answer.status, 401 | 403) {
            let advice = "set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD";
            return format!("{endpoint} denies access: {advice}: {}", answer.line());
        }
        match self.ask::<ModelAnswer>("registered-models/get", &[("name", model)]).await {
            Ok(Ok(found)) => {
                let found = found.registered_model;
                let aliases = found.aliases.iter().map(|alias| format!("@{} (version {})", alias.alias, alias.version));
                let versions = found.latest_versions.iter().map(|version| format!("/{}", version.version));
                let known = names(aliases.chain(versions));
                format!("{endpoint} has the model {model}, but no {what} of it; it has {known}")
            }
            Ok(Err(_)) => match self.ask::<SearchAnswer>("registered-models/search", &[("max_results", "100")]).await {
                Ok(Ok(found)) => {
                    let known = names(found.registered_models.into_iter().map(|model| model.name));
                    format!("{endpoint} has no model {model}; it has {known}")
                }
                _ => format!("{endpoint} has no model {model}: {}", answer.line()),
            },
            Err(_) => format!("{endpoint} was asked for {what} of {model}: {}", answer.line()),
        }
    }

    /// The files of a folder of artifacts, wherever they are.
    async fn artifacts(&self, uri: &str) -> Result<Vec<Remote>, FetchError> {
        if let Some(rest) = uri.strip_prefix("mlflow-artifacts:") {
            // `mlflow-artifacts://host/path` names a server of its own; it is this one in every known set-up.
            let path = rest.strip_prefix("//").map_or(rest, |rest| rest.split_once('/').map_or("", |(_, path)| path));
            return self.proxied(path.trim_matches('/')).await;
        }
        if let Some((base, path)) = uri.split_once(PROXY).filter(|_| uri.starts_with("http")) {
            return self.of_server(base, path.trim_matches('/')).await;
        }
        if let Some(rest) = uri.strip_prefix("s3://") {
            let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let endpoint = bucket::endpoint(self.config, self.variables).map_err(|problem| self.refused(problem))?;
            let place = (name, prefix.trim_matches('/'));
            return bucket::files(self.address, place, self.config, endpoint.as_deref()).await;
        }
        let folder = file_of(uri).or_else(|| uri.starts_with('/').then(|| PathBuf::from(uri)));
        let Some(folder) = folder else {
            let expected = "expected artifacts at mlflow-artifacts:, http:, s3: or in a folder";
            return Err(self.refused(format!("{expected}, found {uri}")));
        };
        let mut files = Vec::new();
        local(&folder, "", DEPTH, &mut files).map_err(|error| {
            let advice = "its artifacts are in a folder of the server, which this machine cannot read: start the \
                          server \
                          with --serve-artifacts, or keep them in a bucket";
            self.refused(format!("{advice}: {}: {error}", folder.display()))
        })?;
        Ok(files)
    }

    /// The files of a folder that the server of this address hands out; credentials stay with the one that they are for.
    async fn of_server(&self, base: &str, folder: &str) -> Result<Vec<Remote>, FetchError> {
        let endpoint = server(base, self.config.allow_http)
            .map_err(|problem| self.refused(format!("its artifacts: {problem}")))?;
        if endpoint == self.endpoint {
            return self.proxied(folder).await;
        }
        let variables = Variables { mlflow_authorization: None, ..self.variables.clone() };
        let other =
            Mlflow { http: self.http, address: self.address, endpoint, config: self.config, variables: &variables };
        other.proxied(folder).await
    }

    /// The files of a folder that the server hands out itself.
    async fn proxied(&self, folder: &str) -> Result<Vec<Remote>, FetchError> {
        let (mut files, mut folders) = (Vec::new(), vec![(String::new(), DEPTH + 1)]);
        while let Some((below, depth)) = folders.pop() {
            let path = joined(folder, &below);
            let listing: Listing = match self.get("mlflow-artifacts/artifacts", &[("path", &path)]).await? {
                Ok(listing) => listing,
                Err(answer) => return Err(self.refused(format!("the artifacts in {path}: {}", answer.line()))),
            };
            for listed in listing.files {
                // Relative to the folder that was asked for.
                let name = joined(&below, &listed.path);
                if !listed.is_dir {
                    let parts: Vec<String> = joined(folder, &name).split('/').map(escaped).collect();
                    let request = self.request(&format!("mlflow-artifacts/artifacts/{}", parts.join("/")));
                    let place = Place::Web(request);
                    files.push(Remote { name, place, bytes: listed.file_size, promises: Vec::new() });
                } else if depth > 0 {
                    folders.push((name, depth - 1));
                }
                if files.len() + folders.len() > self.config.files_max {
                    let found = self.config.files_max;
                    return Err(self.refused(format!("{path} has more than {found} files (packages.files_max)")));
                }
            }
        }
        Ok(files)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        pairs: &[(&str, &str)],
    ) -> Result<Result<T, Answer>, FetchError> {
        self.get(&format!("mlflow/{method}"), pairs).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        method: &str,
        pairs: &[(&str, &str)],
    ) -> Result<Result<T, Answer>, FetchError> {
        let mut request = self.request(method);
        request.url.query_pairs_mut().extend_pairs(pairs);
        let bytes = match self.http.get(self.address, &request).await? {
            Ok(bytes) => bytes,
            Err(answer) => return Ok(Err(answer)),
        };
        let found = serde_json::from_slice(&bytes);
        found.map(Ok).map_err(|error| {
            self.refused(format!("{} does not respond to {method} like MLflow: {error}", self.endpoint))
        })
    }

    fn request(&self, method: &str) -> Request {
        let url = self.endpoint.join(&format!("api/2.0/{method}")).expect("a path of plain characters");
        let mut request = Request::new(url);
        request.headers.extend(self.variables.mlflow_authorization.clone().map(|value| (AUTHORIZATION, value)));
        request
    }

    fn refused(&self, problem: String) -> FetchError {
        FetchError::Refused { address: self.address.to_owned(), problem }
    }
}

/// The files of the folder `package`, where the artifacts have one and are no package themselves.
fn in_folder(files: Vec<Remote>) -> Vec<Remote> {
    if files.iter().any(|file| file.name == "config.json") {
        return files;
    }
    let inside = |file: &Remote| file.name.strip_prefix(FOLDER)?.strip_prefix('/').map(str::to_owned);
    let below = files.iter().filter_map(|file| Some(Remote { name: inside(file)?, ..file.clone() }));
    let below: Vec<Remote> = below.collect();
    if below.is_empty() { files } else { below }
}

/// Names for a message: some of them.
fn names(all: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = all.collect();
    let more = all.len().saturating_sub(NAMES_MAX);
    all.truncate(NAMES_MAX);
    match (all.is_empty(), more) {
        (true, _) => "none".to_owned(),
        (false, 0) => all.join(", "),
        (false, more) => format!("{} and {more} more", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn files(names: &[&str]) -> Vec<Remote> {
        let place = Place::File(PathBuf::new());
        let file =
            |name: &&str| Remote { name: (*name).to_owned(), place: place.clone(), bytes: None, promises: Vec::new() };
        names.iter().map(file).collect()
    }

    #[test]
    fn the_package_is_the_folder_or_the_one_of_that_name() {
        for (found, expected) in [
            (&["config.json", "package/config.json"][..], &["config.json", "package/config.json"][..]),
            (&["report.html", "package/config.json", "package/onnx/model.onnx"], &["config.json", "onnx/model.onnx"]),
            (&["report.html", "packages/config.json"], &["report.html", "packages/config.json"]),
        ] {
            let names: Vec<String> = in_folder(files(found)).into_iter().map(|file| file.name).collect();
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn a_message_names_some_of_many() {
        assert_eq!(names(std::iter::empty()), "none");
        assert_eq!(names(["a".to_owned(), "b".to_owned()].into_iter()), "a, b");
        assert!(names((0..25).map(|number| number.to_string())).ends_with("18, 19 and 5 more"));
    }
}
