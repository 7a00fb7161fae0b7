//! One file from a server to the disk: bounded, resumed where it broke off, and held against every promise.
//!
//! What is half there stays for the next attempt, of this process or of a later one, if its digest is known: then a
//! wrong beginning cannot go unnoticed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, HeaderMap};

use crate::address::shown;
use crate::digest::Promise;
use crate::error::FetchError;
use crate::http::{Attempt, Attempts, Http};
use crate::remote::{Place, Remote, Request};

/// Who promised the size of a file.
const LISTED: &str = "its listing";
/// How often a long download says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Downloads of one package, which share a bound.
pub(crate) struct Downloads<'a> {
    http: &'a Http,
    /// The package, for messages.
    address: String,
    bytes_max: u64,
    bytes_left: u64,
    bytes_done: u64,
    told: Instant,
}

impl<'a> Downloads<'a> {
    pub(crate) fn new(http: &'a Http, address: String, bytes_max: u64) -> Self {
        Self { http, address, bytes_max, bytes_left: bytes_max, bytes_done: 0, told: Instant::now() }
    }

    /// Fetches a file into a folder under its own name.
    ///
    /// # Errors
    /// When it cannot be reached, is too large, or is not what was promised; then nothing of it is left.
    pub(crate) async fn fetch(&mut self, remote: &Remote, folder: &Path) -> Result<PathBuf, FetchError> {
        let file = folder.join(&remote.name);
        let parent = file.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|source| cache("make the folder", parent, source))?;
        let mut promises = remote.promises.clone();
        match &remote.place {
            Place::File(source) => self.copy(source, &file)?,
            Place::Web(request) => {
                let was_begun = fs::metadata(&file).is_ok_and(|found| found.len() > 0);
                promises.extend(self.download(remote, request, &file).await?);
                if was_begun && self.check(remote, &promises, &file).is_err() {
                    // What an earlier process left may be of another time: once more, from the beginning.
                    fs::remove_file(&file).ok();
                    self.download(remote, request, &file).await?;
                }
            }
        }
        if let Err(error) = self.check(remote, &promises, &file) {
            fs::remove_file(&file).ok(); // the error says what it was
            return Err(error);
        }
        let bytes = fs::metadata(&file).map_err(|source| cache("read", &file, source))?.len();
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.bytes_done += bytes;
        Ok(file)
    }

    fn check(&self, remote: &Remote, promises: &[Promise], file: &Path) -> Result<(), FetchError> {
        let broken = |by, expected, found| FetchError::Digest {
            address: self.address.clone(),
            file: remote.name.clone(),
            promise: by,
            expected,
            found,
        };
        let found = fs::metadata(file).map_err(|source| cache("read", file, source))?.len();
        if let Some(expected) = remote.bytes.filter(|expected| *expected != found) {
            return Err(broken(LISTED, format!("{expected} bytes"), format!("{found} bytes")));
        }
        for promise in promises {
            if let Some(kept) = promise.broken(file).map_err(|source| cache("read", file, source))? {
                return Err(broken(kept.by, kept.expected, kept.found));
            }
        }
        Ok(())
    }

    /// Attempts until the file is whole; what its server promises of it comes back.
    async fn download(&mut self, remote: &Remote, request: &Request, file: &Path) -> Result<Vec<Promise>, FetchError> {
        if remote.bytes.is_some_and(|bytes| bytes > self.bytes_left) {
            return Err(self.too_large(remote));
        }
        let mut attempts = Attempts::new();
        let is_known = !remote.promises.is_empty();
        let mut begun = if is_known { fs::metadata(file).map_or(0, |found| found.len()) } else { 0 };
        if begun > 0 && remote.bytes == Some(begun) {
            return Ok(Vec::new());
        }
        loop {
            let failed = match self.attempt(remote, request, file, begun).await? {
                Ok(headers) => return Ok(promised(&headers)),
                Err(failed) => failed,
            };
            let passing = match failed {
                Attempt::Again(passing) => passing,
                Attempt::Refused(answer) => {
                    let problem =
                        format!("{} is expected to have {}: {}", shown(&request.url), remote.name, answer.line());
                    return Err(FetchError::Refused { address: self.address.clone(), problem });
                }
            };
            let now = fs::metadata(file).map_or(0, |found| found.len());
            if now > begun {
                attempts.progressed();
            }
            begun = if is_known { now } else { 0 };
            self.http.pause(&mut attempts, &self.address, &request.url, passing).await?;
        }
    }

    /// One request, for the bytes that are not there yet. The outer error ends the download.
    async fn attempt(
        &mut self,
        remote: &Remote,
        request: &Request,
        file: &Path,
        begun: u64,
    ) -> Result<Result<HeaderMap, Attempt>, FetchError> {
        let opened = match self.http.open(request, begun).await {
            Ok(opened) => opened,
            Err(Attempt::Refused(answer))
                if begun > 0 && answer.status == StatusCode::RANGE_NOT_SATISFIABLE.as_u16() =>
            {
                fs::remove_file(file).map_err(|source| cache("remove", file, source))?;
                return Ok(Err(Attempt::again("it has fewer bytes than were downloaded before")));
            }
            Err(attempt) => return Ok(Err(attempt)),
        };
        let mut response = opened.response;
        let goes_on =
            begun > 0 && response.status() == StatusCode::PARTIAL_CONTENT && continues(response.headers(), begun);
        let mut written = if goes_on { begun } else { 0 };
        let mut options = OpenOptions::new();
        let options = if goes_on { options.append(true) } else { options.write(true).create(true).truncate(true) };
        let mut out = options.open(file).map_err(|source| cache("write", file, source))?;
        let mut headers = opened.first;
        headers.extend(response.headers().clone());
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    written += chunk.len() as u64;
                    let is_longer = remote.bytes.is_some_and(|listed| written > listed);
                    if is_longer || written > self.bytes_left {
                        drop(out);
                        fs::remove_file(file).ok(); // it is refused in any case
                        return Err(if is_longer { self.too_long(remote) } else { self.too_large(remote) });
                    }
                    out.write_all(&chunk).map_err(|source| cache("write", file, source))?;
                    self.tell(remote, written);
                }
                Ok(None) => return out.sync_all().map(|()| Ok(headers)).map_err(|source| cache("write", file, source)),
                Err(error) => return Ok(Err(Attempt::again(error.without_url()))),
            }
        }
    }

    fn copy(&self, source: &Path, file: &Path) -> Result<(), FetchError> {
        let wrong = |error: io::Error| FetchError::Refused {
            address: self.address.clone(),
            problem: format!("{} cannot be read: {error}", source.display()),
        };
        let input = File::open(source).map_err(wrong)?;
        let mut out = File::create(file).map_err(|source| cache("write", file, source))?;
        let copied = io::copy(&mut input.take(self.bytes_left.saturating_add(1)), &mut out).map_err(wrong)?;
        if copied > self.bytes_left {
            fs::remove_file(file).ok(); // it is refused in any case
            let what = "the package".to_owned();
            return Err(FetchError::TooLarge { address: self.address.clone(), what, bytes_max: self.bytes_max });
        }
        out.sync_all().map_err(|source| cache("write", file, source))
    }

    fn too_long(&self, remote: &Remote) -> FetchError {
        let listed = remote.bytes.unwrap_or_default();
        FetchError::Digest {
            address: self.address.clone(),
            file: remote.name.clone(),
            promise: LISTED,
            expected: format!("{listed} bytes"),
            found: "more".to_owned(),
        }
    }

    fn too_large(&self, remote: &Remote) -> FetchError {
        let listed = remote.bytes.filter(|bytes| *bytes <= self.bytes_left);
        FetchError::TooLarge {
            address: self.address.clone(),
            what: listed.map_or_else(|| "the package".to_owned(), |bytes| format!("{} (listed: {bytes})", remote.name)),
            bytes_max: self.bytes_max,
        }
    }

    fn tell(&mut self, remote: &Remote, written: u64) {
        if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            tracing::info!(
                package = self.address,
                file = remote.name,
                bytes = written,
                of = remote.bytes,
                bytes_before = self.bytes_done,
                "fetching"
            );
        }
    }
}

/// Digests in the headers of an answer: of the hub, which redirects to its storage, and of S3.
fn promised(headers: &HeaderMap) -> Vec<Promise> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let hub = text("x-linked-etag").and_then(|tag| Promise::tag(tag, "the hub"));
    let bucket = text("x-amz-checksum-sha256").and_then(|sum| Promise::base64(sum, "the bucket"));
    hub.into_iter().chain(bucket).collect()
}

/// True when a partial answer begins where it was asked to.
fn continues(headers: &HeaderMap, begun: u64) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {begun}-")))
}

fn cache(action: &'static str, path: &Path, source: io::Error) -> FetchError {
    FetchError::Cache { action, path: path.to_owned(), source }
}
