//! What a person meant who wrote something that is no address, or a folder that is not there.
//!
//! Addresses are copied from other tools, from web pages and from memory: another scheme for the same place, a slash too
//! few, a version where others write it. One table knows the words, one function for each kind of place puts the rest in
//! order, and nothing is offered that is not an address itself. Nothing is guessed when there is more than one reading.

use std::path::Path;

use url::Url;

use super::words::{Scheme, split};
use super::{Address, is_plain};

/// What to do with a run's or a server's own artifacts.
const REGISTER: &str = "register it (mlflow.register_model) and use models:/NAME/VERSION";

impl Address {
    /// Reads an address; `allow_http` takes addresses without TLS on other machines, too.
    ///
    /// # Errors
    /// A sentence with what was expected, what was found, and what was probably meant.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, String> {
        Self::read(text, allow_http).map_err(|error| format!("{error}{}", hint(text)))
    }
}

/// Why a folder cannot be one: what is there instead, or what was meant.
pub(crate) fn no_folder(folder: &Path) -> String {
    let text = folder.to_string_lossy();
    if !folder.exists() {
        return hint(&text);
    }
    let parent = folder.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    match (folder.extension().and_then(|end| end.to_str()), folder.file_name().and_then(|name| name.to_str())) {
        (Some("onnx"), Some(name)) => {
            format!("; name the package, {}, and its model with --set model.file={name}", parent.display())
        }
        (Some("gz" | "tgz" | "zip" | "tar"), _) => "; unpack it and name the folder".to_owned(),
        _ => format!("; did you mean {}?", parent.display()),
    }
}

/// A hint to go behind a message; empty when there is none.
pub(crate) fn hint(text: &str) -> String {
    find(text).map(|hint| format!("; {hint}")).unwrap_or_default()
}

fn find(text: &str) -> Option<String> {
    let trimmed = text.trim();
    if trimmed != text && !trimmed.is_empty() {
        return Some("it has leading or trailing blanks".to_owned());
    }
    if let Some((scheme, _, rest)) = split(text) {
        // The message itself says what is wrong with its parts.
        return of_scheme(scheme, rest).filter(|hint| *hint != question(text));
    }
    if text.contains("://") {
        return Url::parse(text).ok().and_then(|url| web(&url));
    }
    if text.starts_with('~') {
        return Some("only a shell expands ~: write the full path".to_owned());
    }
    path(text)
}

fn of_scheme(scheme: Scheme, rest: &str) -> Option<String> {
    match scheme {
        Scheme::Mlflow => model(rest),
        Scheme::Hub => repository(rest),
        Scheme::Bucket => bucket(rest),
        Scheme::File => Some(format!("did you mean file:///{rest}, or {rest} for a relative path?")),
        Scheme::Artifacts => Some(REGISTER.to_owned()),
        Scheme::Arn => bucket(rest.rsplit_once(':')?.1),
    }
}

/// `NAME@ALIAS`, `NAME/3`, `NAME:3`, `NAME/versions/3`, `NAME/v3`, `NAME/Production`, or a name alone.
fn model(rest: &str) -> Option<String> {
    let rest = rest.trim_matches('/');
    if let Some((name, alias)) = rest.split_once('@') {
        return mean(&format!("models:/{name}@{}", alias.split('/').next()?));
    }
    let parts: Vec<&str> = rest.split(['/', ':']).filter(|part| !part.is_empty() && *part != "versions").collect();
    let number = |text: &str| text.trim_start_matches(['v', 'V']).parse::<u64>().ok();
    match parts.as_slice() {
        [id] if id.strip_prefix("m-").is_some_and(|id| id.len() == 32) => Some(REGISTER.to_owned()),
        [name] => Some(format!("did you mean models:/{name}@ALIAS or models:/{name}/VERSION?")),
        [name, version, ..] => match number(version) {
            Some(number) => mean(&format!("models:/{name}/{number}")),
            None if version.eq_ignore_ascii_case("latest") => Some(format!(
                "say which version: models:/{name}/VERSION, or an alias that is moved, models:/{name}@ALIAS"
            )),
            None => mean(&format!("models:/{name}@{version}")),
        },
        [] => None,
    }
}

/// `ORG/REPO`, `ORG/REPO@REV`, `ORG/REPO:REV`, `models/ORG/REPO`, `ORG/REPO/tree/REV/...`, or one name alone.
fn repository(rest: &str) -> Option<String> {
    let rest = rest.trim_matches('/');
    let rest = rest.strip_prefix("models/").unwrap_or(rest);
    let parts: Vec<&str> = rest.split('/').collect();
    match parts.as_slice() {
        ["datasets" | "spaces", ..] | [""] => None,
        [name] => Some(format!("did you mean hf://ORG/{name}? A repository has an owner")),
        [org, name, "tree" | "resolve" | "blob", revision, ..] => mean(&format!("hf://{org}/{name}@{revision}")),
        [_, name] if name.contains(':') => mean(&format!("hf://{}", rest.replacen(':', "@", 1))),
        [org, name, ..] => mean(&format!("hf://{org}/{name}")),
        [] => None,
    }
}

/// The name of a bucket is not held against the rules for names: the address that is meant says what is wrong with it.
fn bucket(rest: &str) -> Option<String> {
    let rest = rest.trim_matches('/');
    rest.split('/').all(is_plain).then(|| question(&format!("s3://{rest}")))
}

