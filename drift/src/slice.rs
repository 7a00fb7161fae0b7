//! Slices: the events that share the value of a header or field, or all of them.
//!
//! [`Slicing`] is the rule, as settings name it: `header:source`, `field:/language`, `model`. A [`Slice`] is one of the
//! parts that it makes. Values are cut at [`VALUE_BYTES_MAX`], since they may be anything that a user sends.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use formats::{Pointer, PointerError};

/// The name of what does not fit under a cap.
pub const OTHER: &str = "__other__";

/// Longer values are cut here: it bounds the memory of a window by what settings allow and not by what events hold.
pub const VALUE_BYTES_MAX: usize = 64;

/// Which events of a window are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slice {
    All,
    /// The events whose `key` has this value; the value [`OTHER`] pools those over the cap.
    Of {
        /// As in the settings: `header:source`.
        key: Arc<str>,
        value: Arc<str>,
    },
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all events"),
            Self::Of { key, value } => write!(f, "{key} = {value}"),
        }
    }
}

/// How events are sliced.
#[derive(Clone, Debug)]
pub enum Slicing {
    /// By the last header of this name.
    Header(String),
    /// By the string, number or boolean that a JSON pointer leads to.
    Field(Pointer),
    /// By name and version of the model.
    Model,
}

/// A text that names no way of slicing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlicingError {
    #[error("expected \"header:<name>\", \"field:<JSON pointer>\" or \"model\"")]
    Unknown,
    #[error("expected the name of a header after \"header:\"")]
    NoHeader,
    #[error(transparent)]
    Pointer(#[from] PointerError),
}

impl FromStr for Slicing {
    type Err = SlicingError;

    fn from_str(text: &str) -> Result<Self, SlicingError> {
        match text.split_once(':') {
            None if text == "model" => Ok(Self::Model),
            Some(("header", "")) => Err(SlicingError::NoHeader),
            Some(("header", name)) => Ok(Self::Header(name.to_owned())),
            Some(("field", pointer)) => Ok(Self::Field(pointer.parse()?)),
            _ => Err(SlicingError::Unknown),
        }
    }
}

/// At most [`VALUE_BYTES_MAX`] bytes of a value, whole characters only.
pub(crate) fn cut(value: &str) -> &str {
    &value[..value.floor_char_boundary(VALUE_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slicings_are_read_as_written() {
        let read = |text: &str| text.parse::<Slicing>();
        assert!(matches!(read("model"), Ok(Slicing::Model)));
        assert!(matches!(read("header:source"), Ok(Slicing::Header(name)) if name == "source"));
        assert!(matches!(read("header:a:b"), Ok(Slicing::Header(name)) if name == "a:b"));
        assert!(matches!(read("field:/language"), Ok(Slicing::Field(_))));
        assert!(matches!(read("field:language"), Err(SlicingError::Pointer(_))));
        assert_eq!(read("header:").err(), Some(SlicingError::NoHeader));
        for text in ["", "model:x", "language", "Header:source"] {
            assert_eq!(read(text).err(), Some(SlicingError::Unknown), "{text:?}");
        }
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        assert_eq!(cut("en"), "en");
        let long = "é".repeat(40);
        assert_eq!(cut(&long), "é".repeat(32));
        let odd = format!("x{long}");
        assert_eq!(cut(&odd).len(), 63);
    }
}
