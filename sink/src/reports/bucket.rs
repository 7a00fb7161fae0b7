//! Reports in a bucket of any S3 API. An object appears when its last byte is stored, and not before.
//!
//! A small file is one request; a larger one is sent in parts, of which nothing can be seen until they are joined. When
//! that fails the parts are given back; what a killed process left is found later ([`super::leftovers`]).
//! Credentials come from the `AWS_*` variables, else from a web identity, the container or the machine; they are held
//! by the client alone and are in no message.

use std::fmt;
use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpClient, HttpConnector as _, ReqwestConnector};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{ClientOptions, HeaderValue, MultipartId, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig};
use tokio::runtime::Runtime;

use super::attempts::Failure;
use super::error::Cause;
use super::refusal;
use super::settings::{BucketPlace, ReportsConfig};

/// How long giving back the parts of a failed upload may take: the upload is invisible either way.
const ABORT_WAIT: Duration = Duration::from_secs(5);

/// A prefix of a bucket, and a runtime of one thread that talks to it.
pub(super) struct Bucket {
    pub(super) place: BucketPlace,
    pub(super) store: AmazonS3,
    /// For the request that the client library does not know.
    pub(super) http: HttpClient,
    pub(super) runtime: Runtime,
    part_bytes: usize,
}

impl fmt::Debug for Bucket {
    /// Without the client: it holds credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Bucket {
    /// A client of this place; nothing is sent yet.
    pub(super) fn new(place: &BucketPlace, config: &ReportsConfig) -> Result<Self, Failure> {
        let unusable = "the settings of the bucket cannot be used: check reports.url, reports.endpoint and AWS_*";
        let refused = |cause: Cause| Failure::Refused(unusable, cause);
        // TLS by ring, once in a process; another part of it may have chosen already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let options = ClientOptions::new()
            .with_allow_http(place.allow_http)
            .with_connect_timeout(config.connect_wait)
            .with_timeout(config.request_wait)
            .with_user_agent(HeaderValue::from_static(concat!("labelstream/", env!("CARGO_PKG_VERSION"))));
        let builder = builder(place).with_client_options(options.clone());
        let http = ReqwestConnector::default().connect(&options).map_err(|error| refused(error.into()))?;
        let store = builder.build().map_err(|error| refused(error.into()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(2)
            .thread_name("reports")
            .enable_all()
            .build()
            .map_err(|error| Failure::Again(error.into()))?;
        Ok(Self { place: place.clone(), store, http, runtime, part_bytes: config.part_bytes })
    }

    /// Asks the bucket for its first names: it is there, and lets us in.
    pub(super) fn ask(&self, deadline: Instant) -> Result<(), Failure> {
        self.within(deadline, self.store.list_with_delimiter(Some(&self.key("drift")?))).map(drop)
    }

    /// The full name of an object, for messages.
    pub(super) fn name(&self, path: &str) -> String {
        format!("s3://{}/{}", self.place.bucket, self.joined(path))
    }

    /// Stores an object: all of it or nothing.
    pub(super) fn put(&self, path: &str, bytes: &Bytes, deadline: Instant) -> Result<(), Failure> {
        let key = self.key(path)?;
        if bytes.len() <= self.part_bytes {
            let payload = PutPayload::from_bytes(bytes.clone());
            return self.within(deadline, self.store.put(&key, payload)).map(drop);
        }
        let id = self.within(deadline, self.store.create_multipart(&key))?;
        let sent = self.send_parts(&key, &id, bytes, deadline);
        if sent.is_err() {
            let until = Instant::now() + ABORT_WAIT;
            if let Err(failure) = self.within(until, self.store.abort_multipart(&key, &id)) {
                tracing::debug!(
                    key = %key, ?failure,
                    "failed to delete the parts of a failed upload; a later start deletes them"
                );
            }
        }
        sent
    }

    fn send_parts(&self, key: &Path, id: &MultipartId, bytes: &Bytes, deadline: Instant) -> Result<(), Failure> {
        let mut parts: Vec<PartId> = Vec::new();
        for begin in (0..bytes.len()).step_by(self.part_bytes) {
            let part = bytes.slice(begin..bytes.len().min(begin + self.part_bytes));
            let payload = PutPayload::from_bytes(part);
            parts.push(self.within(deadline, self.store.put_part(key, id, parts.len(), payload))?);
        }
        self.within(deadline, self.store.complete_multipart(key, id, parts)).map(drop)
    }

    pub(super) fn get(&self, path: &str, deadline: Instant) -> Result<Bytes, Failure> {
        let key = self.key(path)?;
        self.within(deadline, async { self.store.get(&key).await?.bytes().await })
    }

    /// The names directly below a folder, in their order.
    pub(super) fn names(&self, folder: &str, deadline: Instant) -> Result<Vec<String>, Failure> {
        let prefix = self.key(folder)?;
        let found = self.within(deadline, self.store.list_with_delimiter(Some(&prefix)))?;
        let objects = found.objects.into_iter().map(|object| object.location);
        let paths = found.common_prefixes.into_iter().chain(objects);
        let mut names: Vec<String> = paths.filter_map(|path| path.filename().map(str::to_owned)).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// The key below the prefix, as it will stand in the bucket: nothing is escaped a second time.
    pub(super) fn key(&self, path: &str) -> Result<Path, Failure> {
        Path::parse(self.joined(path)).map_err(|error| Failure::Refused("the path cannot be a key", error.into()))
    }

    /// The key below the prefix as a text.
    pub(super) fn joined(&self, path: &str) -> String {
        if self.place.prefix.is_empty() { path.to_owned() } else { format!("{}/{path}", self.place.prefix) }
    }

    /// Waits for a request, but not beyond the deadline.
    pub(super) fn within<T>(
        &self,
        deadline: Instant,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.runtime.block_on(async { tokio::time::timeout(left, request).await }) {
            Ok(answer) => answer.map_err(refusal::judge),
            Err(_) => Err(Failure::Again(io::Error::from(io::ErrorKind::TimedOut).into())),
        }
    }
}

fn builder(place: &BucketPlace) -> AmazonS3Builder {
    // Repeats are ours: see `attempts`.
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(&place.bucket)
        .with_virtual_hosted_style_request(!place.path_style)
        .with_retry(retry);
    if let Some(region) = &place.region {
        builder = builder.with_region(region);
    }
    match &place.endpoint {
        Some(endpoint) if place.path_style => builder.with_endpoint(endpoint),
        Some(endpoint) => builder.with_endpoint(with_host(endpoint, &place.bucket)),
        None => builder,
    }
}

/// The endpoint of a bucket that is named in the host: `https://bucket.minio:9000`.
fn with_host(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) => format!("{scheme}://{bucket}.{host}"),
        None => endpoint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_may_stand_in_the_host() {
        assert_eq!(with_host("https://minio:9000", "reports"), "https://reports.minio:9000");
    }
}
