//! Where a model package is, as a person writes it.
//!
//! `models:/intents@champion`, `hf://org/repo@main`, `s3://bucket/prefix`, `https://host/model.tar.gz#sha256=...`, or a
//! folder. Reading an address asks nobody; what can be wrong with it is told before anything starts.

pub(crate) mod meant;
mod words;

use std::fmt;
use std::path::PathBuf;

use url::{Host, Url};

/// What every refusal ends with.
const FORMS: &str = "a folder, models:/NAME@ALIAS, models:/NAME/VERSION, hf://ORG/REPO[@REVISION], s3://BUCKET/PREFIX \
                     or https://HOST/FILE#sha256=DIGEST";

/// The branch of a repository that has none in its address.
const BRANCH: &str = "main";

/// Where a package is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A folder of this machine, as written.
    Folder(PathBuf),
    /// A registered model of an MLflow server.
    Mlflow { model: String, version: Version },
    /// A repository of the Hugging Face hub; a revision is a branch, a tag or a commit.
    Hub { repository: String, revision: String },
    /// A prefix of a bucket, without slashes at its ends.
    Bucket { bucket: String, prefix: String },
    /// An archive, or the `labelstream.json` of a folder, with the SHA-256 of that one file.
    Web { url: Url, sha256: String },
}

/// Which version of a registered model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// A name that may move.
    Alias(String),
    Number(u64),
}

impl Address {
    /// As [`Self::parse`], without a guess at what was meant.
    fn read(text: &str, allow_http: bool) -> Result<Self, String> {
        if text.is_empty() {
            return Err(format!("expected {FORMS}, found nothing"));
        }
        let is_scheme = |scheme: &str| scheme.len() > 1 && scheme.bytes().all(is_of_a_scheme);
        let parsed = match text.split_once(":/").filter(|(scheme, _)| is_scheme(scheme)) {
            Some(("models", rest)) => mlflow(rest),
            Some(("hf", rest)) => rest.strip_prefix('/').and_then(hub),
            Some(("s3", rest)) => rest.strip_prefix('/').and_then(bucket),
            Some(("file", _)) => file_of(text).map(Self::Folder),
            Some((scheme, _)) if ["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) => {
                return web(text, allow_http);
            }
            Some(_) => None,
            None if words::is_address(text) => None,
            None => Some(Self::Folder(text.into())),
        };
        parsed.ok_or_else(|| format!("expected {FORMS}, found {:?}", without_secrets(text)))
    }

    /// The forms that there are, for a message.
    pub fn forms() -> String {
        format!("expected {FORMS}")
    }

    /// A name for the model where its package says none.
    pub fn name(&self) -> Option<String> {
        let last = |path: &str| path.rsplit('/').find(|part| !part.is_empty()).map(str::to_owned);
        match self {
            Self::Folder(_) => None,
            Self::Mlflow { model, .. } => Some(model.clone()),
            Self::Hub { repository, .. } => Some(repository.clone()),
            Self::Bucket { bucket, prefix } => last(prefix).or_else(|| Some(bucket.clone())),
            Self::Web { url, .. } => {
                let file = last(url.path())?;
                Some(
                    [".tar.gz", ".tgz", ".zip", ".json"]
                        .iter()
                        .fold(file, |name, end| name.strip_suffix(end).map_or(name.clone(), str::to_owned)),
                )
            }
        }
    }
}

impl fmt::Display for Address {
    /// As a person writes it; a query of a web address, which may hold a secret, is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Mlflow { model, version: Version::Alias(alias) } => write!(f, "models:/{model}@{alias}"),
            Self::Mlflow { model, version: Version::Number(number) } => write!(f, "models:/{model}/{number}"),
            Self::Hub { repository, revision } => write!(f, "hf://{repository}@{revision}"),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Web { url, sha256 } => write!(f, "{}#sha256={sha256}", shown(url)),
        }
    }
}

/// A web address without what may be secret in it.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// True for a host that is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_of_a_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+.-".contains(&byte)
}

/// The path of a `file:` address of this machine.
pub(crate) fn file_of(text: &str) -> Option<PathBuf> {
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "file" && text.starts_with("file:/"))?;
    let is_whole = url.query().is_none() && url.fragment().is_none();
    url.to_file_path().ok().filter(|_| is_whole)
}

/// What a person wrote, without a user's name and a query, which may hold secrets.
fn without_secrets(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let rest = rest.split('?').next().unwrap_or_default();
    let authority = &rest[..rest.find('/').unwrap_or(rest.len())];
    let rest = authority.rfind('@').filter(|_| authority.contains(':')).map_or(rest, |at| &rest[at + 1..]);
    format!("{scheme}://{rest}")
}

fn mlflow(rest: &str) -> Option<Address> {
    let is_name = |name: &str| !name.is_empty() && !name.contains(['/', ':', '@']);
    let (model, version) = match rest.split_once('@') {
        Some((model, alias)) => (model, is_name(alias).then(|| Version::Alias(alias.to_owned()))?),
        None => {
            let (model, number) = rest.split_once('/')?;
            (model, Version::Number(number.parse().ok().filter(|number| *number > 0)?))
        }
    };
    is_name(model).then(|| Address::Mlflow { model: model.to_owned(), version })
}

fn hub(rest: &str) -> Option<Address> {
    let (repository, revision) = rest.split_once('@').unwrap_or((rest, BRANCH));
    let (owner, name) = repository.trim_end_matches('/').split_once('/')?;
    let is_good = [owner, name].into_iter().chain(revision.split('/')).all(is_plain);
    is_good.then(|| Address::Hub { repository: format!("{owner}/{name}"), revision: revision.to_owned() })
}

