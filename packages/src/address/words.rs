//! The words that addresses begin with, of other tools too.

/// The words that people begin an address with, in lower case, and the kind of place that each means.
const WORDS: [(&str, Kind); 17] = [
    ("models", Kind::Mlflow),
    ("model", Kind::Mlflow),
    ("mlflow", Kind::Mlflow),
    ("mlflow-models", Kind::Mlflow),
    ("hf", Kind::Hub),
    ("hub", Kind::Hub),
    ("huggingface", Kind::Hub),
    ("hugging-face", Kind::Hub),
    ("huggingface.co", Kind::Hub),
    ("hf.co", Kind::Hub),
    ("s3", Kind::Bucket),
    ("s3a", Kind::Bucket),
    ("s3n", Kind::Bucket),
    ("file", Kind::File),
    ("runs", Kind::Artifacts),
    ("mlflow-artifacts", Kind::Artifacts),
    ("arn", Kind::Arn),
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Mlflow,
    Hub,
    Bucket,
    File,
    Artifacts,
    Arn,
}

/// True for a text that begins with a word of an address and a colon: it is no folder, whatever follows.
pub(super) fn is_address(text: &str) -> bool {
    split(text).is_some_and(|(_, separator, _)| separator.starts_with(':'))
}

/// A word of the table, what stands between it and the rest, and the rest.
pub(super) fn split(text: &str) -> Option<(Kind, &str, &str)> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '+');
    let (word, after) = text.split_at(text.find(|letter| !is_word(letter)).unwrap_or(text.len()));
    let rest = after.trim_start_matches([':', '/']);
    let separator = &after[..after.len() - rest.len()];
    let word = word.to_ascii_lowercase();
    let (_, kind) = WORDS.iter().find(|(own, _)| *own == word)?;
    // One slash alone makes a path, save behind the name of the hub's own host.
    let is_host = word.contains('.') && !separator.is_empty();
    (is_host || separator.contains(':') || separator.starts_with("//")).then_some((*kind, separator, rest))
}
