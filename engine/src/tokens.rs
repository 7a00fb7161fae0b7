//! Text to rows of token ids: special tokens, long texts, and the facts about a text that only its tokens tell.
//!
//! Work per text is bounded whatever its size. A text is read up to [`CHARACTERS_PER_TOKEN`] characters for every token
//! that the model may see of it, from the side or sides that its [`LongText`] keeps, before it is tokenised. So the
//! tokens that the model sees are those of the whole text, except for texts with words of thousands of letters.
//! `n_tokens` is exact for texts within that bound; beyond it, it is the count of the part read, scaled by characters.

use std::panic::resume_unwind;
use std::thread;

use tokenizers::models::wordlevel::WordLevel;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::{Encoding, Token, Tokenizer};

/// Characters read for every token that the model may see. English has 4 to 5 per token, the longest words of the
/// usual vocabularies about 20; 64 leaves room for runs of white space. Larger costs more work on huge texts.
pub const CHARACTERS_PER_TOKEN: usize = 64;

/// Texts that a thread of its own is started for: a text takes some 30 microseconds, and so does a thread.
const TEXTS_PER_THREAD_MIN: usize = 32;

/// Which part of a text with more tokens than the model takes at once is shown to it. Special tokens are always added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongText {
    /// The beginning.
    Head,
    /// The end.
    Tail,
    /// The first quarter of the room and the rest from the end (Sun et al., "How to Fine-Tune BERT for Text
    /// Classification?", 2019, section 5.3.1: 128 + 382 tokens of 512).
    HeadTail,
    /// Windows over the whole text, each next one repeating `overlap` tokens; at most `windows_max` of them.
    Strided { overlap: usize, windows_max: usize },
}

/// Limits on what the model is shown.
#[derive(Clone, Copy, Debug)]
pub struct TokenLimits {
    /// Tokens per row, special ones included.
    pub tokens_max: usize,
    pub long_text: LongText,
}

/// One text as the model will see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// Token ids with the special ones; one row, or one per window of a strided text. Never empty.
    pub rows: Vec<Vec<u32>>,
    /// Unicode scalar values in the text.
    pub characters: usize,
    /// Tokens of the whole text with the special ones of one row; see the head of this file for huge texts.
    pub n_tokens: usize,
    /// True when the model does not see every token.
    pub truncated: bool,
    /// Share of unknown tokens among the text's own tokens that were read, 0..=1.
    pub unknown_rate: f32,
}

/// Why a tokenizer cannot be used, or failed on a text. The text itself is never part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the tokenizer failed: {0}")]
    Failed(String),
    #[error("the tokenizer panicked")]
    Panicked,
    #[error("its post-processor is not of the form `special tokens, text, special tokens`")]
    Template,
    #[error("its post-processor gives a text token types other than 0")]
    TokenTypes,
    #[error("`tokens_max` is {tokens_max}: it must be at least {least}, to hold {special} special tokens and a text")]
    NoRoom { tokens_max: usize, special: usize, least: usize },
    #[error("`stride_overlap` is {overlap}: it must be below the {room} tokens of text that a row holds")]
    Overlap { overlap: usize, room: usize },
}

/// A tokenizer with everything fixed that decides what the model sees. Shared between threads.
#[derive(Clone)]
pub struct Tokens {
    tokenizer: Tokenizer,
    before: Vec<u32>,
    after: Vec<u32>,
    unknown: Option<u32>,
    pad_id: u32,
    limits: TokenLimits,
}

impl Tokens {
    /// Takes the tokenizer's truncation and padding off, and finds the special tokens that frame a text.
    ///
    /// `unknown` is the id of the piece for unknown words, where the tokenizer has one.
    ///
    /// # Errors
    /// When the special tokens are not a fixed frame around the text, or the limits leave no room for a text.
    pub fn from_tokenizer(
        mut tokenizer: Tokenizer,
        unknown: Option<u32>,
        pad_id: u32,
        limits: TokenLimits,
    ) -> Result<Self, TokenError> {
        tokenizer.with_padding(None).with_truncation(None).map_err(|error| TokenError::Failed(error.to_string()))?;
        let (before, after) = guarded(|| special_tokens(&tokenizer))?;
        let tokens = Self { tokenizer, before, after, unknown, pad_id, limits };
        tokens.check_limits()?;
        Ok(tokens)
    }

