//! What features are called in sentences.

use crate::counts::ABSTAINED;
use crate::feature::Feature;
use crate::slice::OTHER;

/// What a number is called: `median confidence fell ...`.
pub(super) fn of_number(feature: &Feature) -> String {
    match feature {
        Feature::Score => "confidence".to_owned(),
        Feature::Entropy => "entropy of the scores".to_owned(),
        Feature::Margin => "margin between the two best labels".to_owned(),
        Feature::ClassScore(label) => format!("score of {label}"),
        Feature::UnknownRate => "share of unknown tokens".to_owned(),
        Feature::Characters => "length in characters".to_owned(),
        Feature::Tokens => "length in tokens".to_owned(),
        other => other.name().into_owned(),
    }
}

/// What the share of a category is called: `share of card_arrival rose ...`.
pub(super) fn of_category(feature: &Feature, category: &str) -> String {
    match (feature, category) {
        (Feature::Label, ABSTAINED) => "share of texts without a label".to_owned(),
        (Feature::Label, OTHER) => "share of all rarer labels".to_owned(),
        (Feature::Label, _) => format!("share of {category}"),
        (_, OTHER) => format!("share of every other {}", feature.name()),
        (Feature::Script, _) => format!("share of texts in the script {category}"),
        (Feature::Model, _) => format!("share of events from the model {category}"),
        (Feature::DeadLetterReason, _) => format!("share of {category} among dead letters"),
        _ => format!("share of {category} in {}", feature.name()),
    }
}

/// What a yes-or-no rate is called: `share of truncated texts rose ...`.
pub(super) fn of_rate(feature: &Feature) -> String {
    let what = match feature {
        Feature::Truncated => "truncated texts",
        Feature::Url => "texts with a web address",
        Feature::Email => "texts with an e-mail address",
        Feature::Number => "texts with a number",
        Feature::Duplicates => "repeated texts",
        Feature::DeadLetters => "dead letters",
        other => return format!("share of {}", other.name()),
    };
    format!("share of {what}")
}
