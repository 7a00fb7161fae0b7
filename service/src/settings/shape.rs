//! Every key that exists, with its type: read from the embedded defaults, so that neither can lack what the other has.
//!
//! Two markers in `default.toml` declare what has no default:
//! `#? key = example` is a key that is not set unless a person sets it;
//! `#* key = example` says that its section takes any key, each with a value of the example's type.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::error::SettingsError;
use super::value_type::ValueType;

const OPTIONAL: &str = "#? ";
const FREE: &str = "#* ";
/// A key with this ending names a file that holds the value of the key without it.
const FILE_ENDING: &str = "_file";
/// Below this likeness (0..=1, normalized Damerau-Levenshtein) a suggestion confuses more than it helps.
const LIKENESS_MIN: f64 = 0.7;

/// A key that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// The names from the root to the value.
    pub(super) path: Vec<String>,
    pub(super) value_type: ValueType,
    /// True inside a section that takes any key.
    pub(super) free: bool,
}

impl Known {
    pub(super) fn key(&self) -> String {
        self.path.join(".")
    }
}

/// The keys and sections that exist.
#[derive(Debug)]
pub(super) struct Shape {
    leaves: BTreeMap<String, ValueType>,
    free: BTreeMap<String, ValueType>,
    sections: BTreeSet<String>,
    defaults: Table,
}

impl Shape {
    pub(super) fn parse(text: &str) -> Result<Self, SettingsError> {
        let mut shape =
            Self { leaves: BTreeMap::new(), free: BTreeMap::new(), sections: BTreeSet::new(), defaults: table(text)? };
        shape.walk(&table(&declare(text, OPTIONAL))?, &mut Vec::new())?;
        let mut examples = Vec::new();
        leaves(&table(&declare(text, FREE))?, &mut Vec::new(), &mut examples);
        for (path, value) in examples {
            let (parent, _) = path.split_at(path.len() - 1);
            if !shape.leaves.contains_key(&path.join(".")) {
                shape.free.insert(parent.join("."), type_of(&path, &value)?);
            }
        }
        Ok(shape)
    }

    fn walk(&mut self, table: &Table, path: &mut Vec<String>) -> Result<(), SettingsError> {
        for (name, value) in table {
            path.push(name.clone());
            if let Value::Table(inner) = value {
                self.sections.insert(path.join("."));
                self.walk(inner, path)?;
            } else {
                self.leaves.insert(path.join("."), type_of(path, value)?.of_key(name));
            }
            path.pop();
        }
        Ok(())
    }

    /// The values of the keys that have a default.
    pub(super) fn defaults(&self) -> &Table {
        &self.defaults
    }

    /// Every declared key, sorted.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.leaves.keys().map(String::as_str)
    }

    /// Finds a key by its names; inside a free section the rest of the names is one key with dots.
    pub(super) fn find(&self, names: &[String]) -> Option<Known> {
        for cut in 1..names.len() {
            if let Some(value_type) = self.free.get(&names[..cut].join(".")) {
                let mut path = names[..cut].to_vec();
                path.push(names[cut..].join("."));
                return Some(Known { path, value_type: *value_type, free: true });
            }
        }
        let value_type = *self.leaves.get(&names.join("."))?;
        Some(Known { path: names.to_vec(), value_type, free: false })
    }

    pub(super) fn is_section(&self, names: &[String]) -> bool {
        self.sections.contains(&names.join("."))
    }

    /// The keys that can be given as a file, each with the key that names the file.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (&str, String)> {
        self.leaves.keys().filter_map(|key| {
            let named = format!("{key}{FILE_ENDING}");
            self.leaves.contains_key(&named).then_some((key.as_str(), named))
        })
    }

    /// True for values that must not be shown.
    pub(super) fn is_secret(&self, known: &Known) -> bool {
        let key = known.key();
        if known.free {
            return ["password", "secret", "token", ".pem"].iter().any(|word| key.contains(word));
        }
        self.leaves.contains_key(&format!("{key}{FILE_ENDING}"))
    }

    /// What a person who wrote an unknown key may have meant.
    pub(super) fn suggest(&self, key: &str) -> Option<&str> {
        let last = |key: &str| key.rsplit('.').next().map(str::to_owned);
        let mut same_name = self.keys().filter(|known| last(known) == last(key));
        if let (Some(only), None) = (same_name.next(), same_name.next()) {
            return Some(only);
        }
        self.keys()
            .map(|known| (known, strsim::normalized_damerau_levenshtein(known, key)))
            .filter(|(_, likeness)| *likeness >= LIKENESS_MIN)
            .max_by(|one, other| one.1.total_cmp(&other.1))
            .map(|(known, _)| known)
    }
}

/// Collects every value of a table with its path; an empty table is a value.
pub(super) fn leaves(table: &Table, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, Value)>) {
    for (name, value) in table {
        path.push(name.clone());
        match value {
            Value::Table(inner) if !inner.is_empty() => leaves(inner, path, found),
            value => found.push((path.clone(), value.clone())),
        }
        path.pop();
    }
}

/// The defaults with the lines of one marker taken as written.
fn declare(text: &str, marker: &str) -> String {
    let lines = text.lines().map(|line| line.strip_prefix(marker).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

fn table(text: &str) -> Result<Table, SettingsError> {
    toml::from_str(text).map_err(|error| SettingsError::Defaults(error.to_string()))
}

fn type_of(path: &[String], value: &Value) -> Result<ValueType, SettingsError> {
    ValueType::of(value)
        .ok_or_else(|| SettingsError::Defaults(format!("{} has a type that no setting may have", path.join("."))))
}
