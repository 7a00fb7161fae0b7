//! The type of one setting, taken from its default, and how written values are held against it.
//!
//! Nothing is converted silently: a number in quotes is a text. Only the environment and the command line, which have no
//! types, are read by the type that the key has.

use toml::Value;

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Switch,
    Integer,
    Float,
    /// Texts.
    List,
}

impl Kind {
    /// The kind of a default; `None` for dates and for lists of anything but texts, which no setting uses.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(_) => Some(Self::Text),
            Value::Boolean(_) => Some(Self::Switch),
            Value::Integer(_) => Some(Self::Integer),
            Value::Float(_) => Some(Self::Float),
            Value::Array(items) => items.iter().all(Value::is_str).then_some(Self::List),
            Value::Datetime(_) | Value::Table(_) => None,
        }
    }

    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Text => "a string in quotes",
            Self::Switch => "true or false",
            Self::Integer => "a whole number",
            Self::Float => "a finite number",
            Self::List => "a list of strings such as [\"a\", \"b\"]",
        }
    }

    /// Holds a TOML value against the kind.
    pub(super) fn check(self, value: Value) -> Result<Value, String> {
        let expected = self.expected();
        match (self, value) {
            (Self::Float, Value::Integer(whole)) => Ok(Value::Float(whole as f64)),
            (Self::Float, Value::Float(number)) if !number.is_finite() => {
                Err(format!("expected {expected}, found {number}"))
            }
            (_, value) if Self::of(&value) == Some(self) => Ok(value),
            (_, value) => Err(format!("expected {expected}, found {}", describe(&value))),
        }
    }

    /// As [`Kind::check`], and a number or switch is taken as a text where a text is due: the tables of free names, such
    /// as `kafka.properties`, hold values that another program reads.
    pub(super) fn check_free(self, value: Value) -> Result<Value, String> {
        let value = match value {
            Value::Integer(number) if self == Self::Text => Value::String(number.to_string()),
            Value::Float(number) if self == Self::Text => Value::String(number.to_string()),
            Value::Boolean(switch) if self == Self::Text => Value::String(switch.to_string()),
            value => value,
        };
        self.check(value)
    }

    /// Reads a value that was written without a type: TOML syntax, a bare text, or a list with commas.
    pub(super) fn read(self, text: &str) -> Result<Value, String> {
        let parsed = parse(text.trim());
        match self {
            Self::Text => Ok(match parsed {
                Some(Value::String(quoted)) => Value::String(quoted),
                _ => Value::String(text.to_owned()),
            }),
            Self::List => match parsed {
                Some(value @ Value::Array(_)) => self.check(value),
                _ => Ok(Value::Array(
                    text.split(',')
                        .map(str::trim)
                        .filter(|item| !item.is_empty())
                        .map(|item| Value::String(item.to_owned()))
                        .collect(),
                )),
            },
            Self::Switch | Self::Integer | Self::Float => {
                let value = parsed.unwrap_or_else(|| Value::String(text.to_owned()));
                self.check(value)
            }
        }
    }
}

/// One TOML value, or `None` when the text is none.
fn parse(text: &str) -> Option<Value> {
    if text.contains('\n') {
        return None;
    }
    toml::from_str::<toml::Table>(&format!("value = {text}")).ok()?.remove("value")
}

/// What a value is, with the value where that is short.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the string {text:?}"),
        Value::Integer(number) => format!("the number {number}"),
        Value::Float(number) => format!("the number {number}"),
        Value::Boolean(switch) => switch.to_string(),
        Value::Datetime(date) => format!("the date {date}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a section".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, text: &str, expected: Result<&str, &str>) {
        let found = kind.read(text).map(|value| value.to_string());
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(found, expected, "{kind:?} from {text:?}");
    }

    #[test]
    fn reads_untyped_texts_by_the_type_of_their_key() {
        check(Kind::Text, "orders", Ok("\"orders\""));
        check(Kind::Text, "\"or ders\"", Ok("\"or ders\""));
        check(Kind::Text, "123", Ok("\"123\""));
        check(Kind::Text, "", Ok("\"\""));
        check(Kind::Integer, "1_000", Ok("1000"));
        check(Kind::Integer, " 7 ", Ok("7"));
        check(Kind::Integer, "7.5", Err("expected a whole number, found the number 7.5"));
        check(Kind::Integer, "many", Err("expected a whole number, found the string \"many\""));
        check(Kind::Integer, "", Err("expected a whole number, found the string \"\""));
        check(Kind::Float, "1", Ok("1.0"));
        check(Kind::Float, "nan", Err("expected a finite number, found NaN"));
        check(Kind::Switch, "true", Ok("true"));
        check(Kind::Switch, "yes", Err("expected true or false, found the string \"yes\""));
        check(Kind::List, "a, b,", Ok("[\"a\", \"b\"]"));
        check(Kind::List, "[\"a,b\"]", Ok("[\"a,b\"]"));
        check(Kind::List, "[1]", Err("expected a list of strings such as [\"a\", \"b\"], found a list"));
    }

    #[test]
    fn a_number_in_quotes_is_a_text() {
        let found = Kind::Integer.check(Value::String("5".into()));
        assert_eq!(found, Err("expected a whole number, found the string \"5\"".to_owned()));
        assert_eq!(Kind::Text.check_free(Value::Integer(5)), Ok(Value::String("5".into())));
        assert!(Kind::Text.check(Value::Integer(5)).is_err());
    }
}
