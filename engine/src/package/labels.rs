//! The names of a model's labels, from the fields of `config.json` that Hugging Face transformers knows.
//!
//! `id2label` names them. Transformers leaves it out of a file when it is the default of two labels, so its absence means
//! `LABEL_0` and `LABEL_1`; `num_labels` says another number. Where only `label2id` is there, transformers takes the
//! default names too; here its own names are taken, since they are what a person wrote. How many logits the model gives
//! is held against the names when it is loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::Fields;
use serde_json::value::RawValue;

/// Labels of a model whose `config.json` says nothing of them, as transformers has it.
const DEFAULT_COUNT: usize = 2;
/// The most labels that `num_labels` alone may ask names for; more are a mistake, and would fill the memory.
const COUNT_MAX: usize = 100_000;

/// The fields as written; `null` is as good as absent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written<'a> {
    pub(super) id2label: Option<&'a RawValue>,
    pub(super) label2id: Option<&'a RawValue>,
    pub(super) num_labels: Option<&'a RawValue>,
}

/// Label names in the order of the logits, and what a person should know of how they were found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) names: Vec<Arc<str>>,
    pub(super) note: Option<String>,
}

/// A field that cannot be used, and why.
pub(super) type Wrong = (&'static str, String);

/// The JSON of a field that is neither missing nor null.
fn given(value: Option<&RawValue>) -> Option<&str> {
    value.map(RawValue::get).filter(|json| *json != "null")
}

/// Finds the names.
pub(super) fn find(written: Written<'_>) -> Result<Named, Wrong> {
    let count = given(written.num_labels).map(count).transpose().map_err(|problem| ("num_labels", problem))?;
    if let Some(json) = given(written.id2label) {
        let names = id2label(json).map_err(|problem| ("id2label", problem))?;
        let note = count.filter(|count| *count != names.len()).map(|count| {
            format!("config.json names {} labels in id2label, which are used; its num_labels is {count}", names.len())
        });
        return Ok(Named { names, note });
    }
    if let Some(json) = given(written.label2id) {
        let names = label2id(json).map_err(|problem| ("label2id", problem))?;
        let note = Some("config.json has no id2label: labels have the names of its label2id".to_owned());
        return Ok(Named { names, note });
    }
    let (number, said) = match count {
        Some(count) => (count, format!("its num_labels is {count}")),
        None => (DEFAULT_COUNT, "transformers leaves it out for two labels".to_owned()),
    };
    let names: Vec<Arc<str>> = (0..number).map(|place| format!("LABEL_{place}").into()).collect();
    let last = names.last().map(|name| name.to_string()).unwrap_or_default();
    let note = format!("config.json has no id2label ({said}): labels are called LABEL_0 to {last}");
    Ok(Named { names, note: Some(note) })
}

fn count(json: &str) -> Result<usize, String> {
    let found = json.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count));
    found.ok_or_else(|| format!("is {json}: expected 1 to {COUNT_MAX}"))
}

/// `{"0": "a", "1": "b"}`, or `["a", "b"]`.
fn id2label(json: &str) -> Result<Vec<Arc<str>>, String> {
    let mut by_place = Places::default();
    if let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(json) {
        for (place, value) in list.into_iter().enumerate() {
            by_place.insert(place, name(value.get()).map_err(|problem| format!("gives {place} {problem}"))?)?;
        }
        return by_place.names();
    }
    for (key, value) in members(json)?.0 {
        let place = key.trim().parse().map_err(|_| format!("has the key {key:?}, which is not a whole number"))?;
        by_place.insert(place, name(value.get()).map_err(|problem| format!("gives {key} {problem}"))?)?;
    }
    by_place.names()
}

/// `{"a": 0, "b": 1}`.
fn label2id(json: &str) -> Result<Vec<Arc<str>>, String> {
    let mut by_place = Places::default();
    for (name, value) in members(json)?.0 {
        let written = value.get().trim_matches('"').trim();
        let place = written.parse().map_err(|_| format!("gives {name:?} {written}, which is not a whole number"))?;
        by_place.insert(place, name)?;
    }
    by_place.names()
}

fn members(json: &str) -> Result<Fields, String> {
    serde_json::from_str(json).map_err(|_| "is neither an object nor a list".to_owned())
}

/// A name as text: numbers and truth values, which labels of data often are, as they are written.
fn name(json: &str) -> Result<String, String> {
    let name = match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str(json).map_err(|error| format!("a name that cannot be read: {error}"))?,
        Some(b'-' | b'0'..=b'9' | b't' | b'f') => json.to_owned(),
        _ => return Err("a name that is neither a text nor a number".to_owned()),
    };
    if name.is_empty() { Err("an empty name".to_owned()) } else { Ok(name) }
}

/// Names by the place of their logit.
#[derive(Default)]
struct Places(BTreeMap<usize, String>);

impl Places {
    fn insert(&mut self, place: usize, name: String) -> Result<(), String> {
        match self.0.insert(place, name) {
            Some(_) => Err(format!("has the key {place} twice")),
            None => Ok(()),
        }
    }

