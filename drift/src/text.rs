//! What a text tells: its words, the script it is written in, and whether it holds addresses or numbers.
//!
//! Words are those of Unicode (UAX 29), in lower case, of 2 to 32 characters; ideographs and kana, which that standard
//! does not join to words, count one by one. All numbers are one word, [`NUMBER`]. No language is guessed and nothing is
//! stemmed: the words are for people to read. Of the shares that other tools count, those of web addresses, e-mail
//! addresses and numbers are kept, since they cost next to nothing; sentiment, readability and the like need models.

use unicode_script::{Script, UnicodeScript};
use unicode_segmentation::UnicodeSegmentation;

use crate::counts::{chain, hash};

/// Stands for every number.
pub const NUMBER: &str = "0";

/// Longer words are mostly keys, hashes and addresses: they say little and would fill the buckets.
const WORD_CHARACTERS_MAX: usize = 32;

/// The script of a text is told by this many of its first letters: looking one up takes some 20 ns.
const SCRIPT_LETTERS_MAX: usize = 256;

/// What a text tells besides its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// ISO 15924, such as `Latn`; `None` without letters.
    pub(crate) script: Option<&'static str>,
    pub(crate) url: bool,
    pub(crate) email: bool,
}

/// Calls `word` with each word of a text and its hash, repeated ones repeatedly; `buffer` is used for words that change.
///
/// Gives the text's fingerprint: a hash of all its words in their order, short and long ones and numbers as written
/// included. Texts that differ only in case, spacing or punctuation share it; texts without words have that of their bytes.
pub(crate) fn words(text: &str, buffer: &mut String, mut word: impl FnMut(u64, &str)) -> u64 {
    let number = hash(NUMBER.as_bytes());
    let mut fingerprint = None;
    for found in text.unicode_words() {
        let lower = lower_case(found, buffer);
        let own = hash(lower.as_bytes());
        fingerprint = Some(chain(fingerprint.unwrap_or_default(), own));
        match role(lower) {
            Role::Word => word(own, lower),
            Role::Number => word(number, NUMBER),
            Role::Neither => {}
        }
    }
    fingerprint.unwrap_or_else(|| hash(text.trim().as_bytes()))
}

/// The word in lower case, in the buffer where that is another.
fn lower_case<'a>(word: &'a str, buffer: &'a mut String) -> &'a str {
    if word.is_ascii() && !word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return word;
    }
    buffer.clear();
    if word.is_ascii() {
        buffer.push_str(word);
        buffer.make_ascii_lowercase();
    } else {
        buffer.extend(word.chars().flat_map(char::to_lowercase));
    }
    buffer
}

/// What a word counts as.
enum Role {
    Word,
    Number,
    Neither,
}

fn role(word: &str) -> Role {
    if word.is_ascii() {
        let (bytes, length) = (word.as_bytes(), word.len());
        let digits =
            bytes[0].is_ascii_digit() && bytes.iter().all(|byte| byte.is_ascii_digit() || b".,;'".contains(byte));
        return match length {
            _ if digits => Role::Number,
            2..=WORD_CHARACTERS_MAX => Role::Word,
            _ => Role::Neither,
        };
    }
    if word.chars().all(char::is_numeric) {
        return Role::Number;
    }
    match word.chars().take(WORD_CHARACTERS_MAX + 1).count() {
        1 if word.chars().any(stands_alone) => Role::Word,
        2..=WORD_CHARACTERS_MAX => Role::Word,
        _ => Role::Neither,
    }
}

/// Scripts that are written without spaces, where one character may be a word.
fn stands_alone(character: char) -> bool {
    matches!(character.script(), Script::Han | Script::Hiragana | Script::Katakana)
}

/// Looks at a text once for each fact.
pub(crate) fn facts(text: &str) -> Facts {
    Facts { script: script(text), url: has_url(text), email: has_email(text) }
}

