//! `tokenizer.json`, and the fields of `tokenizer_config.json` that decide which part of a long text the model sees.
//!
//! Where both files speak of the same, the second wins, as in Hugging Face transformers (measured with version 5.23):
//! `truncation_side` over the direction of the truncation, `model_max_length` over its length. Padding is left alone:
//! rows are padded on the right and masked, whatever the files say, which gives a text the scores that it has alone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde::Deserialize;
use tokenizers::Tokenizer;

use super::config::TOKENS_MAX_DEFAULT;
use super::error::PackageError;
use crate::tokens::TokenError;

/// From here on `model_max_length` means that there is no limit: transformers writes 1e30.
const LENGTH_UNLIMITED: f64 = 1e20;

/// What the files of a tokenizer say besides how to cut texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TokenizerFacts {
    /// Of the piece for unknown words.
    pub(super) unknown: Option<u32>,
    /// Of the piece that fills rows up.
    pub(super) padding: Option<u32>,
    /// Tokens per row, special ones included.
    pub(super) tokens_max: Option<usize>,
    /// True when a long text loses its beginning.
    pub(super) cuts_left: bool,
    /// What a person should know of it.
    pub(super) note: Option<String>,
}

#[derive(Deserialize)]
struct Written {
    model: WrittenModel,
    truncation: Option<WrittenTruncation>,
    padding: Option<WrittenPadding>,
}

#[derive(Deserialize)]
struct WrittenModel {
    /// WordPiece, BPE and WordLevel name the piece, Unigram gives its id.
    unk_token: Option<String>,
    unk_id: Option<u32>,
}

#[derive(Deserialize)]
struct WrittenTruncation {
    max_length: usize,
    #[serde(default)]
    direction: Direction,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
enum Direction {
    Left,
    #[default]
    Right,
}

#[derive(Deserialize)]
struct WrittenPadding {
    pad_id: u32,
}

/// `tokenizer_config.json`; other fields are for other programs.
#[derive(Default, Deserialize)]
struct WrittenConfig {
    truncation_side: Option<String>,
    /// A float where it means "none".
    model_max_length: Option<f64>,
    /// What older versions call the same.
    max_len: Option<f64>,
}

/// A file of a package with its bytes.
#[derive(Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) file: &'a Path,
    pub(super) bytes: &'a [u8],
}

/// Reads both files; the second is optional.
///
/// The library's own errors do not always say where; a first pass as plain JSON does.
pub(super) fn parse(
    tokenizer: Content<'_>,
    config: Option<Content<'_>>,
) -> Result<(Tokenizer, TokenizerFacts), PackageError> {
    let written: Written = json(tokenizer)?;
    let settings: WrittenConfig = config.map(json).transpose()?.unwrap_or_default();
    let wrong = |source| PackageError::Tokenizer { file: tokenizer.file.to_owned(), source };
    // The library panics on some malformed files.
    let parsed = catch_unwind(AssertUnwindSafe(|| Tokenizer::from_bytes(tokenizer.bytes)))
        .map_err(|_| wrong(TokenError::Panicked))?
        .map_err(|error| wrong(TokenError::Failed(error.to_string())))?;
    let unknown = written.model.unk_token.and_then(|token| parsed.token_to_id(&token)).or(written.model.unk_id);
    let cuts_left = match (settings.truncation_side.as_deref(), &written.truncation) {
        (Some("left"), _) => true,
        (Some("right"), _) => false,
        (Some(other), _) => {
            return Err(field(config, "truncation_side", format!("is {other:?}: expected left or right")));
        }
        (None, Some(truncation)) => truncation.direction == Direction::Left,
        (None, None) => false,
    };
    let truncation = written.truncation.map(|truncation| truncation.max_length);
    let limit = limit(&settings).map_err(|problem| field(config, "model_max_length", problem))?;
    let tokens_max = tokens_max(limit, truncation);
    let note = limit.filter(|limit| tokens_max.is_some_and(|tokens| tokens < *limit)).map(|limit| {
        format!(
            "tokenizer_config.json allows {limit} tokens of a text; set model.tokens_max, and model.tokens_per_run to at \
             least as much, for more than {TOKENS_MAX_DEFAULT}"
        )
    });
    let padding = written.padding.map(|padding| padding.pad_id);
    Ok((parsed, TokenizerFacts { unknown, padding, tokens_max, cuts_left, note }))
}

fn json<'a, T: Deserialize<'a>>(content: Content<'a>) -> Result<T, PackageError> {
    serde_json::from_slice(content.bytes).map_err(|source| PackageError::Json { file: content.file.to_owned(), source })
}

