//! Where reports are kept, and how long a store may take.
//!
//! [`ReportsSettings`] is `[reports]` as written; [`ReportsConfig`] is what passed every check. There is no setting for
//! credentials: they come from the usual `AWS_*` variables or from the machine's own identity, and are never printed.

use std::path::PathBuf;
use std::time::Duration;

use schemas::Problem;
use serde::Deserialize;

/// Bytes of a part of a multipart upload: S3 takes none below 5 MiB but the last.
const PART_BYTES_MIN: usize = 5 * 1024 * 1024;

/// Far above any report, and small enough to be held in memory part by part.
const PART_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// `[reports]` as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportsSettings {
    /// A folder, or `s3://bucket/prefix`.
    pub url: String,
    /// The address of an S3 API other than Amazon's, such as `http://minio:9000`.
    pub endpoint: Option<String>,
    /// The bucket's region; `AWS_REGION`, else `us-east-1`, when not set.
    pub region: Option<String>,
    /// The bucket's name in the path of a request, or in the host name.
    pub path_style: bool,
    /// Talk without TLS, which shows reports and signatures to the network.
    pub allow_http: bool,
    /// Reaching the store, per attempt.
    pub connect_wait_ms: u64,
    /// One request to the store, per attempt.
    pub request_wait_ms: u64,
    /// Writing one report, all attempts together.
    pub write_wait_ms: u64,
    /// The wait before the second attempt; it doubles each time, up to 32 times, and is spread at random.
    pub retry_wait_ms: u64,
    /// A larger file goes to S3 in parts of this size.
    pub part_bytes: usize,
    /// Reports kept while the store cannot be reached; then reading stops until it can.
    pub pending_max: usize,
}

/// Checked settings of a report store.
#[derive(Clone, Debug)]
pub struct ReportsConfig {
    pub(super) place: Place,
    pub(super) connect_wait: Duration,
    pub(super) request_wait: Duration,
    pub(super) write_wait: Duration,
    pub(super) retry_wait: Duration,
    pub(super) part_bytes: usize,
    pending_max: usize,
}

/// Which kind of store, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Folder(PathBuf),
    Bucket(BucketPlace),
}

/// A prefix of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BucketPlace {
    pub(super) bucket: String,
    /// Without slashes at its ends; empty for the whole bucket.
    pub(super) prefix: String,
    pub(super) endpoint: Option<String>,
    pub(super) region: Option<String>,
    pub(super) path_style: bool,
    pub(super) allow_http: bool,
}

impl ReportsConfig {
    /// Reports kept while the store cannot be reached.
    pub fn pending_max(&self) -> usize {
        self.pending_max
    }

    /// What one call of [`super::ReportStore::write`] may take, for relations with other waits.
    pub fn write_wait(&self) -> Duration {
        self.write_wait
    }

    /// A folder with the usual waits, for tests and for commands that take a folder as an argument.
    pub fn of_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            place: Place::Folder(folder.into()),
            connect_wait: Duration::from_secs(5),
            request_wait: Duration::from_secs(30),
            write_wait: Duration::from_secs(30),
            retry_wait: Duration::from_millis(100),
            part_bytes: 8 * 1024 * 1024,
            pending_max: 64,
        }
    }

    /// The same with another bound on reports that wait.
    #[must_use]
    pub fn with_pending_max(self, pending_max: usize) -> Self {
        Self { pending_max, ..self }
    }
}

impl TryFrom<ReportsSettings> for ReportsConfig {
    type Error = Vec<Problem>;

    fn try_from(settings: ReportsSettings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, expected: String| problems.push(Problem::new(format!("reports.{key}"), expected));
        let place = place(&settings, &mut problem);
        check_waits(&settings, &mut problem);
        if !(PART_BYTES_MIN..=PART_BYTES_MAX).contains(&settings.part_bytes) {
            let found = settings.part_bytes;
            problem("part_bytes", format!("expected {PART_BYTES_MIN} to {PART_BYTES_MAX} bytes, found {found}"));
        }
        if settings.pending_max == 0 {
            problem("pending_max", "expected at least 1, found 0".to_owned());
        }
        let milliseconds = Duration::from_millis;
        match place {
            Some(place) if problems.is_empty() => Ok(Self {
                place,
                connect_wait: milliseconds(settings.connect_wait_ms),
                request_wait: milliseconds(settings.request_wait_ms),
                write_wait: milliseconds(settings.write_wait_ms),
                retry_wait: milliseconds(settings.retry_wait_ms),
                part_bytes: settings.part_bytes,
                pending_max: settings.pending_max,
            }),
            _ => Err(problems),
        }
    }
}

fn place(settings: &ReportsSettings, problem: &mut impl FnMut(&str, String)) -> Option<Place> {
    let url = settings.url.trim();
    if let Some(path) = url.strip_prefix("s3://") {
        return bucket(path, settings, problem).map(Place::Bucket);
    }
    for (key, is_set) in [("endpoint", settings.endpoint.is_some()), ("region", settings.region.is_some())] {
        if is_set {
            problem(key, format!("expected reports.url to be s3://bucket/prefix with it, found {url:?}"));
        }
    }
    let path = url.strip_prefix("file://").unwrap_or(url);
    if path.is_empty() || path.contains("://") {
        problem("url", format!("expected a folder or s3://bucket/prefix, found {url:?}"));
        return None;
    }
    Some(Place::Folder(PathBuf::from(path)))
}

