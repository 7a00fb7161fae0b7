//! GET requests: bounded, repeated with growing waits, and redirected without taking credentials along.
//!
//! There is one place that repeats, so that there is one budget. An answer that no repeat changes is a value
//! ([`Answer`]), because its meaning differs from server to server.

use service::backoff::jittered;
use service::chain;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderValue, LOCATION, RANGE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use url::Url;

use crate::address::{is_loopback, shown};
use crate::error::{Cause, FetchError};
use crate::remote::Request;
use crate::settings::PackagesConfig;

/// More redirects than this are a circle.
const REDIRECTS_MAX: usize = 10;
/// A server may ask for a longer wait, up to this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// Bytes of an answer that says no, for its message.
const REFUSAL_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an answer that is read whole: a list of files, a `labelstream.json`.
pub(crate) const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A client with its waits.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    allow_http: bool,
    attempts_max: u32,
    retry_wait: Duration,
}

/// A refusal: what a repeat would get again.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Of HTTP; 0 when there was no usable answer.
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Why one attempt failed.
#[derive(Debug)]
pub(crate) enum Attempt {
    Again(Passing),
    Refused(Answer),
}

/// What may be over in a moment.
#[derive(Debug)]
pub(crate) struct Passing {
    cause: Cause,
    /// When, if the server has said so.
    wait: Option<Duration>,
}

/// An answer whose body can be read.
pub(crate) struct Opened {
    pub(crate) response: Response,
    /// What the first server of a chain of redirects said about the file.
    pub(crate) first: HeaderMap,
}

/// Attempts that failed in a row.
#[derive(Debug)]
pub(crate) struct Attempts {
    began: Instant,
    failed: u32,
}

impl Http {
    pub(crate) fn new(config: &PackagesConfig) -> Result<Self, FetchError> {
        // TLS by ring, once in a process; another part of it may have chosen already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = Client::builder()
            .connect_timeout(config.connect_wait)
            .read_timeout(config.idle_wait)
            .redirect(Policy::none())
            .user_agent(concat!("labelstream/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| FetchError::Client(error.into()))?;
        Ok(Self {
            client,
            allow_http: config.allow_http,
            attempts_max: config.attempts_max,
            retry_wait: config.retry_wait,
        })
    }

    /// Reads an answer whole.
    pub(crate) async fn get(&self, address: &str, request: &Request) -> Result<Result<Vec<u8>, Answer>, FetchError> {
        let mut attempts = Attempts::new();
        loop {
            let read = match self.open(request, 0).await {
                Ok(opened) => read(opened.response, ANSWER_BYTES_MAX).await,
                Err(attempt) => Err(attempt),
            };
            match read {
                Ok(bytes) => return Ok(Ok(bytes)),
                Err(Attempt::Refused(answer)) => return Ok(Err(answer)),
                Err(Attempt::Again(passing)) => self.pause(&mut attempts, address, &request.url, passing).await?,
            }
        }
    }

    /// Waits before the next attempt; the error when there is none.
    pub(crate) async fn pause(
        &self,
        attempts: &mut Attempts,
        address: &str,
        url: &Url,
        passing: Passing,
    ) -> Result<(), FetchError> {
        let Passing { cause, wait: asked_wait } = passing;
        attempts.failed += 1;
        let asked = shown(url);
        if attempts.failed >= self.attempts_max {
            return Err(FetchError::Unreachable {
                address: address.to_owned(),
                asked,
                attempts: attempts.failed,
                waited: attempts.began.elapsed(),
                source: cause,
            });
        }
        tracing::info!(asked, attempts = attempts.failed, error = chain(cause.as_ref()), "request failed, retrying");
        let wait = jittered(self.retry_wait, attempts.failed);
        tokio::time::sleep(wait.max(asked_wait.unwrap_or_default().min(RETRY_AFTER_MAX))).await;
        Ok(())
    }

    /// One attempt: sends the request, for the bytes from `from` on, and follows redirects to the body.
    pub(crate) async fn open(&self, request: &Request, from: u64) -> Result<Opened, Attempt> {
        let mut next = request.clone();
        let mut first: Option<HeaderMap> = None;
        for _ in 0..=REDIRECTS_MAX {
            let mut builder = self.client.get(next.url.clone()).headers(next.headers.clone());
            if from > 0 {
                builder = builder.header(RANGE, format!("bytes={from}-"));
            }
            let response = builder.send().await.map_err(|error| Attempt::again(error.without_url()))?;
            let first = first.get_or_insert_with(|| response.headers().clone());
            if response.status().is_redirection() {
                next = self.redirected(&next, response.headers().get(LOCATION))?;
            } else if response.status().is_success() {
                return Ok(Opened { response, first: std::mem::take(first) });
            } else {
                return Err(refusal(response).await);
            }
        }
        Err(Attempt::Refused(Answer { status: 0, body: format!("more than {REDIRECTS_MAX} redirects") }))
    }

    /// Where a redirect leads; credentials stay with the server that they are for.
    fn redirected(&self, from: &Request, location: Option<&HeaderValue>) -> Result<Request, Attempt> {
        let refused = |body: String| Attempt::Refused(Answer { status: 0, body });
        let url = location.and_then(|location| location.to_str().ok()).and_then(|to| from.url.join(to).ok());
        let Some(url) = url else { return Err(refused(format!("{} redirects to nowhere", shown(&from.url)))) };
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && (self.allow_http || is_loopback(&url)));
        if !is_safe || (from.url.scheme() == "https" && url.scheme() != "https") {
            return Err(refused(format!("it redirects to {}, which is not https", shown(&url))));
        }
        let headers = if url.origin() == from.url.origin() { from.headers.clone() } else { HeaderMap::new() };
        Ok(Request { url, headers })
    }
}

impl Attempt {
    /// Something that may be over in a moment.
    pub(crate) fn again(cause: impl Into<Cause>) -> Self {
        Self::Again(Passing { cause: cause.into(), wait: None })
    }
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), failed: 0 }
    }

    /// There was progress: failures are counted from zero.
    pub(crate) fn progressed(&mut self) {
        self.failed = 0;
    }
}

/// A body within its bound.
async fn read(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, Attempt> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Attempt::again(error.without_url()))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > bytes_max {
            let body = format!("an answer of more than {bytes_max} bytes");
            return Err(Attempt::Refused(Answer { status: 0, body }));
        }
    }
    Ok(bytes)
}

async fn refusal(response: Response) -> Attempt {
    let status = response.status();
    let seconds = |value: &HeaderValue| value.to_str().ok()?.parse().ok();
    let wait = response.headers().get(RETRY_AFTER).and_then(seconds).map(Duration::from_secs);
    let is_passing = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
    if is_passing
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS].contains(&status)
    {
        return Attempt::Again(Passing { cause: format!("it answers {status}").into(), wait });
    }
    let body = read(response, REFUSAL_BYTES_MAX).await.unwrap_or_default();
    Attempt::Refused(Answer { status: status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() })
}

impl Answer {
    /// The answer in one short line.
    pub(crate) fn line(&self) -> String {
        const CHARACTERS_MAX: usize = 200;
        let words: Vec<&str> = self.body.split_whitespace().collect();
        let text: String = words.join(" ").chars().filter(|letter| !letter.is_control()).take(CHARACTERS_MAX).collect();
        match (self.status, text.is_empty()) {
            (0, _) => text,
            (status, true) => format!("it answers {status}"),
            (status, false) => format!("it answers {status}: {text}"),
        }
    }
}
