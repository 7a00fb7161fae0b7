//! `config.json` as Hugging Face writes it: only the fields that decide what the scores mean and how long a row may be.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use schemas::Fields;
use serde::Deserialize;

use super::error::PackageError;
use crate::label::ProblemType;

/// Tokens per row when nothing says otherwise.
const TOKENS_MAX_DEFAULT: usize = 512;
/// Architectures that number positions from the padding id on, so that a row holds that many tokens fewer
/// (`create_position_ids_from_input_ids` in Hugging Face transformers).
const POSITIONS_AFTER_PADDING: [&str; 9] = [
    "roberta",
    "xlm-roberta",
    "xlm-roberta-xl",
    "camembert",
    "mpnet",
    "longformer",
    "data2vec-text",
    "ibert",
    "roberta-prelayernorm",
];

/// Other fields are left alone: the file is written for other programs too.
#[derive(Debug, Deserialize)]
struct Written {
    id2label: Option<Fields>,
    problem_type: Option<String>,
    pad_token_id: Option<u32>,
    max_position_embeddings: Option<usize>,
    vocab_size: Option<usize>,
    model_type: Option<String>,
}

/// What `config.json` says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelConfig {
    /// Label names in the order of the logits; complete and unique.
    pub labels: Vec<Arc<str>>,
    pub problem_type: ProblemType,
    pub pad_token_id: Option<u32>,
    /// Tokens per row that the model has positions for, where it says so.
    pub positions: Option<usize>,
    /// Token ids that the model has embeddings for, where it says so.
    pub vocab_size: Option<usize>,
}

impl ModelConfig {
    pub(super) fn parse(file: &Path, content: &[u8]) -> Result<Self, PackageError> {
        let written: Written =
            serde_json::from_slice(content).map_err(|source| PackageError::Json { file: file.to_owned(), source })?;
        let wrong = |field: &str, problem: String| PackageError::Field {
            file: file.to_owned(),
            field: field.to_owned(),
            problem,
        };
        let labels = labels(written.id2label.as_ref()).map_err(|problem| wrong("id2label", problem))?;
        let problem_type = problem_type(written.problem_type.as_deref(), labels.len())
            .map_err(|problem| wrong("problem_type", problem))?;
        let before = match written.model_type.as_deref() {
            Some(kind) if POSITIONS_AFTER_PADDING.contains(&kind) => {
                usize::try_from(written.pad_token_id.unwrap_or(1)).unwrap_or(usize::MAX).saturating_add(1)
            }
            _ => 0,
        };
        let positions = written.max_position_embeddings.map(|positions| positions.saturating_sub(before));
        if positions == Some(0) {
            return Err(wrong("max_position_embeddings", "leaves no room for a token".to_owned()));
        }
        Ok(Self { labels, problem_type, pad_token_id: written.pad_token_id, positions, vocab_size: written.vocab_size })
    }

    /// Tokens per row when neither settings nor `labelstream.json` say: what the tokenizer truncates to, else 512, and
    /// never more than the model has positions for.
    pub(super) fn tokens_max(&self, truncation: Option<usize>) -> usize {
        truncation.unwrap_or(TOKENS_MAX_DEFAULT).min(self.positions.unwrap_or(usize::MAX))
    }
}

fn labels(written: Option<&Fields>) -> Result<Vec<Arc<str>>, String> {
    let written = written.ok_or("is missing: it names the label of every logit")?;
    let mut by_place = BTreeMap::new();
    for (key, value) in &written.0 {
        let place: usize = key.parse().map_err(|_| format!("has the key {key:?}, which is not a whole number"))?;
        let name: String =
            serde_json::from_str(value.get()).map_err(|_| format!("gives {key} a name that is not a text"))?;
        if name.is_empty() {
            return Err(format!("gives {key} an empty name"));
        }
        if by_place.insert(place, name).is_some() {
            return Err(format!("has the key {place} twice"));
        }
    }
    let count = by_place.len();
    if count == 0 {
        return Err("is empty".to_owned());
    }
    if let Some(gap) = (0..count).find(|place| !by_place.contains_key(place)) {
        return Err(format!("has {count} labels but none for logit {gap}"));
    }
    let mut seen = BTreeMap::new();
    for (place, name) in &by_place {
        if let Some(earlier) = seen.insert(name, place) {
            return Err(format!("gives {earlier} and {place} the same name {name:?}"));
        }
    }
    Ok(by_place.into_values().map(Arc::from).collect())
}

