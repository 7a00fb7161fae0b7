//! Holds each written value against its key, merges the good ones and remembers where each came from.
//!
//! Every value is tried alone on top of the defaults, so that one bad value cannot hide another: deserializers stop at
//! their first error. The layering itself is the `config` crate's.

use std::collections::BTreeMap;
use std::path::PathBuf;

use config::{ConfigError, Map, Source, ValueKind};
use schemas::Problem;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::error::{Mistake, SettingsError};
use super::layers::{Entry, Written};
use super::place::Place;
use super::shape::{Known, Shape};
use super::value_type::describe;

/// What stands in for a secret wherever settings are shown.
pub(super) const MASK: &str = "***";

/// A key that was set, for people to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub key: String,
    /// In TOML syntax; `***` for a secret.
    pub value: String,
    pub place: Place,
}

/// The layers read so far.
pub(super) struct Merged<'a> {
    pub(super) mistakes: Vec<Mistake>,
    shape: &'a Shape,
    uses: &'a [&'a str],
    /// The winning value of each key that was set.
    winners: BTreeMap<String, Winner>,
}

struct Winner {
    known: Known,
    value: Value,
    /// As it was written, where that is another form of the value: `"10s"` for 10000.
    written: Option<String>,
    place: Place,
}

impl<'a> Merged<'a> {
    /// `uses` names the sections that count.
    pub(super) fn new<S: DeserializeOwned>(shape: &'a Shape, uses: &'a [&'a str]) -> Result<Self, SettingsError> {
        try_alone::<S>(shape.defaults().clone()).map_err(SettingsError::Defaults)?;
        Ok(Self { mistakes: Vec::new(), shape, uses, winners: BTreeMap::new() })
    }

    /// Takes one written value, or says what is wrong with it.
    pub(super) fn add<S: DeserializeOwned>(&mut self, entry: Entry) {
        let Entry { names, written, place } = entry;
        let key = names.join(".");
        let Some(known) = self.shape.find(&names) else {
            if let Some(expected) = self.unknown(&names, &key, &written) {
                self.mistakes.push(Mistake { key, place, expected });
            }
            return;
        };
        if !self.uses.contains(&known.path[0].as_str()) {
            return; // another command's affair
        }
        let in_words = match &written {
            Written::Typed(Value::String(text)) | Written::Untyped(text) => Some(text.clone()),
            Written::Typed(_) => None,
        };
        let read = match written {
            Written::Typed(value) if known.free => known.value_type.check_free(value),
            Written::Typed(value) => known.value_type.check(value),
            Written::Untyped(text) => known.value_type.read(&text),
        };
        let tried = read.and_then(|value| {
            if self.names_secret_file(&known).is_none() {
                let mut table = self.shape.defaults().clone();
                insert(&mut table, &known.path, value.clone());
                try_alone::<S>(table)?;
            }
            Ok(value)
        });
        match tried {
            Ok(value) => {
                let written = in_words.filter(|text| known.value_type.has_unit() && text.contains(char::is_alphabetic));
                self.winners.insert(known.key(), Winner { known, value, written, place });
            }
            Err(_) if self.shape.is_secret(&known) => self.mistakes.push(Mistake {
                key: known.key(),
                place,
                expected: format!("expected {}, found something else", known.value_type.expected()),
            }),
            Err(expected) => self.mistakes.push(Mistake { key: known.key(), place, expected }),
        }
    }

    /// What to say about names that are no key; `None` for an empty section that exists.
    fn unknown(&self, names: &[String], key: &str, written: &Written) -> Option<String> {
        if self.shape.is_section(names) {
            return match written {
                Written::Typed(Value::Table(_)) => None,
                Written::Typed(value) => Some(format!("expected the section [{key}], found {}", describe(value))),
                Written::Untyped(_) => Some("is a section: set the keys in it".to_owned()),
            };
        }
        Some(match self.shape.suggest(key) {
            Some(known) => format!("no such setting; did you mean {known}?"),
            None => "no such setting".to_owned(),
        })
    }

    /// The secret that this key gives by the name of a file.
    fn names_secret_file(&self, known: &Known) -> Option<String> {
        let key = known.key();
        self.shape.secrets().find(|(_, named)| *named == key).map(|(secret, _)| secret.to_owned())
    }

    /// Puts the content of each secret's file in the secret's place.
    pub(super) fn read_secret_files(&mut self) {
        let pairs: Vec<_> = self.shape.secrets().map(|(secret, named)| (secret.to_owned(), named)).collect();
        for (secret, named) in pairs {
            let Some(Winner { value, place, .. }) = self.winners.remove(&named) else { continue };
            if let Some(other) = self.winners.get(&secret) {
                let expected =
                    format!("expected one of {secret} and {named}, found both; the other is set in {}", other.place);
                self.mistakes.push(Mistake { key: named, place, expected });
                continue;
            }
            let path = PathBuf::from(value.as_str().unwrap_or_default());
            let names: Vec<_> = secret.split('.').map(str::to_owned).collect();
            match (std::fs::read_to_string(&path), self.shape.find(&names)) {
                (Ok(text), Some(known)) => {
                    let value = Value::String(text.trim_end_matches(['\r', '\n']).to_owned());
                    let place = Place::SecretFile { path, named_by: Box::new(place) };
                    self.winners.insert(secret, Winner { known, value, written: None, place });
                }
                (Err(error), _) => {
                    let expected = format!("expected a file that can be read, found {}: {error}", path.display());
                    self.mistakes.push(Mistake { key: named, place, expected });
                }
                (Ok(_), None) => {}
            }
        }
    }

    /// The settings that all good values make together.
    pub(super) fn settings<S: DeserializeOwned>(&self) -> Result<S, SettingsError> {
        let mut builder =
            config::Config::builder().add_source(Layer::new(self.shape.defaults().clone(), &Place::Default));
        for winner in self.winners.values() {
            let mut table = Table::new();
            insert(&mut table, &winner.known.path, winner.value.clone());
            builder = builder.add_source(Layer::new(table, &winner.place));
        }
        let merged = builder.build().and_then(config::Config::try_deserialize);
        merged.map_err(|error| SettingsError::Defaults(error.to_string()))
    }

    /// Adds the place to a problem that a check found. A key that is already at mistake is not blamed twice: the check saw
    /// its default.
    pub(super) fn blame(&mut self, problem: &Problem) {
        if self.mistakes.iter().any(|mistake| mistake.key == problem.key) {
            return;
        }
        let place = self.winners.get(&problem.key).map_or(Place::Default, |winner| winner.place.clone());
        let mut expected = problem.expected.clone();
        if let Some(text) = self.winners.get(&problem.key).and_then(|winner| winner.written.as_ref()) {
            expected = format!("{expected}, written as {text:?}");
        }
        let in_key = |sign: char| sign.is_ascii_alphanumeric() || "._".contains(sign);
        for word in problem.expected.split(|sign| !in_key(sign)) {
            if let Some(other) = self.winners.get(word).filter(|_| word != problem.key) {
                expected = format!("{expected} ({word} is set in {})", other.place);
            }
        }
        self.mistakes.push(Mistake { key: problem.key.clone(), place, expected });
    }

    pub(super) fn changed(&self) -> Vec<Setting> {
        let setting = |(key, winner): (&String, &Winner)| Setting {
            key: key.clone(),
            value: if self.shape.is_secret(&winner.known) { MASK.to_owned() } else { winner.value.to_string() },
            place: winner.place.clone(),
        };
        self.winners.iter().map(setting).collect()
    }
}

/// Puts a value at its path; the sections on the way exist or are made.
fn insert(table: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [name] => {
            table.insert(name.clone(), value);
        }
        [name, rest @ ..] => {
            let inner = table.entry(name.clone()).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

fn try_alone<S: DeserializeOwned>(table: Table) -> Result<(), String> {
    S::deserialize(Value::Table(table)).map(drop).map_err(|error| error.message().to_owned())
}

/// A table as a source of the `config` crate.
#[derive(Clone, Debug)]
struct Layer {
    table: Table,
    origin: String,
}

impl Layer {
    fn new(table: Table, place: &Place) -> Self {
        Self { table, origin: place.to_string() }
    }

    fn convert(&self, value: &Value) -> config::Value {
        let kind = match value {
            Value::String(text) => ValueKind::String(text.clone()),
            Value::Integer(number) => ValueKind::I64(*number),
            Value::Float(number) => ValueKind::Float(*number),
            Value::Boolean(switch) => ValueKind::Boolean(*switch),
            Value::Datetime(date) => ValueKind::String(date.to_string()),
            Value::Array(items) => ValueKind::Array(items.iter().map(|item| self.convert(item)).collect()),
            Value::Table(table) => {
                let entries = table.iter().map(|(name, value)| (name.clone(), self.convert(value)));
                ValueKind::Table(entries.collect())
            }
        };
        config::Value::new(Some(&self.origin), kind)
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, config::Value>, ConfigError> {
        Ok(self.table.iter().map(|(name, value)| (name.clone(), self.convert(value))).collect())
    }
}
