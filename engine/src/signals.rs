//! The facts about a text and its scores that travel with each event, for the drift worker to count.

use schemas::Signals;

use crate::label::ScoredLabels;
use crate::tokens::Encoded;

/// Puts together what the tokenizer and the scores tell of one text. Counts beyond `u32` stay at its maximum.
pub(crate) fn of(encoded: &Encoded, scored: &ScoredLabels) -> Signals {
    Signals {
        characters: count(encoded.characters),
        n_tokens: count(encoded.n_tokens),
        truncated: encoded.truncated,
        unknown_rate: encoded.unknown_rate,
        entropy: scored.entropy,
        margin: scored.margin,
    }
}

fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