/// As Hugging Face's text-classification pipeline chooses: without `problem_type`, one label means sigmoid and several
/// mean softmax.
fn problem_type(written: Option<&str>, labels: usize) -> Result<ProblemType, String> {
    match written {
        Some("single_label_classification") => Ok(ProblemType::Softmax),
        Some("multi_label_classification") => Ok(ProblemType::Sigmoid),
        Some("regression") if labels == 1 => Ok(ProblemType::Regression),
        Some("regression") => Err(format!("is regression, which takes one label, but id2label has {labels}")),
        None if labels == 1 => Ok(ProblemType::Sigmoid),
        None => Ok(ProblemType::Softmax),
        Some(other) => {
            Err(format!("is {other:?}: expected single_label_classification, multi_label_classification or regression"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;

    fn parse(json: &str) -> Result<ModelConfig, String> {
        ModelConfig::parse(Path::new("config.json"), json.as_bytes()).map_err(|error| chain(&error))
    }

    #[test]
    fn takes_what_hugging_face_writes() {
        let config = parse(
            r#"{"id2label": {"1": "b", "0": "a"}, "pad_token_id": 1, "max_position_embeddings": 514,
                "model_type": "roberta", "vocab_size": 7, "architectures": ["RobertaForSequenceClassification"]}"#,
        )
        .expect("a good file");
        assert_eq!(config.labels, ["a".into(), "b".into()]);
        assert_eq!(config.problem_type, ProblemType::Softmax);
        assert_eq!(config.positions, Some(512));
        assert_eq!(
            (config.tokens_max(Some(128)), config.tokens_max(Some(9999)), config.tokens_max(None)),
            (128, 512, 512)
        );
        let one = |problem: &str| parse(&format!(r#"{{"id2label": {{"0": "a"}}{problem}}}"#)).map(|it| it.problem_type);
        assert_eq!(one(""), Ok(ProblemType::Sigmoid));
        assert_eq!(one(r#", "problem_type": null"#), Ok(ProblemType::Sigmoid));
        assert_eq!(one(r#", "problem_type": "regression""#), Ok(ProblemType::Regression));
        assert_eq!(one(r#", "problem_type": "multi_label_classification""#), Ok(ProblemType::Sigmoid));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (json, expected) in [
            ("{", "config.json as JSON: EOF while parsing an object at line 1 column 1"),
            ("[]", "config.json as JSON: invalid length 0"),
            ("{}", "id2label is missing"),
            (r#"{"id2label": {}}"#, "id2label is empty"),
            (r#"{"id2label": {"0": "a", "2": "b"}}"#, "2 labels but none for logit 1"),
            (r#"{"id2label": {"0": "a", "1": "a"}}"#, "gives 0 and 1 the same name \"a\""),
            (r#"{"id2label": {"0": "a", "0": "b"}}"#, "has the key 0 twice"),
            (r#"{"id2label": {"x": "a"}}"#, "has the key \"x\""),
            (r#"{"id2label": {"0": 5}}"#, "gives 0 a name that is not a text"),
            (r#"{"id2label": {"0": ""}}"#, "gives 0 an empty name"),
            (r#"{"id2label": {"0": "a"}, "problem_type": "ranking"}"#, "problem_type is \"ranking\": expected"),
            (r#"{"id2label": {"0": "a", "1": "b"}, "problem_type": "regression"}"#, "takes one label"),
            (r#"{"id2label": {"0": "a"}, "max_position_embeddings": 0}"#, "leaves no room"),
        ] {
            let error = parse(json).expect_err(json);
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