fn field(config: Option<Content<'_>>, field: &str, problem: String) -> PackageError {
    let file = config.map(|config| config.file.to_owned()).unwrap_or_default();
    PackageError::Field { file, field: field.to_owned(), problem }
}

/// `model_max_length`, where it is one.
fn limit(settings: &WrittenConfig) -> Result<Option<usize>, String> {
    match settings.model_max_length.or(settings.max_len) {
        None => Ok(None),
        Some(length) if length >= LENGTH_UNLIMITED => Ok(None),
        Some(length) if length >= 1.0 => Ok(Some(whole(length))),
        Some(length) => Err(format!("is {length}: expected 1 or more")),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 1e20, saturating")]
fn whole(length: f64) -> usize {
    length as usize
}

/// A model's limit counts before the length that was saved with the tokenizer. Beyond the default it is only a limit,
/// not a wish to read so much of each text: what a run costs grows with it.
fn tokens_max(limit: Option<usize>, truncation: Option<usize>) -> Option<usize> {
    match limit {
        Some(limit) => Some(limit.min(truncation.unwrap_or(0).max(TOKENS_MAX_DEFAULT))),
        None => truncation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use service::chain;

    fn facts(truncation: &str, config: Option<&str>) -> Result<TokenizerFacts, String> {
        let model = r#"{"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1}, "unk_token": "[UNK]"}"#;
        let tokenizer =
            format!(r#"{{"version": "1.0", "added_tokens": [], "truncation": {truncation}, "model": {model}}}"#);
        let (one, two) = (Path::new("tokenizer.json"), Path::new("tokenizer_config.json"));
        let config = config.map(|config| Content { file: two, bytes: config.as_bytes() });
        let parsed = parse(Content { file: one, bytes: tokenizer.as_bytes() }, config);
        parsed.map(|(_, facts)| facts).map_err(|error| chain(&error))
    }

    fn truncation(direction: &str, length: usize) -> String {
        format!(r#"{{"direction": "{direction}", "max_length": {length}, "strategy": "LongestFirst", "stride": 0}}"#)
    }

    /// Each row is what `AutoTokenizer` of transformers 5.23 does with `truncation=True` of the same two files, save for
    /// lengths above 512, which labelstream reads only where it is asked to.
    #[test]
    fn the_side_and_the_length_are_those_of_transformers() {
        let none = "null".to_owned();
        for (truncation, config, tokens_max, cuts_left) in [
            (&none, None, None, false),
            (&none, Some("{}"), None, false),
            (&truncation("Left", 5), None, Some(5), true),
            (&truncation("Left", 5), Some("{}"), Some(5), true),
            (&truncation("Left", 5), Some(r#"{"truncation_side": "right", "model_max_length": 6}"#), Some(6), false),
            (&truncation("Right", 5), Some(r#"{"truncation_side": "left"}"#), Some(5), true),
            (&none, Some(r#"{"truncation_side": "left", "padding_side": "left", "max_len": 7}"#), Some(7), true),
            (&none, Some(r#"{"truncation_side": null, "model_max_length": null}"#), None, false),
            (&none, Some(r#"{"model_max_length": 1000000000000000019884624838656}"#), None, false),
            (&truncation("Right", 5), Some(r#"{"model_max_length": 1e30}"#), Some(5), false),
            (&none, Some(r#"{"model_max_length": 8192}"#), Some(512), false),
            (&truncation("Right", 1024), Some(r#"{"model_max_length": 8192}"#), Some(1024), false),
        ] {
            let found = facts(truncation, config).unwrap_or_else(|error| panic!("{truncation} {config:?}: {error}"));
            assert_eq!((found.tokens_max, found.cuts_left), (tokens_max, cuts_left), "{truncation} {config:?}");
            assert_eq!(found.note.is_some(), config.is_some_and(|config| config.contains("8192")), "{config:?}");
        }
    }

    #[test]
    fn settings_that_transformers_refuses_are_refused() {
        for (config, expected) in [
            (
                r#"{"truncation_side": "both"}"#,
                "tokenizer_config.json: truncation_side is \"both\": expected left or right",
            ),
            (r#"{"model_max_length": 0}"#, "tokenizer_config.json: model_max_length is 0: expected 1 or more"),
            (r#"{"model_max_length": -1}"#, "model_max_length is -1"),
            ("[]", "read tokenizer_config.json as JSON"),
            ("{", "read tokenizer_config.json as JSON: EOF"),
        ] {
            let error = facts("null", Some(config)).expect_err(config);
            assert!(error.contains(expected), "{config}: {error}");
        }
    }
}
