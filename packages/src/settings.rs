//! How packages are fetched and where they are kept: the section `[packages]`, and the variables of other tools.
//!
//! [`PackagesSettings`] is what a person writes, [`PackagesConfig`] is what passed every check. Credentials are read from
//! the variables that MLflow's, Hugging Face's and Amazon's own clients read, and are never printed.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use schemas::Problem;
use serde::Deserialize;
use url::Url;

use crate::address::is_loopback;
use crate::error::FetchError;

/// Every key of `[packages]` with its default and meaning, for the embedded defaults of the program.
pub const DEFAULTS: &str = include_str!("default.toml");

/// The hub where no other is named.
const HUB: &str = "https://huggingface.co";

/// Seven days: no presigned address of S3 lives longer.
const WAIT_MAX_MS: u64 = 7 * 24 * 3600 * 1000;

/// `[packages]` as written; the keys are explained in `default.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackagesSettings {
    pub cache: Option<PathBuf>,
    pub offline: bool,
    pub refresh: bool,
    pub mlflow_endpoint: Option<String>,
    pub hub_endpoint: Option<String>,
    pub s3_endpoint: Option<String>,
    pub s3_region: Option<String>,
    pub allow_http: bool,
    pub bytes_max: u64,
    pub files_max: usize,
    pub connect_wait_ms: u64,
    pub idle_wait_ms: u64,
    pub fetch_wait_ms: u64,
    pub attempts_max: u32,
    pub retry_wait_ms: u64,
}

/// `[packages]` as used.
#[derive(Clone, Debug)]
pub struct PackagesConfig {
    pub(crate) cache: Option<PathBuf>,
    pub(crate) offline: bool,
    pub(crate) refresh: bool,
    pub(crate) mlflow_endpoint: Option<Url>,
    pub(crate) hub_endpoint: Option<Url>,
    pub(crate) s3_endpoint: Option<String>,
    pub(crate) s3_region: Option<String>,
    pub(crate) allow_http: bool,
    pub(crate) bytes_max: u64,
    pub(crate) files_max: usize,
    pub(crate) connect_wait: Duration,
    pub(crate) idle_wait: Duration,
    pub(crate) fetch_wait: Duration,
    pub(crate) attempts_max: u32,
    pub(crate) retry_wait: Duration,
    /// The model of a package that a person named, as a path inside it.
    pub(crate) model_file: Option<String>,
}

/// What the variables of the environment say, read once. Credentials are kept as the header that they become, marked as
/// one that is never printed.
#[derive(Clone, Debug)]
pub struct Variables {
    pub(crate) cache: Option<PathBuf>,
    pub(crate) mlflow_endpoint: Option<String>,
    pub(crate) mlflow_authorization: Option<HeaderValue>,
    pub(crate) hub_endpoint: String,
    pub(crate) hub_authorization: Option<HeaderValue>,
    pub(crate) s3_endpoint: Option<String>,
}

impl Variables {
    /// Asks for each variable by its name.
    ///
    /// # Errors
    /// When a credential cannot be sent, because it has control characters.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, FetchError> {
        let variable =
            |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let cache_home = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let cache_home = cache_home.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")));
        let bearer = |name| variable(name).map(|token| secret(name, &format!("Bearer {token}"))).transpose();
        let basic = variable("MLFLOW_TRACKING_USERNAME").map(|user| {
            let password = variable("MLFLOW_TRACKING_PASSWORD").unwrap_or_default();
            secret("MLFLOW_TRACKING_USERNAME", &format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
        });
        Ok(Self {
            cache: cache_home.map(|folder| folder.join("labelstream/models")),
            mlflow_endpoint: variable("MLFLOW_TRACKING_URI"),
            mlflow_authorization: basic.transpose()?.or(bearer("MLFLOW_TRACKING_TOKEN")?),
            hub_endpoint: variable("HF_ENDPOINT").unwrap_or_else(|| HUB.to_owned()),
            hub_authorization: bearer("HF_TOKEN")?,
            s3_endpoint: ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"].into_iter().find_map(variable),
        })
    }
}

/// A header that `Debug` does not show.
fn secret(name: &'static str, text: &str) -> Result<HeaderValue, FetchError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| FetchError::Variable { name })?;
    value.set_sensitive(true);
    Ok(value)
}

impl PackagesConfig {
    /// Whether web addresses without TLS may name other machines.
    pub fn allow_http(&self) -> bool {
        self.allow_http
    }

    /// The same, for one model of a package that has several; a path inside it.
    #[must_use]
    pub fn with_model_file(self, model_file: Option<&str>) -> Self {
        Self { model_file: model_file.map(str::to_owned), ..self }
    }

    /// The same, but always asks the registry, as a person who says "fetch it" wants.
    #[must_use]
    pub fn asking(self) -> Self {
        Self { offline: false, refresh: true, ..self }
    }
}

impl TryFrom<PackagesSettings> for PackagesConfig {
    type Error = Vec<Problem>;