/// A page of the hub, or of MLflow's own pages.
fn web(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    if host == "huggingface.co" || host == "hf.co" {
        return repository(url.path());
    }
    let page = url.fragment().unwrap_or_else(|| url.path());
    let (name, version) = page.trim_matches('/').strip_prefix("models/")?.split_once("/versions/")?;
    let hint = mean(&format!("models:/{name}/{}", version.split('/').next()?))?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{hint} (with MLFLOW_TRACKING_URI={}://{host}{port})", url.scheme()))
}

/// A path that may be the name of something else.
fn path(text: &str) -> Option<String> {
    let is_name = |name: &str| is_plain(name) && !name.starts_with('.');
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [name] => {
            let (name, alias) = name.split_once('@')?;
            (is_name(name) && is_name(alias)).then(|| mean(&format!("models:/{name}@{alias}")))?
        }
        [name, version] if is_name(name) && version.parse::<u64>().is_ok() => {
            mean(&format!("models:/{name}/{version}"))
        }
        // `models/NAME` is how folders are called here.
        ["models", _] => None,
        [org, _] if is_name(org) => mean(&format!("hf://{text}")),
        _ => None,
    }
}

/// The question, for what is an address itself.
fn mean(address: &str) -> Option<String> {
    Address::read(address, true).is_ok().then(|| question(address))
}

fn question(address: &str) -> String {
    format!("did you mean {address}?")
}

#[cfg(test)]
mod tests {
    use super::super::words::is_address;
    use super::*;

    #[test]
    fn every_way_to_write_an_address_wrongly_is_answered_with_the_right_one() {
        for (text, expected) in [
            ("models:intents@champion", "did you mean models:/intents@champion?"),
            ("models://intents@champion", "did you mean models:/intents@champion?"),
            ("model:/intents@champion", "did you mean models:/intents@champion?"),
            ("Models:/intents@champion", "did you mean models:/intents@champion?"),
            ("mlflow://intents@champion", "did you mean models:/intents@champion?"),
            ("mlflow:intents/3", "did you mean models:/intents/3?"),
            ("models:/intents:3", "did you mean models:/intents/3?"),
            ("models:/intents/v3", "did you mean models:/intents/3?"),
            ("models:/intents/versions/3", "did you mean models:/intents/3?"),
            ("models:/intents/3/onnx", "did you mean models:/intents/3?"),
            ("models:/intents@champion/onnx", "did you mean models:/intents@champion?"),
            ("models:/intents/Production", "did you mean models:/intents@Production?"),
            ("models:/intents", "did you mean models:/intents@ALIAS or models:/intents/VERSION?"),
            ("models:/intents/latest", "say which version: models:/intents/VERSION"),
            ("models:/m-0123456789abcdef0123456789abcdef", "mlflow.register_model"),
            ("runs:/0123/package", "mlflow.register_model"),
            ("mlflow-artifacts:/0/1/artifacts", "mlflow.register_model"),
            (
                "http://mlflow:5000/#/models/intents/versions/3",
                "did you mean models:/intents/3? (with MLFLOW_TRACKING_URI=http://mlflow:5000)",
            ),
            ("hf:org/name", "did you mean hf://org/name?"),
            ("hf:/org/name", "did you mean hf://org/name?"),
            ("HF://org/name", "did you mean hf://org/name?"),
            ("hf//org/name@v1", "did you mean hf://org/name@v1?"),
            ("hf://org/name:v1", "did you mean hf://org/name@v1?"),
            ("hf://org/name/onnx", "did you mean hf://org/name?"),
            ("hf://models/org/name", "did you mean hf://org/name?"),
            ("hf://name", "did you mean hf://ORG/name?"),
            ("huggingface:org/name", "did you mean hf://org/name?"),
            ("huggingface.co/org/name", "did you mean hf://org/name?"),
            ("https://huggingface.co/org/name", "did you mean hf://org/name?"),
            ("https://huggingface.co/org/name/tree/main/onnx", "did you mean hf://org/name@main?"),
            ("https://hf.co/org/name/resolve/v2/onnx/model.onnx", "did you mean hf://org/name@v2?"),
            ("org/name", "did you mean hf://org/name?"),
            ("org/name@v1", "did you mean hf://org/name@v1?"),
            ("intents@champion", "did you mean models:/intents@champion?"),
            ("intents/3", "did you mean models:/intents/3?"),
            ("s3//bucket/p", "did you mean s3://bucket/p?"),
            ("s3//b/p", "did you mean s3://b/p?"),
            ("s3:bucket/p", "did you mean s3://bucket/p?"),
            ("s3:/bucket/p", "did you mean s3://bucket/p?"),
            ("S3://bucket/p", "did you mean s3://bucket/p?"),
            ("s3a://bucket/p", "did you mean s3://bucket/p?"),
            ("arn:aws:s3:::bucket/p", "did you mean s3://bucket/p?"),
            ("file:models/a", "did you mean file:///models/a, or models/a"),
            ("file://models/a", "did you mean file:///models/a, or models/a"),
            ("~/models/a", "write the full path"),
            (" hf://org/name", "leading or trailing blanks"),
        ] {
            assert!(hint(text).contains(expected), "{text}: expected {expected}, found {:?}", hint(text));
        }
    }

    #[test]
    fn nothing_is_offered_where_nothing_is_known() {
        for text in [
            "",
            "/no/such/folder",
            "./a/b",
            "../a",
            "models/banking77",
            "intents",
            "gs://bucket/a",
            "a/b/c",
            "hf://",
            "hf://datasets/org/name",
            "s3://b",
            "https://host/a.tar.gz",
            "org/na me",
        ] {
            assert_eq!(hint(text), "", "{text}");
        }
    }

    #[test]
    fn only_a_word_with_a_colon_is_never_a_folder() {
        for (text, expected) in [
            ("models:intents@champion", true),
            ("hf:org/name", true),
            ("file:a", true),
            ("models/a", false),
            ("s3//b/p", false),
            ("./models:a", false),
            ("C:/models", false),
            ("a:b", false),
        ] {
            assert_eq!(is_address(text), expected, "{text}");
        }
    }
}
