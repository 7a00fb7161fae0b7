//! Why the labeller stops: what a batch cannot answer for by dead letters.

use std::error::Error;

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

/// Why labelling cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// Every text fails: the model, not the texts, is broken. `last` is absent when that was known before the call.
    #[error("label texts: the model failed on {failures} texts in a row")]
    EveryTextFails {
        failures: usize,
        #[source]
        last: Option<ModelError>,
    },
}

impl LabelError {
    /// Always exit: the same model would fail again, and a restart may find a device or memory that this process lost.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::EveryTextFails { .. } => Recovery::Exit,
        }
    }
}

/// An error and its sources in one line, for where it ends as a text: a dead letter, a report.
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        line.push_str(": ");
        line.push_str(&source.to_string());
        next = source.source();
    }
    line
}
