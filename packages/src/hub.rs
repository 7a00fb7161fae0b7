//! The Hugging Face hub, or a mirror that answers as it does.
//!
//! `GET /api/models/{repository}/revision/{revision}?blobs=true` says which commit a branch is and lists its files with
//! their digests: SHA-256 of large ones, git's name of small ones. `GET /{repository}/resolve/{commit}/{file}` has them.

use reqwest::header::AUTHORIZATION;
use serde::Deserialize;
use url::Url;

use crate::digest::Promise;
use crate::error::FetchError;
use crate::http::{Answer, Http};
use crate::remote::{Content, Place, Remote, Request, Resolved};
use crate::settings::{PackagesConfig, Variables, server};

/// Hexadecimal digits of a commit.
const COMMIT_DIGITS: usize = 40;

#[derive(Deserialize)]
struct Revision {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    #[serde(rename = "rfilename")]
    name: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
}

/// True for a revision that never moves.
pub(crate) fn is_commit(revision: &str) -> bool {
    revision.len() == COMMIT_DIGITS && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The hub's address, of the settings or of the environment.
pub(crate) fn endpoint(config: &PackagesConfig, variables: &Variables) -> Result<Url, String> {
    match &config.hub_endpoint {
        Some(endpoint) => Ok(endpoint.clone()),
        None => server(&variables.hub_endpoint, config.allow_http).map_err(|error| format!("HF_ENDPOINT: {error}")),
    }
}

/// Asks which commit a revision is, and for its files.
pub(crate) async fn resolve(
    http: &Http,
    address: &str,
    endpoint: &Url,
    variables: &Variables,
    (repository, revision): (&str, &str),
) -> Result<Resolved, FetchError> {
    let refused = |problem: String| FetchError::Refused { address: address.to_owned(), problem };
    let request = |path: &str| {
        let mut request = Request::new(endpoint.join(path).expect("a path of plain characters"));
        request.headers.extend(variables.hub_authorization.clone().map(|value| (AUTHORIZATION, value)));
        request
    };
    let path = format!("api/models/{repository}/revision/{}?blobs=true", revision.replace('/', "%2F"));
    let asked = request(&path);
    let answer = http.get(address, &asked).await?.map_err(|answer| refused(explain(&answer, endpoint, repository)))?;
    let found: Revision = serde_json::from_slice(&answer)
        .map_err(|error| refused(format!("{endpoint} does not respond like the Hugging Face hub: {error}")))?;
    if !is_commit(&found.sha) {
        return Err(refused(format!("{endpoint} names no commit for {revision}: found {:?}", found.sha)));
    }
    let commit = found.sha;
    let files = found.siblings.into_iter().map(|sibling| {
        let large = sibling.lfs.as_ref().and_then(|lfs| lfs.sha256.as_deref());
        let promise = large.or(sibling.blob.as_deref()).and_then(|tag| Promise::tag(tag, "the hub"));
        let path: Vec<String> = sibling.name.split('/').map(escaped).collect();
        Remote {
            place: Place::Web(request(&format!("{repository}/resolve/{commit}/{}", path.join("/")))),
            name: sibling.name,
            bytes: sibling.size,
            promises: promise.into_iter().collect(),
        }
    });
    let files = files.collect();
    Ok(Resolved {
        pin: format!("hf://{repository}@{commit}"),
        said: format!("commit {commit}"),
        content: Content::Files(files),
    })
}

/// A name as a part of a path: other characters than plain ones as bytes.
pub(crate) fn escaped(part: &str) -> String {
    part.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn explain(answer: &Answer, endpoint: &Url, repository: &str) -> String {
    let what = match answer.status {
        401 | 403 => format!("{endpoint} denies access: set HF_TOKEN to one that may read {repository}"),
        404 => format!("{endpoint} has no such repository or revision, or HF_TOKEN may not read it"),
        _ => format!("{endpoint} was asked for {repository}"),
    };
    format!("{what}: {}", answer.line())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_commit_never_moves() {
        assert!(is_commit("ce013625030ba8dba906f756967f9e9ca394464a"));
        for moving in ["main", "v1.0", "ce01362"] {
            assert!(!is_commit(moving), "{moving}");
        }
    }

    #[test]
    fn names_are_parts_of_paths() {
        assert_eq!(escaped("a b%?#ä.json"), "a%20b%25%3F%23%C3%A4.json");
    }
}