    fn try_from(written: PackagesSettings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut problem =
            |key: &str, expected: String| problems.push(Problem::new(format!("packages.{key}"), expected));
        let mut endpoint = |key: &str, text: &Option<String>| {
            let text = text.as_ref()?;
            server(text, written.allow_http).map_err(|expected| problem(key, expected)).ok()
        };
        let mlflow_endpoint = endpoint("mlflow_endpoint", &written.mlflow_endpoint);
        let hub_endpoint = endpoint("hub_endpoint", &written.hub_endpoint);
        endpoint("s3_endpoint", &written.s3_endpoint);
        if written.cache.as_ref().is_some_and(|cache| cache.as_os_str().is_empty()) {
            problem("cache", "expected a folder, found nothing".to_owned());
        }
        for (key, value, most) in [
            ("bytes_max", written.bytes_max, u64::MAX),
            ("files_max", written.files_max as u64, 1_000_000),
            ("connect_wait_ms", written.connect_wait_ms, WAIT_MAX_MS),
            ("idle_wait_ms", written.idle_wait_ms, WAIT_MAX_MS),
            ("fetch_wait_ms", written.fetch_wait_ms, WAIT_MAX_MS),
            ("attempts_max", u64::from(written.attempts_max), 1000),
            ("retry_wait_ms", written.retry_wait_ms, 900_000),
        ] {
            if !(1..=most).contains(&value) {
                problem(key, format!("expected 1 to {most}, found {value}"));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let milliseconds = Duration::from_millis;
        Ok(Self {
            cache: written.cache,
            offline: written.offline,
            refresh: written.refresh,
            mlflow_endpoint,
            hub_endpoint,
            s3_endpoint: written.s3_endpoint.map(|text| text.trim_end_matches('/').to_owned()),
            s3_region: written.s3_region,
            allow_http: written.allow_http,
            bytes_max: written.bytes_max,
            files_max: written.files_max,
            connect_wait: milliseconds(written.connect_wait_ms),
            idle_wait: milliseconds(written.idle_wait_ms),
            fetch_wait: milliseconds(written.fetch_wait_ms),
            attempts_max: written.attempts_max,
            retry_wait: milliseconds(written.retry_wait_ms),
            model_file: None,
        })
    }
}

/// The address of a server, ending in a slash so that paths can be joined to it.
pub(crate) fn server(text: &str, allow_http: bool) -> Result<Url, String> {
    let with_slash = format!("{}/", text.trim_end_matches('/'));
    let url = Url::parse(&with_slash).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    // A user's name or password in it would be printed with every message.
    let plain = url.filter(|url| {
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none()
    });
    let Some(url) = plain else {
        let found = if text.contains('@') { "one with a user's name" } else { text };
        return Err(format!("expected http:// or https:// and a host, found {found:?}"));
    };
    if url.scheme() == "http" && !allow_http && !is_loopback(&url) {
        return Err(format!("expected https, or packages.allow_http = true with it, found {text:?}"));
    }
    Ok(url)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Root {
        packages: PackagesSettings,
    }

    pub(crate) fn defaults() -> PackagesSettings {
        toml::from_str::<Root>(DEFAULTS).expect("the defaults are settings").packages
    }

    fn check(change: impl FnOnce(&mut PackagesSettings), expected: &[&str]) {
        let mut changed = defaults();
        change(&mut changed);
        let problems = PackagesConfig::try_from(changed).err().unwrap_or_default();
        assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn reports_every_problem_with_its_key() {
        check(|_| (), &[]);
        check(
            |settings| {
                settings.mlflow_endpoint = Some("sqlite:///mlflow.db".to_owned());
                settings.hub_endpoint = Some("http://hub.example".to_owned());
                settings.s3_endpoint = Some("https://me:hunter2@minio".to_owned());
                settings.cache = Some(PathBuf::new());
                settings.bytes_max = 0;
                settings.attempts_max = 0;
                settings.fetch_wait_ms = u64::MAX;
            },
            &[
                "packages.mlflow_endpoint",
                "packages.hub_endpoint",
                "packages.s3_endpoint",
                "packages.cache",
                "packages.bytes_max",
                "packages.fetch_wait_ms",
                "packages.attempts_max",
            ],
        );
        check(|settings| settings.mlflow_endpoint = Some("http://127.0.0.1:5000".to_owned()), &[]);
    }

    #[test]
    fn a_password_in_an_endpoint_is_not_repeated() {
        let error = server("https://me:hunter2@minio", true).expect_err("a user in an endpoint is refused");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn the_variables_of_other_tools_are_read_and_secrets_stay_hidden() {
        let all = Variables::read(|name| Some(format!("/{name}"))).expect("they can be sent");
        assert_eq!(all.cache.as_deref(), Some("/XDG_CACHE_HOME/labelstream/models".as_ref()));
        assert_eq!(all.hub_endpoint, "/HF_ENDPOINT");
        let sent = |value: &Option<HeaderValue>| value.as_ref().map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(sent(&all.hub_authorization).as_deref(), Some("Bearer /HF_TOKEN"));
        let basic = sent(&all.mlflow_authorization).expect("a user is set");
        let basic = STANDARD.decode(basic.trim_start_matches("Basic ")).expect("base64");
        assert_eq!(basic, b"/MLFLOW_TRACKING_USERNAME:/MLFLOW_TRACKING_PASSWORD");
        let shown = format!("{all:?}");
        assert!(shown.contains("Sensitive") && !shown.contains("Bearer") && !shown.contains("Basic"), "{shown}");

        let home = Variables::read(|name| (name == "HOME").then(|| "/home/me".to_owned())).expect("nothing is secret");
        assert_eq!(home.cache.as_deref(), Some("/home/me/.cache/labelstream/models".as_ref()));
        assert_eq!(home.hub_endpoint, HUB);
        let token = Variables::read(|name| (name == "MLFLOW_TRACKING_TOKEN").then(|| "t\n".to_owned()));
        assert_eq!(
            sent(&token.expect("the line end is no part of it").mlflow_authorization).as_deref(),
            Some("Bearer t")
        );
        let broken = Variables::read(|name| (name == "HF_TOKEN").then(|| "a\nb".to_owned()));
        assert!(matches!(broken, Err(FetchError::Variable { name: "HF_TOKEN" })));
    }
}
