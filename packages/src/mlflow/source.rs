//! Where the artifacts of a model version are, when its source names another thing of the same server.
//!
//! `create_model_version` keeps the source that it is given: `runs:/RUN/PATH` below the artifacts of a run,
//! `models:/m-ID` for a logged model of MLflow 3, `models:/NAME/VERSION` for a copy of another version. MLflow's own
//! client follows them when it downloads; so does this.

use serde::Deserialize;

use super::{Mlflow, UriAnswer};
use crate::error::FetchError;
use crate::remote::Remote;

/// Sources that name each other, one after the other: a copy of a version of a run's model has three.
const STEPS_MAX: usize = 5;

#[derive(Deserialize)]
struct RunAnswer {
    run: Run,
}

#[derive(Deserialize)]
struct Run {
    info: RunInfo,
    #[serde(default)]
    outputs: Outputs,
}

#[derive(Deserialize)]
struct RunInfo {
    artifact_uri: String,
}

#[derive(Default, Deserialize)]
struct Outputs {
    #[serde(default)]
    model_outputs: Vec<ModelOutput>,
}

/// A model that a run logged.
#[derive(Deserialize)]
struct ModelOutput {
    model_id: String,
    #[serde(default)]
    step: i64,
}

#[derive(Deserialize)]
struct LoggedAnswer {
    model: Logged,
}

#[derive(Deserialize)]
struct Logged {
    info: LoggedInfo,
}

#[derive(Deserialize)]
struct LoggedInfo {
    #[serde(default)]
    name: String,
    artifact_uri: String,
}

/// What a source names.
#[derive(Debug, PartialEq, Eq)]
enum Source<'a> {
    Run {
        id: &'a str,
        path: &'a str,
    },
    Logged(&'a str),
    Version {
        model: &'a str,
        number: &'a str,
    },
    /// Artifacts themselves.
    Place,
}

impl Source<'_> {
    fn of(uri: &str) -> Source<'_> {
        if let Some(rest) = uri.strip_prefix("runs:/") {
            let rest = rest.trim_matches('/');
            let (id, path) = rest.split_once('/').unwrap_or((rest, ""));
            return Source::Run { id, path };
        }
        match uri.strip_prefix("models:/").map(|rest| rest.trim_matches('/')) {
            Some(rest) => match rest.split_once('/') {
                Some((model, number)) => Source::Version { model, number },
                None => Source::Logged(rest),
            },
            None => Source::Place,
        }
    }
}

impl Mlflow<'_> {
    /// The files of a version, by what the server says its source is.
    pub(super) async fn files_of(&self, source: &str) -> Result<Vec<Remote>, FetchError> {
        let mut uri = source.to_owned();
        for _ in 0..STEPS_MAX {
            let next = match Source::of(&uri) {
                Source::Place => return self.some(self.artifacts(&uri).await?, &uri),
                Source::Run { id, path } => match self.of_run(&uri, id, path).await? {
                    Followed::Files(files) => return Ok(files),
                    Followed::Source(next) => next,
                },
                Source::Logged(id) => self.logged(&uri, id).await?.artifact_uri,
                Source::Version { model, number } => {
                    let pairs = [("name", model), ("version", number)];
                    let answer = self.ask::<UriAnswer>("model-versions/get-download-uri", &pairs).await?;
                    answer.map_err(|answer| self.lost(&uri, &answer.line()))?.artifact_uri
                }
            };
            uri = next;
        }
        Err(self.refused(format!("its source {source} refers to another source more than {STEPS_MAX} times")))
    }

    /// The files of a run; where it has none at this path, the model of that name that it logged.
    async fn of_run(&self, uri: &str, id: &str, path: &str) -> Result<Followed, FetchError> {
        let answer = self.ask::<RunAnswer>("runs/get", &[("run_id", id)]).await?;
        let run = answer.map_err(|answer| self.lost(uri, &answer.line()))?.run;
        let place = appended(&run.info.artifact_uri, path);
        let found = match self.artifacts(&place).await {
            Ok(files) if !files.is_empty() => return Ok(Followed::Files(files)),
            Ok(files) => self.some(files, &place),
            Err(error @ FetchError::Refused { .. }) => Err(error),
            Err(error) => return Err(error),
        };
        let mut outputs = run.outputs.model_outputs;
        outputs.sort_by_key(|output| -output.step); // the newest of a name counts
        for output in outputs.iter().take(self.config.files_max) {
            let logged = self.logged(uri, &output.model_id).await?;
            let below = path.strip_prefix(&logged.name).filter(|rest| rest.is_empty() || rest.starts_with('/'));
            if let Some(below) = below {
                return Ok(Followed::Source(appended(&logged.artifact_uri, below.trim_start_matches('/'))));
            }
        }
        found.map(Followed::Files)
    }

    async fn logged(&self, uri: &str, id: &str) -> Result<LoggedInfo, FetchError> {
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !is_id {
            return Err(self.lost(uri, &format!("{id:?} is not the id of a logged model")));
        }
        let answer = self.ask::<LoggedAnswer>(&format!("logged-models/{id}"), &[]).await?;
        Ok(answer.map_err(|answer| self.lost(uri, &answer.line()))?.model.info)
    }

    fn some(&self, files: Vec<Remote>, place: &str) -> Result<Vec<Remote>, FetchError> {
        if files.is_empty() { Err(self.refused(format!("its artifacts in {place} have no files"))) } else { Ok(files) }
    }

    fn lost(&self, uri: &str, why: &str) -> FetchError {
        self.refused(format!("its source {uri} cannot be followed at {}: {why}", self.endpoint))
    }
}

/// One step from a source.
enum Followed {
    Files(Vec<Remote>),
    Source(String),
}

/// A path below an address, before its query where it has one.
fn appended(uri: &str, path: &str) -> String {
    let (place, query) = uri.split_at(uri.find('?').unwrap_or(uri.len()));
    let path = path.trim_matches('/');
    if path.is_empty() { uri.to_owned() } else { format!("{}/{path}{query}", place.trim_end_matches('/')) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_that_name_something_else_are_told_from_places() {
        for (uri, expected) in [
            ("runs:/0123/package", Source::Run { id: "0123", path: "package" }),
            ("runs:/0123/models/package/", Source::Run { id: "0123", path: "models/package" }),
            ("runs:/0123", Source::Run { id: "0123", path: "" }),
            ("models:/m-0123", Source::Logged("m-0123")),
            ("models:/intents/3", Source::Version { model: "intents", number: "3" }),
            ("mlflow-artifacts:/0/0123/artifacts/package", Source::Place),
            ("s3://bucket/runs:/x", Source::Place),
            ("/srv/models/package", Source::Place),
        ] {
            assert_eq!(Source::of(uri), expected, "{uri}");
        }
    }

    #[test]
    fn a_path_goes_before_the_query() {
        for (uri, path, expected) in [
            ("mlflow-artifacts:/0/r/artifacts", "package", "mlflow-artifacts:/0/r/artifacts/package"),
            ("s3://bucket/r/", "/a/b/", "s3://bucket/r/a/b"),
            ("s3://bucket/r?region=eu", "a", "s3://bucket/r/a?region=eu"),
            ("file:///srv/r", "", "file:///srv/r"),
        ] {
            assert_eq!(appended(uri, path), expected);
        }
    }
}
