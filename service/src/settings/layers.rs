//! The layers in which settings are written: a file, the environment, flags and `--set`; each value keeps its place.
//!
//! This is the only reader of the process environment. Only names with the full prefix `LABELSTREAM__` are ours: an
//! orchestrator may set others, such as Kubernetes' `LABELSTREAM_SERVICE_HOST` for a service of that name. One that differs
//! from a variable of ours only in its underscores or its case is ignored, too, and reported.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::error::{Mistake, SettingsError};
use super::place::Place;
use super::shape::{Shape, leaves};

/// The settings file that is used when none is named and it exists in the working directory.
pub const DEFAULT_FILE: &str = "labelstream.toml";
const ENVIRONMENT_PREFIX: &str = "LABELSTREAM__";
/// What the names begin with that may be meant for us, in any case.
const PROGRAM: &str = "LABELSTREAM";

/// A settings file that was read.
#[derive(Clone, Debug)]
pub struct SettingsFile {
    pub path: PathBuf,
    pub text: String,
}

/// A command line flag that stands for a key, such as `--brokers` for `kafka.brokers`.
#[derive(Clone, Debug)]
pub struct Flag {
    pub name: &'static str,
    pub key: &'static str,
    pub text: String,
}

/// Everything above the embedded defaults; later fields win over earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    pub file: Option<SettingsFile>,
    /// Variables with our prefix, sorted by name.
    pub environment: Vec<(String, OsString)>,
    /// Names of other variables that begin like ours, sorted.
    pub strangers: Vec<String>,
    pub flags: Vec<Flag>,
    /// The texts of `--set`, each `key=value`.
    pub sets: Vec<String>,
}

impl Layers {
    /// Reads the file and the environment of this process. Without `named`, [`DEFAULT_FILE`] is read where it exists.
    ///
    /// # Errors
    /// When a file that was named, or that exists, cannot be read as UTF-8.
    pub fn from_process(named: Option<&Path>) -> Result<Self, SettingsError> {
        let path = match named {
            Some(path) => Some(path.to_owned()),
            None => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()),
        };
        let file = match path {
            Some(path) => match std::fs::read_to_string(&path) {
                Ok(text) => Some(SettingsFile { path, text }),
                Err(source) => return Err(SettingsError::ReadFile { path, source }),
            },
            None => None,
        };
        let (mut environment, mut strangers): (Vec<_>, Vec<_>) = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, _)| name.get(..PROGRAM.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(PROGRAM)))
            .partition(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX));
        environment.sort();
        strangers.sort();
        let strangers = strangers.into_iter().map(|(name, _)| name).collect();
        Ok(Self { file, environment, strangers, ..Self::default() })
    }

    /// The strangers that stand for one of these keys but for their underscores or their case.
    pub(super) fn misnamed(&self, shape: &Shape) -> Vec<Misnamed> {
        let plain =
            |name: &str| name.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_").to_uppercase();
        let meant = |name: &String| {
            let written = plain(name);
            let key = shape.keys().find(|key| written == plain(&format!("{PROGRAM}_{}", key.replace('.', "_"))))?;
            let right = format!("{ENVIRONMENT_PREFIX}{}", key.replace('.', "__").to_uppercase());
            Some(Misnamed { variable: name.clone(), right })
        };
        self.strangers.iter().filter_map(meant).collect()
    }

    /// Every value in the order in which later ones win, and what cannot be read at all.
    pub(super) fn entries(&self, mistakes: &mut Vec<Mistake>) -> Vec<Entry> {
        let mut entries = Vec::new();
        if let Some(file) = &self.file {
            file.entries(&mut entries, mistakes);
        }
        for (name, value) in &self.environment {
            let place = Place::Environment(name.clone());
            let names = split(&name[ENVIRONMENT_PREFIX.len()..].to_lowercase(), "__");
            match value.to_str() {
                Some(text) => entries.push(Entry { names, written: Written::Untyped(text.to_owned()), place }),
                None => mistakes.push(Mistake {
                    key: names.join("."),
                    place,
                    expected: "expected UTF-8, found other bytes".to_owned(),
                }),
            }
        }
        for flag in &self.flags {
            entries.push(Entry {
                names: split(flag.key, "."),
                written: Written::Untyped(flag.text.clone()),
                place: Place::Flag(flag.name.to_owned()),
            });
        }
        for set in &self.sets {
            match set.split_once('=') {
                Some((key, text)) if !key.trim().is_empty() => entries.push(Entry {
                    names: split(key.trim(), "."),
                    written: Written::Untyped(text.to_owned()),
                    place: Place::Set(key.trim().to_owned()),
                }),
                _ => mistakes.push(Mistake {
                    key: String::new(),
                    place: Place::Set(set.split('=').next().unwrap_or_default().to_owned()),
                    expected: "expected key=value, such as kafka.brokers=localhost:9092".to_owned(),
                }),
            }
        }
        entries
    }
}

/// An environment variable that is ignored, and the one that was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misnamed {
    pub variable: String,
    pub right: String,
}

/// A value as it was written.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) names: Vec<String>,
    pub(super) written: Written,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) enum Written {
    Typed(Value),
    Untyped(String),
}

impl SettingsFile {
    fn entries(&self, entries: &mut Vec<Entry>, mistakes: &mut Vec<Mistake>) {
        let (spans, errors) = DeTable::parse_recoverable(&self.text);
        for error in &errors {
            let start = error.span().map_or(0, |span| span.start);
            mistakes.push(Mistake {
                key: String::new(),
                place: self.place(start),
                expected: format!("not TOML: {}", error.message()),
            });
        }
        if !errors.is_empty() {
            return;
        }
        let table: Table = match toml::from_str(&self.text) {
            Ok(table) => table,
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                let expected = format!("not TOML: {}", error.message());
                mistakes.push(Mistake { key: String::new(), place: self.place(start), expected });
                return;
            }
        };
        let mut starts = BTreeMap::new();
        key_starts(&spans, &mut Vec::new(), &mut starts);
        let mut values = Vec::new();
        leaves(&table, &mut Vec::new(), &mut values);
        for (names, value) in values {
            let place = self.place(starts.get(&names).copied().unwrap_or(0));
            entries.push(Entry { names, written: Written::Typed(value), place });
        }
    }

    fn place(&self, start: usize) -> Place {
        let before = self.text.as_bytes().get(..start).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Place::File { path: self.path.clone(), line }
    }
}

/// The byte at which each key is written.
fn key_starts(table: &Spanned<DeTable<'_>>, path: &mut Vec<String>, found: &mut BTreeMap<Vec<String>, usize>) {
    for (name, value) in table.get_ref() {
        path.push(name.get_ref().to_string());
        found.insert(path.clone(), name.span().start);
        if let DeValue::Table(inner) = value.get_ref() {
            let inner = Spanned::new(value.span(), inner.clone());
            key_starts(&inner, path, found);
        }
        path.pop();
    }
}

fn split(key: &str, separator: &str) -> Vec<String> {
    key.split(separator).map(str::to_owned).collect()
}
