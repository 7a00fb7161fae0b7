//! The words that addresses begin with, of other tools too.

/// The words that people begin an address with, in lower case, and the scheme that each means.
const WORDS: [(&str, Scheme); 17] = [
    ("models", Scheme::Mlflow),
    ("model", Scheme::Mlflow),
    ("mlflow", Scheme::Mlflow),
    ("mlflow-models", Scheme::Mlflow),
    ("hf", Scheme::Hub),
    ("hub", Scheme::Hub),
    ("huggingface", Scheme::Hub),
    ("hugging-face", Scheme::Hub),
    ("huggingface.co", Scheme::Hub),
    ("hf.co", Scheme::Hub),
    ("s3", Scheme::Bucket),
    ("s3a", Scheme::Bucket),
    ("s3n", Scheme::Bucket),
    ("file", Scheme::File),
    ("runs", Scheme::Artifacts),
    ("mlflow-artifacts", Scheme::Artifacts),
    ("arn", Scheme::Arn),
];

/// Where a package is, by the word that its address begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
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
pub(super) fn split(text: &str) -> Option<(Scheme, &str, &str)> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '+');
    let (word, after) = text.split_at(text.find(|letter| !is_word(letter)).unwrap_or(text.len()));
    let rest = after.trim_start_matches([':', '/']);
    let separator = &after[..after.len() - rest.len()];
    let word = word.to_ascii_lowercase();
    let (_, scheme) = WORDS.iter().find(|(own, _)| *own == word)?;
    // One slash alone makes a path, except after the hub's own host name.
    let is_host = word.contains('.') && !separator.is_empty();
    (is_host || separator.contains(':') || separator.starts_with("//")).then_some((*scheme, separator, rest))
}
