//! A prefix of a bucket of any S3 API.
//!
//! Objects are listed with the credentials of the environment, and then fetched from addresses that are signed for this
//! one purpose, as any other file. The tags of its objects tell which version a prefix holds.

use std::time::{Duration, Instant};

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{ClientOptions, ListResult, ObjectStore, RetryConfig};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::digest::sha256_of;
use crate::error::FetchError;
use crate::remote::{Content, Place, Remote, Request, Resolved};
use crate::settings::{PackagesConfig, Variables, server};

/// Folders below a package that are looked into: `onnx`, and `package/onnx` of MLflow's artifacts.
const DEPTH: usize = 2;

/// Makes S3 say the checksum that an object was stored with.
const CHECKSUM: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-amz-checksum-mode"), HeaderValue::from_static("ENABLED"));

/// The address of the S3 API, of the settings or of the environment; `None` is Amazon's own.
pub(crate) fn endpoint(config: &PackagesConfig, variables: &Variables) -> Result<Option<String>, String> {
    let Some(text) = config.s3_endpoint.as_ref().or(variables.s3_endpoint.as_ref()) else { return Ok(None) };
    // That of the settings is known to be good.
    let url = server(text, config.allow_http).map_err(|error| format!("AWS_ENDPOINT_URL: {error}"))?;
    Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
}

/// Lists a prefix; its tags name the content.
pub(crate) async fn resolve(
    address: &str,
    place: (&str, &str),
    config: &PackagesConfig,
    endpoint: Option<&str>,
) -> Result<Resolved, FetchError> {
    let listed = list(address, place, config, endpoint).await?;
    let tags: Vec<String> = listed.iter().map(|(name, bytes, tag)| format!("{name} {bytes} {tag}")).collect();
    let tags = sha256_of(tags.join("\n").as_bytes());
    let server = endpoint.unwrap_or_default();
    Ok(Resolved {
        pin: format!("{address} {tags} at {server}"),
        said: format!("tags {}", &tags[..12]),
        content: Content::Files(signed(address, place, listed, config, endpoint).await?),
    })
}

/// The files below a prefix, with signed addresses.
pub(crate) async fn files(
    address: &str,
    place: (&str, &str),
    config: &PackagesConfig,
    endpoint: Option<&str>,
) -> Result<Vec<Remote>, FetchError> {
    let listed = list(address, place, config, endpoint).await?;
    signed(address, place, listed, config, endpoint).await
}

/// Name below the prefix, bytes and tag of each object, in the order of their names.
async fn list(
    address: &str,
    (bucket, prefix): (&str, &str),
    config: &PackagesConfig,
    endpoint: Option<&str>,
) -> Result<Vec<(String, u64, String)>, FetchError> {
    let refused = |problem: String| FetchError::Refused { address: address.to_owned(), problem };
    let store = store(bucket, config, endpoint).map_err(|error| refused(explain(&error)))?;
    let began = Instant::now();
    let (mut found, mut folders) = (Vec::new(), vec![(Path::from(prefix), DEPTH)]);
    while let Some((folder, depth)) = folders.pop() {
        let ListResult { common_prefixes, objects, .. } =
            store.list_with_delimiter(Some(&folder)).await.map_err(|error| judge(address, config, began, error))?;
        if depth > 0 {
            folders.extend(common_prefixes.into_iter().map(|folder| (folder, depth - 1)));
        }
        for object in objects {
            let key = object.location.as_ref();
            let name = key.strip_prefix(prefix).unwrap_or(key).trim_start_matches('/').to_owned();
            found.push((name, object.size, object.e_tag.unwrap_or_default()));
        }
        if found.len() + folders.len() > config.files_max {
            return Err(refused(format!("it has more than {} files (packages.files_max)", config.files_max)));
        }
    }
    if found.is_empty() {
        return Err(refused(format!(
            "the bucket {bucket} has nothing below {prefix:?}: expected the files of a package"
        )));
    }
    found.sort();
    Ok(found)
}

async fn signed(
    address: &str,
    (bucket, prefix): (&str, &str),
    listed: Vec<(String, u64, String)>,
    config: &PackagesConfig,
    endpoint: Option<&str>,
) -> Result<Vec<Remote>, FetchError> {
    let refused =
        |error: &object_store::Error| FetchError::Refused { address: address.to_owned(), problem: explain(error) };
    let store = store(bucket, config, endpoint).map_err(|error| refused(&error))?;
    let headers = HeaderMap::from_iter([CHECKSUM]);
    let options = SignedUrlOptions::new().with_signed_header(CHECKSUM.0, CHECKSUM.1);
    let mut files = Vec::new();
    for (name, bytes, _) in listed {
        let key = Path::from(format!("{prefix}/{name}"));
        let url = store.signed_url_opts(Method::GET, &key, signed_for(config), &options).await;
        let request = Request { url: url.map_err(|error| refused(&error))?, headers: headers.clone() };
        files.push(Remote { name, place: Place::Web(request), bytes: Some(bytes), promises: Vec::new() });
    }
    Ok(files)
}

/// Signed addresses live as long as fetching may take.
fn signed_for(config: &PackagesConfig) -> Duration {
    config.fetch_wait.max(Duration::from_secs(60))
}

fn store(bucket: &str, config: &PackagesConfig, endpoint: Option<&str>) -> object_store::Result<AmazonS3> {
    let retry = RetryConfig {
        max_retries: usize::try_from(config.attempts_max).unwrap_or(usize::MAX).saturating_sub(1),
        retry_timeout: config.fetch_wait,
        ..RetryConfig::default()
    };
    let options = ClientOptions::new()
        .with_connect_timeout(config.connect_wait)
        .with_timeout(config.idle_wait)
        .with_user_agent(HeaderValue::from_static(concat!("labelstream/", env!("CARGO_PKG_VERSION"))));
    let mut builder =
        AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry).with_client_options(options);
    if let Some(endpoint) = endpoint {
        // Plain HTTP passed its check: this machine, or allowed.
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    if let Some(region) = &config.s3_region {
        builder = builder.with_region(region);
    }
    builder.build()
}

/// What a store that fails means: no answer, or an answer that no repeat changes.
fn judge(address: &str, config: &PackagesConfig, began: Instant, error: object_store::Error) -> FetchError {
    match error {
        object_store::Error::Generic { source, .. } => FetchError::Unreachable {
            address: address.to_owned(),
            asked: "the bucket".to_owned(),
            attempts: config.attempts_max,
            waited: began.elapsed(),
            source: source.to_string().into(), // it tells what is below it, too
        },
        error => FetchError::Refused { address: address.to_owned(), problem: explain(&error) },
    }
}

fn explain(error: &object_store::Error) -> String {
    let advice = "check the bucket's name, packages.s3_endpoint and the AWS_* variables";
    format!("{advice}: {error}")
}
