//! The type of one setting, taken from its default, and how written values are held against it.
//!
//! Nothing is converted silently: a number in quotes is a text, but where a key counts milliseconds or bytes, `"10s"` and
//! `"16MiB"` are numbers. Only the environment and the command line, which have no
//! types, are read by the type that the key has.

use toml::Value;

use super::unit::Unit;

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueType {
    Text,
    Switch,
    Integer,
    /// A whole number that may also be written with its unit, as a text.
    Counted(Unit),
    Float,
    /// Texts.
    List,
}

impl ValueType {
    /// The type of a default; `None` for dates and for lists of anything but texts, which no setting uses.
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

    /// The same for a key of this name, which may say in which unit its number is.
    pub(super) fn of_key(self, name: &str) -> Self {
        match (self, Unit::of_key(name)) {
            (Self::Integer, Some(unit)) => Self::Counted(unit),
            (own, _) => own,
        }
    }

    pub(super) fn has_unit(self) -> bool {
        matches!(self, Self::Counted(_))
    }

    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Text => "a string in quotes",
            Self::Switch => "true or false",
            Self::Integer => "a whole number",
            Self::Counted(unit) => unit.expected(),
            Self::Float => "a finite number",
            Self::List => "a list of strings such as [\"a\", \"b\"]",
        }
    }

    /// Holds a TOML value against the type.
    pub(super) fn check(self, value: Value) -> Result<Value, String> {
        let expected = self.expected();
        match (self, value) {
            (Self::Float, Value::Integer(whole)) => Ok(Value::Float(whole as f64)),
            (Self::Float, Value::Float(number)) if !number.is_finite() => {
                Err(format!("expected {expected}, found {number}"))
            }
            (Self::Counted(_), Value::Integer(number)) => Ok(Value::Integer(number)),
            (Self::Counted(unit), Value::String(text)) => {
                let number = unit.read(&text).map(Value::Integer);
                number.ok_or_else(|| format!("expected {expected}, found {}", describe(&Value::String(text))))
            }
            (_, value) if Self::of(&value) == Some(self) => Ok(value),
            (_, value) => Err(format!("expected {expected}, found {}", describe(&value))),
        }
    }

    /// As [`ValueType::check`], and a number or switch is taken as a text where a text is due: the tables of free names, such
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
            Self::Switch | Self::Integer | Self::Counted(_) | Self::Float => {
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

    fn check(value_type: ValueType, text: &str, expected: Result<&str, &str>) {
        let found = value_type.read(text).map(|value| value.to_string());
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(found, expected, "{value_type:?} from {text:?}");
    }

    #[test]
    fn reads_untyped_texts_by_the_type_of_their_key() {
        check(ValueType::Text, "orders", Ok("\"orders\""));
        check(ValueType::Text, "\"or ders\"", Ok("\"or ders\""));
        check(ValueType::Text, "123", Ok("\"123\""));
        check(ValueType::Text, "", Ok("\"\""));
        check(ValueType::Integer, "1_000", Ok("1000"));
        check(ValueType::Integer, " 7 ", Ok("7"));
        check(ValueType::Integer, "7.5", Err("expected a whole number, found the number 7.5"));
        check(ValueType::Integer, "many", Err("expected a whole number, found the string \"many\""));
        check(ValueType::Integer, "", Err("expected a whole number, found the string \"\""));
        check(ValueType::Float, "1", Ok("1.0"));
        check(ValueType::Float, "nan", Err("expected a finite number, found NaN"));
        check(ValueType::Switch, "true", Ok("true"));
        check(ValueType::Switch, "yes", Err("expected true or false, found the string \"yes\""));
        check(ValueType::List, "a, b,", Ok("[\"a\", \"b\"]"));
        check(ValueType::List, "[\"a,b\"]", Ok("[\"a,b\"]"));
        check(ValueType::List, "[1]", Err("expected a list of strings such as [\"a\", \"b\"], found a list"));
    }

    #[test]
    fn a_number_in_quotes_is_a_text() {
        let found = ValueType::Integer.check(Value::String("5".into()));
        assert_eq!(found, Err("expected a whole number, found the string \"5\"".to_owned()));
        assert_eq!(ValueType::Text.check_free(Value::Integer(5)), Ok(Value::String("5".into())));
        assert!(ValueType::Text.check(Value::Integer(5)).is_err());
    }
}