fn bucket(path: &str, settings: &ReportsSettings, problem: &mut impl FnMut(&str, String)) -> Option<BucketPlace> {
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    let is_name = (3..=63).contains(&bucket.len())
        && bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if !is_name {
        problem("url", format!("expected a bucket of 3 to 63 letters, digits, '.', '-' and '_', found {bucket:?}"));
    }
    let prefix = prefix.trim_matches('/');
    let is_plain = prefix.split('/').all(|part| {
        (prefix.is_empty() || !part.is_empty())
            && !matches!(part, "." | "..")
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-=".contains(&byte))
    });
    if !is_plain {
        problem("url", format!("expected a prefix of letters, digits, '.', '_', '-', '=' and '/', found {prefix:?}"));
    }
    if let Some(endpoint) = &settings.endpoint {
        check_endpoint(endpoint, settings.allow_http, problem);
    }
    (is_name && is_plain).then(|| BucketPlace {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: settings.endpoint.as_deref().map(|endpoint| endpoint.trim_end_matches('/').to_owned()),
        region: settings.region.clone(),
        path_style: settings.path_style,
        allow_http: settings.allow_http,
    })
}

fn check_endpoint(endpoint: &str, allow_http: bool, problem: &mut impl FnMut(&str, String)) {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    // A user name or password in it would be printed with every message.
    if rest.is_none_or(|host| host.is_empty() || host.contains(['@', '?', '#', ' '])) {
        let found = if endpoint.contains('@') { "one with a user's name" } else { endpoint };
        problem("endpoint", format!("expected http:// or https:// and a host, found {found:?}"));
    } else if endpoint.starts_with("http://") && !allow_http {
        problem("endpoint", format!("expected https, or reports.allow_http = true with it, found {endpoint:?}"));
    }
}

fn check_waits(settings: &ReportsSettings, problem: &mut impl FnMut(&str, String)) {
    for (key, value, least) in [
        ("connect_wait_ms", settings.connect_wait_ms, 100),
        ("request_wait_ms", settings.request_wait_ms, 100),
        ("write_wait_ms", settings.write_wait_ms, 100),
        ("retry_wait_ms", settings.retry_wait_ms, 1),
    ] {
        if !(least..=900_000).contains(&value) {
            problem(key, format!("expected {least} to 900000 ms, found {value}"));
        }
    }
    if settings.request_wait_ms > settings.write_wait_ms {
        let (found, most) = (settings.request_wait_ms, settings.write_wait_ms);
        problem("request_wait_ms", format!("expected at most reports.write_wait_ms ({most}), found {found}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> ReportsSettings {
        ReportsSettings {
            url: "./labelstream-data/".to_owned(),
            endpoint: None,
            region: None,
            path_style: true,
            allow_http: false,
            connect_wait_ms: 5000,
            request_wait_ms: 30_000,
            write_wait_ms: 60_000,
            retry_wait_ms: 100,
            part_bytes: 8 * 1024 * 1024,
            pending_max: 64,
        }
    }

    fn check(change: impl FnOnce(&mut ReportsSettings), expected: &[&str]) {
        let mut changed = settings();
        change(&mut changed);
        let problems = ReportsConfig::try_from(changed).err().unwrap_or_default();
        assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn reports_every_problem_with_its_key() {
        check(|_| (), &[]);
        check(|settings| settings.url = "s3://bucket/a/b=c/".to_owned(), &[]);
        check(|settings| settings.url = "s3://b/".to_owned(), &["reports.url"]);
        check(|settings| settings.url = "s3://bucket/a//b".to_owned(), &["reports.url"]);
        check(|settings| settings.url = "s3://bucket/a/../b".to_owned(), &["reports.url"]);
        check(|settings| settings.url = "gs://bucket".to_owned(), &["reports.url"]);
        check(|settings| settings.url = String::new(), &["reports.url"]);
        check(|settings| settings.endpoint = Some("https://minio".to_owned()), &["reports.endpoint"]);
        check(
            |settings| {
                settings.url = "s3://bucket".to_owned();
                settings.endpoint = Some("http://minio:9000".to_owned());
            },
            &["reports.endpoint"],
        );
        check(
            |settings| {
                settings.request_wait_ms = 70_000;
                settings.part_bytes = 1;
                settings.pending_max = 0;
            },
            &["reports.request_wait_ms", "reports.part_bytes", "reports.pending_max"],
        );
    }

    #[test]
    fn a_password_in_the_endpoint_is_not_repeated() {
        let changed = ReportsSettings {
            url: "s3://bucket".to_owned(),
            endpoint: Some("https://me:hunter2@minio".to_owned()),
            ..settings()
        };
        let problems = ReportsConfig::try_from(changed).expect_err("a user in an endpoint is refused");
        assert!(!format!("{problems:?}").contains("hunter2"));
    }

    #[test]
    fn a_url_names_a_folder_or_a_prefix_of_a_bucket() {
        let place = |url: &str| {
            let changed = ReportsSettings { url: url.to_owned(), ..settings() };
            ReportsConfig::try_from(changed).expect("a good url").place
        };
        assert_eq!(place("./labelstream-data/"), Place::Folder(PathBuf::from("./labelstream-data/")));
        assert_eq!(place("file:///var/reports"), Place::Folder(PathBuf::from("/var/reports")));
        let Place::Bucket(bucket) = place("s3://reports/team/a/") else { panic!("s3:// is a bucket") };
        assert_eq!((bucket.bucket.as_str(), bucket.prefix.as_str()), ("reports", "team/a"));
    }
}
