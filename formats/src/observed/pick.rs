//! Picks the members of a JSON object that have certain names, as raw JSON borrowed from it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Puts the raw value of each member of `object` whose name stands in `names` into the same place of `found`; of repeated
/// members the last. A name may stand in `names` several times. Other members are skipped without being kept.
///
/// # Errors
/// When the text is not one JSON object.
pub fn pick<'a>(object: &'a str, names: &[&str], found: &mut [Option<&'a RawValue>]) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(object);
    deserializer.deserialize_map(Pick { names, found })?;
    deserializer.end()
}

struct Pick<'n, 'f, 'a> {
    names: &'n [&'n str],
    found: &'f mut [Option<&'a RawValue>],
}

impl<'a> Visitor<'a> for Pick<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(first) = map.next_key_seed(Place { names: self.names })? {
            let Some(first) = first else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value()?;
            let name = self.names[first];
            for (place, found) in self.found.iter_mut().enumerate().skip(first) {
                if self.names[place] == name {
                    *found = Some(value);
                }
            }
        }
        Ok(())
    }
}

/// The first place of a name in a list.
struct Place<'n> {
    names: &'n [&'n str],
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.names.iter().position(|own| *own == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(object: &str, expected: Option<[Option<&str>; 3]>) {
        let mut found = [None; 3];
        let picked = pick(object, &["a", "b", "a"], &mut found).ok();
        let texts = found.map(|raw| raw.map(RawValue::get));
        assert_eq!(picked.map(|()| texts), expected, "{object}");
    }

    #[test]
    fn picks_raw_members_by_name() {
        check("{}", Some([None; 3]));
        check(r#"{"c": [1, {"a": 2}], "a": {"x": 1} }"#, Some([Some(r#"{"x": 1}"#), None, Some(r#"{"x": 1}"#)]));
        check(r#"{"a": 1, "b": null, "\u0061": 2}"#, Some([Some("2"), Some("null"), Some("2")]));
        for bad in ["", "[]", "3", r#"{"a": }"#, r#"{"a": 1} {}"#, r#"{"a": 1"#, r#"{"c": tru}"#] {
            check(bad, None);
        }
    }
}
