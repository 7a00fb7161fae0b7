//! JSON pointers (RFC 6901) that walk raw JSON: only the members on the way are looked at, nothing else is parsed.

use std::fmt;
use std::str::FromStr;

use schemas::Fields;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A path into a JSON object, of one name or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    first: String,
    rest: Vec<String>,
}

/// A text that is no JSON pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    #[error("expected a JSON pointer that begins with /, such as /text or /message/body")]
    NoSlash,
    #[error("expected ~0 or ~1 after ~ in a JSON pointer (they stand for ~ and /)")]
    Escape,
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        let mut names = text.strip_prefix('/').ok_or(PointerError::NoSlash)?.split('/').map(unescape);
        let first = names.next().ok_or(PointerError::NoSlash)??;
        let rest = names.collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), first, rest })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Pointer {
    /// The member of the root object where the path begins.
    pub fn first(&self) -> &str {
        &self.first
    }

    /// The path up to the first member of this name, where more follows behind it.
    pub(crate) fn up_to(&self, name: &str) -> Option<Self> {
        let mut names = vec![self.first.clone()];
        names.extend(self.rest.iter().cloned());
        let place = names.iter().position(|own| own == name).filter(|place| place + 1 < names.len())?;
        names.truncate(place + 1);
        Some(Self::of(names))
    }

    /// The member of another name beside the one that this path leads to.
    pub(crate) fn beside(&self, name: &str) -> Self {
        let mut names = vec![self.first.clone()];
        names.extend(self.rest.iter().cloned());
        names.pop();
        names.push(name.to_owned());
        Self::of(names)
    }

    /// A path of one name or more.
    fn of(names: Vec<String>) -> Self {
        let text = names.iter().map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect();
        let mut names = names.into_iter();
        Self { text, first: names.next().unwrap_or_default(), rest: names.collect() }
    }

    /// The value in an object that the path leads to.
    pub fn find<'a>(&self, object: &'a Fields) -> Option<&'a RawValue> {
        object.get(&self.first).and_then(|value| self.walk(value))
    }

    /// Walks on from the value of the first member; `None` where the path leads nowhere.
    pub fn walk<'a>(&self, from: &'a RawValue) -> Option<&'a RawValue> {
        self.rest.iter().try_fold(from, |value, name| step(value, name))
    }
}

fn unescape(name: &str) -> Result<String, PointerError> {
    let mut parts = name.split('~');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sign, rest) = match (part.strip_prefix('0'), part.strip_prefix('1')) {
            (Some(rest), _) => ('~', rest),
            (_, Some(rest)) => ('/', rest),
            (None, None) => return Err(PointerError::Escape),
        };
        whole.push(sign);
        whole.push_str(rest);
    }
    Ok(whole)
}

/// The member or element `name` of one value. Of repeated names the last counts, as JSON readers have it.
fn step<'a>(value: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    // A failure can only mean that the value is neither object nor array, or holds a broken name: it leads nowhere.
    Step { name }.deserialize(&mut serde_json::Deserializer::from_str(value.get())).ok().flatten()
}

struct Step<'n> {
    name: &'n str,
}

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(same) = map.next_key_seed(Is(self.name))? {
            if same {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let digits = self.name.bytes().all(|digit| digit.is_ascii_digit());
        let canonical = digits && (self.name == "0" || !self.name.starts_with('0'));
        let place = self.name.parse::<usize>().ok().filter(|_| canonical);
        let mut found = None;
        let mut next = 0;
        loop {
            if place == Some(next) {
                found = list.next_element()?;
            } else if list.next_element::<IgnoredAny>()?.is_none() {
                return Ok(found);
            }
            next += 1;
        }
    }
}

/// Compares a name without keeping it.
struct Is<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schemas::Fields;
    use serde_json::Value;

    use super::*;

    fn find(object: &str, pointer: &str) -> Option<String> {
        let pointer: Pointer = pointer.parse().expect("a pointer");
        let fields: Fields = serde_json::from_str(object).expect("an object");
        let value = fields.get(pointer.first())?;
        pointer.walk(value).map(|found| found.get().to_owned())
    }

    #[test]
    fn walks_the_examples_of_the_rfc() {
        let object = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
        let cases = [
            ("/foo", Some(r#"["bar","baz"]"#)),
            ("/foo/0", Some("\"bar\"")),
            ("/foo/1", Some("\"baz\"")),
            ("/foo/2", None),
            ("/foo/01", None),
            ("/foo/-", None),
            ("/foo/+1", None),
            ("/foo/0/x", None),
            ("/", Some("0")),
            ("/a~1b", Some("1")),
            ("/c%d", Some("2")),
            ("/i\\j", Some("5")),
            ("/k\"l", Some("6")),
            ("/ ", Some("7")),
            ("/m~0n", Some("8")),
            ("/a/b", None),
        ];
        for (pointer, expected) in cases {
            assert_eq!(find(object, pointer).as_deref(), expected, "{pointer}");
        }
    }

    #[test]
    fn the_last_of_repeated_names_counts() {
        assert_eq!(find(r#"{"a":1,"a":{"b":2,"b":3}}"#, "/a/b").as_deref(), Some("3"));
    }

    #[test]
    fn refuses_what_is_no_pointer() {
        for (text, error) in [
            ("", PointerError::NoSlash),
            ("text", PointerError::NoSlash),
            ("/a~2", PointerError::Escape),
            ("/~", PointerError::Escape),
        ] {
            assert_eq!(text.parse::<Pointer>(), Err(error), "{text:?}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-c~/0-2\"]{0,3}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c~/0-2]{0,2}", inner, 0..4).prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_the_library_on_parsed_values(root in prop::collection::btree_map("[a-c~/0-2]{0,2}", json(), 0..4), names in prop::collection::vec("[a-c~/0-2]{0,2}", 1..4)) {
            let root = Value::from_iter(root);
            let pointer: String = names.iter().map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect();
            let found = find(&root.to_string(), &pointer).map(|raw| serde_json::from_str::<Value>(&raw).expect("raw values are JSON"));
            prop_assert_eq!(found.as_ref(), root.pointer(&pointer));
        }
    }
}