/// The script of most of the first letters; of equally many the one that comes first.
fn script(text: &str) -> Option<&'static str> {
    if text.is_ascii() {
        return text.bytes().any(|byte| byte.is_ascii_alphabetic()).then(|| Script::Latin.short_name());
    }
    let of = |character: char| if character.is_ascii_alphabetic() { Script::Latin } else { character.script() };
    let is_letter = |script: &Script| !matches!(script, Script::Common | Script::Inherited | Script::Unknown);
    let mut counts: Vec<(Script, u32)> = Vec::new();
    for script in text.chars().map(of).filter(is_letter).take(SCRIPT_LETTERS_MAX) {
        match counts.iter_mut().find(|(own, _)| *own == script) {
            Some((_, count)) => *count += 1,
            None => counts.push((script, 1)),
        }
    }
    // of equal maxima `max_by_key` takes the last
    counts.iter().rev().max_by_key(|(_, count)| *count).map(|(script, _)| script.short_name())
}

fn has_url(text: &str) -> bool {
    text.contains("://") || text.contains("www.")
}

/// A letter or digit, an at sign, a letter or digit, and a point somewhere after it in the same word.
fn has_email(text: &str) -> bool {
    text.match_indices('@').any(|(place, _)| {
        let before = text[..place].chars().next_back().is_some_and(char::is_alphanumeric);
        let host = text[place + 1..].split(char::is_whitespace).next().unwrap_or_default();
        before && host.starts_with(char::is_alphanumeric) && host.trim_end_matches('.').contains('.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_words(text: &str, expected: &[&str]) {
        let (mut found, mut buffer) = (Vec::new(), String::new());
        words(text, &mut buffer, |own, word| {
            assert_eq!(own, hash(word.as_bytes()));
            found.push(word.to_owned());
        });
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn words_are_those_of_unicode_in_lower_case() {
        check_words("My card hasn't ARRIVED yet!", &["my", "card", "hasn't", "arrived", "yet"]);
        check_words("", &[]);
        check_words("I a é x", &[]);
        check_words("Straße ÜBER naïve", &["straße", "über", "naïve"]);
        check_words("Карта не пришла", &["карта", "не", "пришла"]);
        check_words("卡还没到", &["卡", "还", "没", "到"]);
        check_words("카드가 안 왔어요", &["카드가", "왔어요"]);
        check_words("🎉 🎉", &[]);
        check_words("snake_case can't", &["snake_case", "can't"]);
    }

    #[test]
    fn numbers_are_one_word() {
        check_words("7 3.14 1,000,000 ٣٤", &["0", "0", "0", "0"]);
        check_words("4g covid19 2nd", &["4g", "covid19", "2nd"]);
    }

    #[test]
    fn words_have_at_most_32_characters() {
        check_words(&"x".repeat(32), &["x".repeat(32).as_str()]);
        check_words(&"x".repeat(33), &[]);
        check_words(&"é".repeat(33), &[]);
    }

    #[test]
    fn a_text_has_the_script_of_most_letters() {
        for (text, expected) in [
            ("My card", Some("Latn")),
            ("42!", None),
            ("", None),
            ("Карта card x", Some("Cyrl")),
            ("カード card", Some("Latn")),
            ("日本語テスト", Some("Hani")),
            ("é1", Some("Latn")),
            ("🎉", None),
        ] {
            assert_eq!(script(text), expected, "{text:?}");
        }
    }

    #[test]
    fn addresses_are_seen() {
        for (text, url, email) in [
            ("see https://example.org/x", true, false),
            ("www.example.org", true, false),
            ("ask me@example.org.", false, true),
            ("me @home", false, false),
            ("@handle.x", false, false),
            ("me@home.", false, false),
            ("a: b //c", false, false),
        ] {
            let facts = facts(text);
            assert_eq!((facts.url, facts.email), (url, email), "{text:?}");
        }
    }

    #[test]
    fn case_spacing_and_punctuation_do_not_make_another_text() {
        let fingerprint = |text: &str| words(text, &mut String::new(), |_, _| ());
        for (one, other, same) in [
            ("  My\tCARD,\n ÜBER! ", "my card über", true),
            ("a card", "b card", false),
            ("card my", "my card", false),
            ("order 12", "order 13", false),
            ("card", "card card", false),
            ("👍", "🎉", false),
            ("👍", " 👍 ", true),
            ("", "card", false),
        ] {
            assert_eq!(fingerprint(one) == fingerprint(other), same, "{one:?} {other:?}");
        }
    }
}