    /// A tokenizer of whole words between white space, for simulations and word lists: word `i` has the id `i + 1`, all
    /// others are the unknown piece 0. No special tokens.
    ///
    /// # Errors
    /// When the limits leave no room for a text.
    pub fn of_words(words: &[&str], limits: TokenLimits) -> Result<Self, TokenError> {
        const UNKNOWN: &str = "[UNK]";
        let vocabulary = std::iter::once(UNKNOWN).chain(words.iter().copied()).map(str::to_owned).zip(0..).collect();
        let model = WordLevel::builder()
            .vocab(vocabulary)
            .unk_token(UNKNOWN.to_owned())
            .build()
            .map_err(|error| TokenError::Failed(error.to_string()))?;
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_pre_tokenizer(Some(WhitespaceSplit));
        Self::from_tokenizer(tokenizer, Some(0), 0, limits)
    }

    fn check_limits(&self) -> Result<(), TokenError> {
        let special = self.special();
        if self.limits.tokens_max <= special {
            return Err(TokenError::NoRoom { tokens_max: self.limits.tokens_max, special, least: special + 1 });
        }
        match self.limits.long_text {
            LongText::Strided { overlap, .. } if overlap >= self.room() => {
                Err(TokenError::Overlap { overlap, room: self.room() })
            }
            _ => Ok(()),
        }
    }

    /// The id that fills short rows up.
    pub fn pad_id(&self) -> u32 {
        self.pad_id
    }

    /// Tokens per row at most, special ones included.
    pub fn tokens_max(&self) -> usize {
        self.limits.tokens_max
    }

    fn special(&self) -> usize {
        self.before.len() + self.after.len()
    }

    /// Tokens of text that a row holds.
    fn room(&self) -> usize {
        self.limits.tokens_max - self.special()
    }

    /// Tokenises one text.
    ///
    /// # Errors
    /// When the tokenizer fails on this text, by an error or a panic.
    pub fn encode(&self, text: &str) -> Result<Encoded, TokenError> {
        let characters = text.chars().count();
        let parts = self.parts_to_read(text, characters);
        let mut read = Vec::with_capacity(parts.len());
        for part in &parts {
            read.push(guarded(|| encode_bare(&self.tokenizer, part))?);
        }
        let own: usize = read.iter().map(|ids| ids.len()).sum();
        let unknown = read.iter().flat_map(|ids| ids.iter()).filter(|id| Some(**id) == self.unknown).count();
        let characters_read: usize = parts.iter().map(|part| part.chars().count()).sum();
        let whole = characters_read == characters;
        let own_estimate = if whole { own } else { scale(own, characters, characters_read) };
        let shown = self.shown(&read);
        Ok(Encoded {
            rows: shown.windows.iter().map(|ids| self.frame(ids)).collect(),
            characters,
            n_tokens: own_estimate + self.special(),
            truncated: !whole || shown.truncated,
            unknown_rate: share(unknown, own),
        })
    }

    /// Tokenises texts on as many threads as are worth starting, at most `threads`. One result per text, in order.
    pub fn encode_all(&self, texts: &[&str], threads: usize) -> Vec<Result<Encoded, TokenError>> {
        let share = texts.len().div_ceil(threads.max(1)).max(TEXTS_PER_THREAD_MIN);
        let encode = |texts: &[&str]| texts.iter().map(|text| self.encode(text)).collect::<Vec<_>>();
        let Some((own, others)) = texts.split_at_checked(share) else {
            return encode(texts);
        };
        thread::scope(|scope| {
            let running: Vec<_> = others.chunks(share).map(|texts| scope.spawn(move || encode(texts))).collect();
            let mut all = encode(own);
            for thread in running {
                match thread.join() {
                    Ok(encoded) => all.extend(encoded),
                    Err(panic) => resume_unwind(panic),
                }
            }
            all
        })
    }

