//! What a model says about a text.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One label with its score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    pub label: Arc<str>,
    /// Probability after temperature, 0..=1.
    pub score: f32,
}

/// The outcome for one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// The winner; `None` when the model abstained (softmax below its threshold, sigmoid with no label over its own).
    pub label: Option<Arc<str>>,
    /// The highest score, 0..=1, also when abstaining; `None` for regression, which has a value and no probability.
    pub score: Option<f32>,
    /// Softmax: the k best labels. Sigmoid: the labels over their thresholds, at most k. Highest score first.
    /// Regression: empty.
    pub top: Vec<Label>,
    /// The raw output of a regression model, in the model's own unit; `None` otherwise.
    pub value: Option<f32>,
}

/// Facts about the text and the scores that the drift worker counts. Every share and score is in 0..=1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signals {
    /// Unicode scalar values in the text.
    pub characters: u32,
    /// Tokens of the whole text, special ones included, before any truncation.
    pub n_tokens: u32,
    /// True when the model did not see every token.
    pub truncated: bool,
    /// Share of unknown tokens among the text's own tokens; 0 when there are none.
    pub unknown_rate: f32,
    /// Shannon entropy of the scores divided by its maximum; sigmoid: the mean over labels of the binary entropy.
    /// `None` for regression.
    pub entropy: Option<f32>,
    /// Best score minus second best; `None` for regression and for models of one label.
    pub margin: Option<f32>,
}

/// Which model labelled an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelId {
    pub name: String,
    pub version: String,
    /// `sha256:` and the hexadecimal digest over the package's files: equal digests give equal scores.
    pub digest: String,
}
