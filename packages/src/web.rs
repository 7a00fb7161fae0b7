//! A package on any web server, named with the SHA-256 of one file: an archive, or the `labelstream.json` of a folder.
//!
//! The `labelstream.json` promises the digests of the other files, in the same folder; so one digest is enough.

use url::Url;

use crate::contents::Manifest;
use crate::digest::{Promise, sha256_of};
use crate::error::FetchError;
use crate::http::Http;
use crate::hub::escaped;
use crate::remote::{Content, Place, Remote, Request, Resolved};

/// Who promised the digest of the first file.
const PROMISED: &str = "its address";

/// What is behind an address; only a `labelstream.json` has to be asked for.
pub(crate) async fn resolve(http: &Http, address: &str, url: &Url, sha256: &str) -> Result<Resolved, FetchError> {
    let first = |name: &str| Remote {
        name: name.to_owned(),
        place: Place::Web(Request::new(url.clone())),
        bytes: None,
        promises: vec![Promise::sha256(sha256, PROMISED)],
    };
    let file = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    let content = if file.ends_with(".json") {
        Content::Files(listed(http, address, url, sha256, first(Manifest::NAME)).await?)
    } else {
        Content::Archive(Box::new(first(file)))
    };
    Ok(Resolved { pin: format!("sha256:{sha256}"), said: format!("sha256:{sha256}"), content })
}

async fn listed(http: &Http, address: &str, url: &Url, sha256: &str, first: Remote) -> Result<Vec<Remote>, FetchError> {
    let refused = |problem: String| FetchError::Refused { address: address.to_owned(), problem };
    let answer = http.get(address, &Request::new(url.clone())).await?.map_err(|answer| refused(answer.line()))?;
    let found = sha256_of(&answer);
    if found != sha256 {
        return Err(FetchError::Digest {
            address: address.to_owned(),
            file: Manifest::NAME.to_owned(),
            promise: PROMISED,
            expected: sha256.to_owned(),
            found,
        });
    }
    let manifest = Manifest::parse(&answer).map_err(refused)?;
    let mut files = vec![first];
    for name in manifest.names() {
        let path: Vec<String> = name.split('/').map(escaped).collect();
        let mut beside = url.join(&path.join("/")).map_err(|error| refused(format!("{name}: {error}")))?;
        // A token in the query is good for the files beside, too.
        beside.set_query(url.query());
        files.push(Remote {
            name: name.to_owned(),
            place: Place::Web(Request::new(beside)),
            bytes: None,
            promises: Vec::new(),
        });
    }
    Ok(files)
}