    /// The parts of the text that are worth tokenising: all of it, or the ends that the model may see.
    fn parts_to_read<'a>(&self, text: &'a str, characters: usize) -> Vec<&'a str> {
        let windows = match self.limits.long_text {
            LongText::Strided { windows_max, .. } => windows_max,
            _ => 1,
        };
        let bound = self.limits.tokens_max.saturating_mul(CHARACTERS_PER_TOKEN).saturating_mul(windows);
        if characters <= bound {
            return vec![text];
        }
        match self.limits.long_text {
            LongText::Head | LongText::Strided { .. } => vec![first(text, bound)],
            LongText::Tail => vec![last(text, bound)],
            LongText::HeadTail => vec![first(text, bound / 2), last(text, bound / 2)],
        }
    }

    fn shown<'a>(&self, read: &'a [Box<[u32]>]) -> Shown<'a> {
        let room = self.room();
        let (head, tail) = match read {
            [whole] => (whole.as_ref(), whole.as_ref()),
            [head, tail] => (head.as_ref(), tail.as_ref()),
            _ => unreachable!("a text is read in one or two parts"),
        };
        if read.len() == 1 && head.len() <= room {
            return Shown { windows: vec![vec![head]], truncated: false };
        }
        let cut = |windows| Shown { windows, truncated: true };
        match self.limits.long_text {
            LongText::Head => cut(vec![vec![&head[..room.min(head.len())]]]),
            LongText::Tail => cut(vec![vec![&tail[tail.len().saturating_sub(room)..]]]),
            LongText::HeadTail => {
                let from_head = (room / 4).min(head.len());
                let from_tail = (room - from_head).min(tail.len());
                cut(vec![vec![&head[..from_head], &tail[tail.len() - from_tail..]]])
            }
            LongText::Strided { overlap, windows_max } => strided(head, room, overlap, windows_max),
        }
    }

    fn frame(&self, parts: &[&[u32]]) -> Vec<u32> {
        let mut row = Vec::with_capacity(
            self.limits.tokens_max.min(parts.iter().map(|part| part.len()).sum::<usize>() + self.special()),
        );
        row.extend(&self.before);
        for part in parts {
            row.extend(*part);
        }
        row.extend(&self.after);
        row
    }
}

/// The pieces of token ids that make each row, and whether some are left out.
struct Shown<'a> {
    windows: Vec<Vec<&'a [u32]>>,
    truncated: bool,
}

/// Windows of `room` tokens over `ids`, each next one starting `room - overlap` tokens later, until the end is covered.
fn strided(ids: &[u32], room: usize, overlap: usize, windows_max: usize) -> Shown<'_> {
    let mut windows = Vec::new();
    let mut start = 0;
    loop {
        let end = (start + room).min(ids.len());
        windows.push(vec![&ids[start..end]]);
        if end == ids.len() || windows.len() >= windows_max {
            return Shown { windows, truncated: end < ids.len() };
        }
        start += room - overlap;
    }
}

fn encode_bare(tokenizer: &Tokenizer, text: &str) -> Result<Box<[u32]>, TokenError> {
    tokenizer
        .encode_fast(text, false)
        .map(|encoding| encoding.get_ids().into())
        .map_err(|error| TokenError::Failed(error.to_string()))
}

/// The ids before and after a text, found by sending a marked token through the post-processor.
fn special_tokens(tokenizer: &Tokenizer) -> Result<(Vec<u32>, Vec<u32>), TokenError> {
    const MARK: u32 = u32::MAX;
    let marked = Encoding::from_tokens(vec![Token::new(MARK, "text".to_owned(), (0, 4))], 0);
    let framed = tokenizer.post_process(marked, None, true).map_err(|error| TokenError::Failed(error.to_string()))?;
    if framed.get_type_ids().iter().any(|kind| *kind != 0) {
        return Err(TokenError::TokenTypes);
    }
    let mut parts = framed.get_ids().split(|id| *id == MARK);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(before), Some(after), None) => Ok((before.to_vec(), after.to_vec())),
        _ => Err(TokenError::Template),
    }
}

/// Tokenizer files are input, and their library panics on some that are malformed: that fails one text, not the process.
fn guarded<T>(work: impl FnOnce() -> Result<T, TokenError>) -> Result<T, TokenError> {
    service::panics::catch(work).unwrap_or(Err(TokenError::Panicked))
}

fn first(text: &str, characters: usize) -> &str {
    let end = text.char_indices().nth(characters).map_or(text.len(), |(end, _)| end);
    &text[..end]
}

fn last(text: &str, characters: usize) -> &str {
    let start = characters
        .checked_sub(1)
        .and_then(|place| text.char_indices().nth_back(place))
        .map_or(text.len(), |(start, _)| start);
    &text[start..]
}

/// `count * of / read`, rounded.
fn scale(count: usize, of: usize, read: usize) -> usize {
    (count * of + read / 2) / read.max(1)
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more than f32's 24 bits")]
fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

#[cfg(test)]
mod tests;
