//! `config.json` as Hugging Face writes it: only the fields that decide what the scores mean and how long a row may be.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::PackageError;
use super::labels;
use crate::label::ProblemType;

/// Tokens per row when nothing says otherwise.
pub(super) const TOKENS_MAX_DEFAULT: usize = 512;
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
struct Written<'a> {
    #[serde(borrow)]
    id2label: Option<&'a RawValue>,
    #[serde(borrow)]
    label2id: Option<&'a RawValue>,
    #[serde(borrow)]
    num_labels: Option<&'a RawValue>,
    problem_type: Option<String>,
    /// Negative where a model has none, as in some files of older versions.
    pad_token_id: Option<i64>,
    max_position_embeddings: Option<i64>,
    /// What GPT-2 and its kin call the same.
    n_positions: Option<i64>,
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
    /// How the labels were found, where the file leaves it to its reader.
    pub note: Option<String>,
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
        let Written { id2label, label2id, num_labels, .. } = written;
        let named = labels::find(labels::Written { id2label, label2id, num_labels })
            .map_err(|(field, problem)| wrong(field, problem))?;
        let labels = named.names;
        let problem_type = problem_type(written.problem_type.as_deref(), labels.len())
            .map_err(|problem| wrong("problem_type", problem))?;
        let pad_token_id = written.pad_token_id.and_then(|id| u32::try_from(id).ok());
        let before = match written.model_type.as_deref() {
            Some(kind) if POSITIONS_AFTER_PADDING.contains(&kind) => {
                usize::try_from(pad_token_id.unwrap_or(1)).unwrap_or(usize::MAX).saturating_add(1)
            }
            _ => 0,
        };
        // A model of relative positions says -1: it has no limit.
        let positions = written.max_position_embeddings.or(written.n_positions);
        let positions = positions.and_then(|positions| usize::try_from(positions).ok());
        let positions = positions.map(|positions| positions.saturating_sub(before));
        if positions == Some(0) {
            return Err(wrong("max_position_embeddings", "leaves no room for a token".to_owned()));
        }
        Ok(Self { labels, problem_type, pad_token_id, positions, vocab_size: written.vocab_size, note: named.note })
    }

    /// Tokens per row when neither settings nor `labelstream.json` say, never more than the model has positions for.
    pub(super) fn tokens_max(&self, tokenizer: Option<usize>) -> usize {
        tokenizer.unwrap_or(TOKENS_MAX_DEFAULT).min(self.positions.unwrap_or(usize::MAX))
    }
}

/// As Hugging Face's text-classification pipeline chooses, in its order: `regression` is a number as it is; a single
/// label means sigmoid whatever else is said, because softmax over one logit is 1 for every text; several mean sigmoid
/// with `multi_label_classification` and softmax without.
fn problem_type(written: Option<&str>, labels: usize) -> Result<ProblemType, String> {
    match written {
        Some("regression") if labels == 1 => Ok(ProblemType::Regression),
        Some("regression") => Err(format!("is regression, which takes one label, but config.json has {labels}")),
        Some("multi_label_classification") => Ok(ProblemType::Sigmoid),
        None | Some("single_label_classification") if labels == 1 => Ok(ProblemType::Sigmoid),
        None | Some("single_label_classification") => Ok(ProblemType::Softmax),
        Some(other) => {
            Err(format!("is {other:?}: expected single_label_classification, multi_label_classification or regression"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use service::chain;

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
        assert_eq!(one(r#", "problem_type": "single_label_classification""#), Ok(ProblemType::Sigmoid));
        let two = |problem: &str| parse(&format!(r#"{{"problem_type": "{problem}"}}"#)).map(|it| it.problem_type);
        assert_eq!(two("single_label_classification"), Ok(ProblemType::Softmax));
        assert_eq!(two("multi_label_classification"), Ok(ProblemType::Sigmoid));
    }

    #[test]
    fn a_number_that_means_none_is_none() {
        let config = parse(r#"{"pad_token_id": -1, "max_position_embeddings": -1}"#).expect("older files have these");
        assert_eq!((config.pad_token_id, config.positions), (None, None));
        assert_eq!(parse(r#"{"n_positions": 1024, "pad_token_id": null}"#).expect("GPT-2").positions, Some(1024));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (json, expected) in [
            ("{", "config.json as JSON: EOF while parsing an object at line 1 column 1"),
            ("[]", "config.json as JSON: invalid length 0"),
            (r#"{"id2label": {"0": "a", "2": "b"}}"#, "config.json: id2label has 2 labels but none for logit 1"),
            (r#"{"id2label": {"0": "a"}, "problem_type": "ranking"}"#, "problem_type is \"ranking\": expected"),
            (r#"{"id2label": {"0": "a", "1": "b"}, "problem_type": "regression"}"#, "takes one label"),
            (r#"{"id2label": {"0": "a"}, "max_position_embeddings": 0}"#, "leaves no room"),
        ] {
            let error = parse(json).expect_err(json);
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
