//! One 64-bit hash for words, labels, slices and texts.
//!
//! It is part of the stored format: which names survive a cap, and in which bucket a word is counted, follow from it, so
//! it must never change. It reads eight bytes a step (multiply and fold, then the finalizer of MurmurHash3, which is
//! public domain), is not keyed, and promises nothing against texts that were made to collide: those could at worst
//! share a bucket.

/// Odd, from the golden ratio; the constant of Fibonacci hashing (Knuth, TAOCP 3, 6.4).
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of a text or name.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut state = STEP ^ bytes.len() as u64;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        state = fold(state, u64::from_le_bytes(*chunk));
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        state = fold(state, u64::from_le_bytes(last));
    }
    finish(state)
}

/// The hash of a sequence, from that of its beginning (0 at first) and that of its next part.
pub(crate) fn chain(beginning: u64, next: u64) -> u64 {
    finish(fold(beginning, next))
}

fn fold(state: u64, chunk: u64) -> u64 {
    let mixed = (state ^ chunk).wrapping_mul(STEP);
    mixed ^ (mixed >> 32)
}

/// The 64-bit finalizer of MurmurHash3: every bit of the input reaches every bit of the output.
pub(crate) fn finish(mut state: u64) -> u64 {
    state = (state ^ (state >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    state = (state ^ (state >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    state ^ (state >> 33)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// These values are in the state of running systems.
    #[test]
    fn stays_what_it_was() {
        for (text, expected) in [
            ("", 0x9ca0_66f1_a4ab_2eea),
            ("card", 0x3e6a_2794_030f_0ce8),
            ("card_arrival", 0x30d1_dee5_6e51_2196),
            ("日本語", 0xb7f8_15e0_89ee_7da1),
        ] {
            assert_eq!(hash(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn spreads_similar_names_over_all_buckets() {
        let hashes: HashSet<u64> = (0..100_000).map(|n| hash(format!("word{n}").as_bytes())).collect();
        assert_eq!(hashes.len(), 100_000);
        let buckets: HashSet<u64> = hashes.iter().map(|hash| hash >> 48).collect();
        // 65,536 (1 - e^(-100,000/65,536)) = 51,290 expected, standard deviation about 90
        assert!((50_900..51_700).contains(&buckets.len()), "{}", buckets.len());
    }
}