    /// All of them, when every logit has one and each is different.
    fn names(self) -> Result<Vec<Arc<str>>, String> {
        let count = self.0.len();
        if count == 0 {
            return Err("is empty".to_owned());
        }
        if let Some(gap) = (0..count).find(|place| !self.0.contains_key(place)) {
            return Err(format!("has {count} labels but none for logit {gap}"));
        }
        let mut seen = BTreeMap::new();
        for (place, name) in &self.0 {
            if let Some(earlier) = seen.insert(name, place) {
                return Err(format!("gives {earlier} and {place} the same name {name:?}"));
            }
        }
        Ok(self.0.into_values().map(Arc::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct File<'a> {
        #[serde(borrow)]
        id2label: Option<&'a RawValue>,
        label2id: Option<&'a RawValue>,
        num_labels: Option<&'a RawValue>,
    }

    fn parse(json: &str) -> Result<(Vec<String>, String), String> {
        let File { id2label, label2id, num_labels } = serde_json::from_str(json).expect("tests write JSON");
        let named =
            find(Written { id2label, label2id, num_labels }).map_err(|(field, why)| format!("{field} {why}"))?;
        Ok((named.names.iter().map(|name| name.to_string()).collect(), named.note.unwrap_or_default()))
    }

    /// The expected values of the first six are what `AutoConfig.from_pretrained` of transformers 5.23 said.
    #[test]
    fn names_are_those_of_transformers_where_it_has_any() {
        for (json, names, note) in [
            ("{}", &["LABEL_0", "LABEL_1"][..], "no id2label (transformers leaves it out for two labels)"),
            (r#"{"id2label": null, "label2id": null, "num_labels": null}"#, &["LABEL_0", "LABEL_1"], "no id2label"),
            (r#"{"num_labels": 3}"#, &["LABEL_0", "LABEL_1", "LABEL_2"], "LABEL_0 to LABEL_2"),
            (r#"{"id2label": {"1": "b", "0": "a"}, "label2id": {"x": 0, "y": 1}}"#, &["a", "b"], ""),
            (r#"{"id2label": {"0": 0, "1": 1}}"#, &["0", "1"], ""),
            (r#"{"id2label": {"00": "a", "+1": "b"}}"#, &["a", "b"], ""),
            (r#"{"id2label": ["a", "b"]}"#, &["a", "b"], ""),
            (r#"{"id2label": [1, 2.5, true]}"#, &["1", "2.5", "true"], ""),
            (r#"{"label2id": {"no": 0, "yes": 1}}"#, &["no", "yes"], "names of its label2id"),
            (r#"{"label2id": {"yes": "1", "no": "0"}}"#, &["no", "yes"], "names of its label2id"),
            (r#"{"id2label": {"0": "a", "1": "b"}, "num_labels": 3}"#, &["a", "b"], "names 2 labels"),
        ] {
            let (found, said) = parse(json).unwrap_or_else(|error| panic!("{json}: {error}"));
            assert_eq!(found, names, "{json}");
            assert!(said.contains(note) && said.is_empty() == note.is_empty(), "{json}: {said}");
        }
    }

    #[test]
    fn what_names_no_label_or_one_twice_is_refused_with_the_place() {
        for (json, expected) in [
            (r#"{"id2label": {}}"#, "id2label is empty"),
            (r#"{"id2label": []}"#, "id2label is empty"),
            (r#"{"id2label": "a"}"#, "id2label is neither an object nor a list"),
            (r#"{"id2label": {"0": "a", "2": "b"}}"#, "2 labels but none for logit 1"),
            (r#"{"id2label": {"1": "a", "2": "b"}}"#, "2 labels but none for logit 0"),
            (r#"{"id2label": {"0": "a", "1": "a"}}"#, "gives 0 and 1 the same name \"a\""),
            (r#"{"id2label": {"0": 1, "1": "1"}}"#, "gives 0 and 1 the same name \"1\""),
            (r#"{"id2label": {"0": "a", "0": "b"}}"#, "has the key 0 twice"),
            (r#"{"id2label": {"a": 0}}"#, "has the key \"a\", which is not a whole number"),
            (r#"{"id2label": {"0": ["a"]}}"#, "gives 0 a name that is neither a text nor a number"),
            (r#"{"id2label": {"0": null}}"#, "gives 0 a name that is neither a text nor a number"),
            (r#"{"id2label": [["a"], ["b"]]}"#, "gives 0 a name that is neither a text nor a number"),
            (r#"{"id2label": {"0": ""}}"#, "gives 0 an empty name"),
            (r#"{"label2id": {"a": 0, "b": 0}}"#, "label2id has the key 0 twice"),
            (r#"{"label2id": {"a": 0, "b": 2}}"#, "label2id has 2 labels but none for logit 1"),
            (r#"{"label2id": {"a": 0.5}}"#, "label2id gives \"a\" 0.5, which is not a whole number"),
            (r#"{"num_labels": 0}"#, "num_labels is 0: expected 1 to 100000"),
            (r#"{"num_labels": "two"}"#, "num_labels is \"two\""),
        ] {
            let error = parse(json).expect_err(json);
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
