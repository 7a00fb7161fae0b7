//! How a labelled event combines the user's value and what labelstream adds.

use schemas::Fields;
use serde::{Deserialize, Serialize};

/// Names that a labelled event adds to the user's object.
pub const FIELD_NAMES: [&str; 7] = ["label", "score", "labels", "value", "model", "signals", "source"];
/// The single name that [`Layout::Nest`] adds.
pub const NEST_NAME: &str = "labelstream";
/// Where [`OnClash::Replace`] keeps the user's values that had to make room.
pub const REPLACED_NAME: &str = "replaced";

/// How the user's object and our fields are combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// The user's members, then ours, in one object.
    #[default]
    Merge,
    /// The user's members, then one member `labelstream` that holds ours.
    Nest,
    /// Only ours: for topics where the text must not go.
    Bare,
}

/// What happens when the user's object already has a name that ours adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnClash {
    /// The record is a dead letter, reason `field_clash`.
    #[default]
    DeadLetter,
    /// Ours takes the name; the user's value moves into the member `replaced`.
    Replace,
}

impl Layout {
    /// The names that this layout adds at the top of the object.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Merge => &FIELD_NAMES,
            Self::Nest => &[NEST_NAME],
            Self::Bare => &[],
        }
    }

    /// The first of the user's names that this layout would also write.
    pub fn clash(self, fields: &Fields) -> Option<&str> {
        fields.0.iter().map(|(name, _)| name.as_str()).find(|name| self.names().contains(name))
    }
}
