//! Why a text has no prediction, and why a model gives no more of them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use schemas::Recovery;

use crate::model::ModelError;
use crate::tokens::TokenError;

/// Why one text has no label; with its sources it becomes the dead letter's error text, so it never holds the text itself.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    #[error("tokenise the text")]
    Tokens(#[from] TokenError),
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// A text that a sound model labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// One of the package, labelled as it should be when the model was loaded.
    GoldenText,
    /// The first of the stream that this process labelled.
    EarlierText,
    /// A greeting, for a model that has labelled nothing yet.
    PlainText,
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GoldenText => "a golden text of its package",
            Self::EarlierText => "a text that it labelled before",
            Self::PlainText => "a plain greeting",
        })
    }
}

/// A class has as much under way as it may, or others wait for room in it: nothing was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "take texts in: {texts} texts wait already, {bytes} bytes of at most {bytes_max}, and the last that was answered had \
     waited {waited:?}"
)]
pub struct QueueFull {
    /// Texts of the class under way.
    pub texts: usize,
    /// Bytes of these texts.
    pub bytes: usize,
    pub bytes_max: usize,
    /// How long the text of the class that was answered last had been under way: about what the next one must wait.
    pub waited: Duration,
}

/// Why labelling cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LabelError {
    /// The model, not the texts, is broken.
    #[error("label texts: the model failed on {failures} in a row, and then on {known}")]
    Broken {
        failures: usize,
        known: Known,
        #[source]
        source: Arc<ModelError>,
    },
    /// That was known before the call.
    #[error("label texts: the model is broken")]
    StillBroken,
    /// Its slot was removed, or is being removed: ask another one.
    #[error("label texts: the model was removed")]
    Removed,
    /// It was closed, or one of its threads panicked.
    #[error("label texts: the engine has ended")]
    Ended,
}

impl LabelError {
    /// Always exit: the same model would fail again or is gone, and a restart may find a device or memory that this
    /// process lost.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Broken { .. } | Self::StillBroken | Self::Removed | Self::Ended => Recovery::Exit,
        }
    }
}
