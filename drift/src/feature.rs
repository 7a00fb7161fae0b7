//! What is counted and tested: one [`Feature`] each, with the name that stands in reports and metrics.
//!
//! A feature's [`FeatureKind`] says which tests apply to it. The set is closed but for [`Feature::ClassScore`], of which there is
//! one per label. `Counts::features` says which features the events of a window carry.

use std::borrow::Cow;
use std::sync::Arc;

/// One thing that is counted about labelled events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// The highest probability, 0..=1.
    Score,
    /// Entropy of the scores, divided by its maximum.
    Entropy,
    /// Best score minus second best.
    Margin,
    /// The winning label; abstentions are the category [`ABSTAINED`](crate::counts::ABSTAINED).
    Label,
    /// The score of one label, in the events that list it.
    ClassScore(Arc<str>),
    /// The raw output of a regression model.
    Value,
    /// Unicode scalar values of the text.
    Characters,
    /// Tokens of the whole text, before truncation.
    Tokens,
    /// Share of unknown tokens among the tokens of a text.
    UnknownRate,
    /// Texts of which the model did not see every token.
    Truncated,
    /// The script that most letters of a text are written in, as in ISO 15924.
    Script,
    /// Texts with a web address.
    Url,
    /// Texts with an e-mail address.
    Email,
    /// Texts with a number.
    Number,
    /// Texts whose words were seen before, in the same order, in the same window; estimated.
    Duplicates,
    /// Records that could not be labelled, among all records; none where no dead-letter topic is read.
    DeadLetters,
    /// Why records could not be labelled.
    DeadLetterReason,
    /// Name and version of the model.
    Model,
    /// In how many texts each word stands.
    Words,
    /// The mean of an embedding in random Fourier features.
    Embedding,
}

/// What kind of numbers a feature gives, and so which tests apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeatureKind {
    /// Continuous values in fine bins.
    Numeric,
    /// Whole numbers from 0, with many ties.
    Length,
    Categorical,
    /// Yes or no per event.
    Share,
    /// A share of which the count is an estimate: it is described and not tested.
    Estimate,
    Words,
    Embedding,
}

impl FeatureKind {
    /// The word in the reports' column `feature_kind`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Numeric | Self::Length => "numeric",
            Self::Categorical => "categorical",
            Self::Share | Self::Estimate => "share",
            Self::Words => "words",
            Self::Embedding => "embedding",
        }
    }
}

/// Begins the names of [`Feature::ClassScore`].
const CLASS_SCORE: &str = "score:";

impl Feature {
    /// Every feature that has one name, most telling first.
    pub const FIXED: [Self; 19] = [
        Self::Score,
        Self::Entropy,
        Self::Margin,
        Self::Label,
        Self::Value,
        Self::Characters,
        Self::Tokens,
        Self::UnknownRate,
        Self::Truncated,
        Self::Script,
        Self::Url,
        Self::Email,
        Self::Number,
        Self::Duplicates,
        Self::DeadLetters,
        Self::DeadLetterReason,
        Self::Model,
        Self::Words,
        Self::Embedding,
    ];

    /// The name in reports, metrics and settings; `score:<label>` for the score of one label.
    pub fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Score => "score",
            Self::Entropy => "entropy",
            Self::Margin => "margin",
            Self::Label => "label",
            Self::ClassScore(label) => return Cow::Owned(format!("{CLASS_SCORE}{label}")),
            Self::Value => "value",
            Self::Characters => "characters",
            Self::Tokens => "tokens",
            Self::UnknownRate => "unknown_rate",
            Self::Truncated => "truncated",
            Self::Script => "script",
            Self::Url => "url",
            Self::Email => "email",
            Self::Number => "number",
            Self::Duplicates => "duplicates",
            Self::DeadLetters => "dead_letters",
            Self::DeadLetterReason => "dead_letter_reason",
            Self::Model => "model",
            Self::Words => "words",
            Self::Embedding => "embedding",
        })
    }

    pub fn kind(&self) -> FeatureKind {
        match self {
            Self::Score | Self::Entropy | Self::Margin | Self::ClassScore(_) | Self::Value | Self::UnknownRate => {
                FeatureKind::Numeric
            }
            Self::Characters | Self::Tokens => FeatureKind::Length,
            Self::Label | Self::Script | Self::DeadLetterReason | Self::Model => FeatureKind::Categorical,
            Self::Truncated | Self::Url | Self::Email | Self::Number | Self::DeadLetters => FeatureKind::Share,
            Self::Duplicates => FeatureKind::Estimate,
            Self::Words => FeatureKind::Words,
            Self::Embedding => FeatureKind::Embedding,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_feature_has_a_name_of_its_own() {
        let class = Feature::ClassScore("card_arrival".into());
        assert_eq!(class.name(), "score:card_arrival");
        let mut names = BTreeSet::new();
        for feature in Feature::FIXED.into_iter().chain([class]) {
            assert!(names.insert(feature.name()), "{feature:?} shares its name");
        }
    }
}