fn bucket(rest: &str) -> Option<Address> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    let is_good = (3..=63).contains(&bucket.len()) && is_plain(bucket);
    let is_good = is_good && (prefix.is_empty() || prefix.split('/').all(is_plain));
    is_good.then(|| Address::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

/// One part of a path that means the same everywhere.
fn is_plain(part: &str) -> bool {
    let is_character = |byte: u8| byte.is_ascii_alphanumeric() || b"._-=+".contains(&byte);
    !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_character)
}

fn web(text: &str, allow_http: bool) -> Result<Address, String> {
    let url = Url::parse(text).map_err(|error| format!("expected {FORMS}, found a web address with {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("expected a web address without a user's name: it would be printed with every message".to_owned());
    }
    let at = shown(&url);
    if url.scheme() == "http" && !allow_http && !is_loopback(&url) {
        return Err(format!("expected https, or packages.allow_http = true with it, found {at}"));
    }
    let digest = url.fragment().and_then(|fragment| fragment.strip_prefix("sha256="));
    let is_digest = |digest: &&str| digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let Some(sha256) = digest.filter(is_digest).map(str::to_ascii_lowercase) else {
        return Err(format!(
            "expected #sha256= and 64 hexadecimal digits at the end of {at}: `sha256sum FILE` prints them"
        ));
    };
    if ![".tar.gz", ".tgz", ".zip", ".json"].iter().any(|end| url.path().ends_with(end)) {
        return Err(format!("expected a .tar.gz, .tgz or .zip, or the labelstream.json of a folder, found {at}"));
    }
    let mut url = url;
    url.set_fragment(None);
    Ok(Address::Web { url, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn parse(text: &str) -> Result<Address, String> {
        Address::parse(text, false)
    }

    #[test]
    fn every_form_is_read_and_written_again() {
        for (text, again, name) in [
            ("models:/intents@champion", "models:/intents@champion", Some("intents")),
            ("models:/my model/3", "models:/my model/3", Some("my model")),
            ("hf://acme/intents", "hf://acme/intents@main", Some("acme/intents")),
            ("hf://acme/intents@refs/pr/1", "hf://acme/intents@refs/pr/1", Some("acme/intents")),
            ("s3://bucket/a/b=c/", "s3://bucket/a/b=c", Some("b=c")),
            ("s3://bucket", "s3://bucket/", Some("bucket")),
            ("models/banking77-minilm", "models/banking77-minilm", None),
            ("./a:b", "./a:b", None),
            ("file:///srv/model", "/srv/model", None),
            ("file:/srv/my%20model", "/srv/my model", None),
            ("file://localhost/srv/model", "/srv/model", None),
            (r"C:/models/a", r"C:/models/a", None),
        ] {
            let address = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((address.to_string().as_str(), address.name().as_deref()), (again, name), "{text}");
        }
        let text = format!("https://host/a/intents.tar.gz?token=hunter2#sha256={}", DIGEST.to_uppercase());
        let address = parse(&text).expect("a good address");
        assert_eq!(address.to_string(), format!("https://host/a/intents.tar.gz#sha256={DIGEST}"), "without the query");
        assert_eq!(address.name().as_deref(), Some("intents"));
    }

    #[test]
    fn what_is_no_address_is_told_what_was_expected() {
        for (text, expected) in [
            ("", "found nothing"),
            ("gs://bucket/a", "expected a folder, models:/NAME@ALIAS"),
            ("models:/intents", "models:/NAME/VERSION"),
            ("models:/intents/0", "models:/NAME/VERSION"),
            ("models:/intents/Production", "models:/NAME/VERSION"),
            ("models:/@champion", "models:/NAME@ALIAS"),
            ("hf://intents", "hf://ORG/REPO"),
            ("hf://acme/../x", "hf://ORG/REPO"),
            ("hf:/acme/x", "hf://ORG/REPO"),
            ("s3://bucket/a/../b", "s3://BUCKET/PREFIX"),
            ("models:intents@champion", "did you mean models:/intents@champion?"),
            ("hf:org/name", "did you mean hf://org/name?"),
            ("file:models/a", "did you mean file:///models/a"),
            ("file://models/a", "did you mean file:///models/a"),
            ("git+https://host/a", "expected a folder, models:/NAME@ALIAS"),
            ("s3://key:hunter2@bucket/a?X-Amz-Signature=hunter2", "found \"s3://bucket/a\""),
            ("https://huggingface.co/org/name", "did you mean hf://org/name?"),
            ("https://host/a.tar.gz", "expected #sha256= and 64 hexadecimal digits"),
            ("https://host/a.tar.gz#sha256=12", "expected #sha256= and 64 hexadecimal digits"),
            ("https://me:hunter2@host/a.zip", "without a user's name"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(expected) && !error.contains("hunter2"), "{text}: {error}");
        }
        let error = parse(&format!("https://host/model.onnx#sha256={DIGEST}")).expect_err("no archive");
        assert!(error.contains("expected a .tar.gz"), "{error}");
    }

    #[test]
    fn without_tls_only_this_machine_is_asked_unless_it_is_allowed() {
        let at = |host: &str| format!("http://{host}/a.zip#sha256={DIGEST}");
        for host in ["127.0.0.1:8000", "localhost", "[::1]:8000"] {
            assert!(parse(&at(host)).is_ok(), "{host}");
        }
        for host in ["models.example", "127.0.0.1.example", "10.0.0.1"] {
            let error = parse(&at(host)).expect_err(host);
            assert!(error.contains("packages.allow_http"), "{error}");
            assert!(Address::parse(&at(host), true).is_ok());
        }
    }
}
