//! In how many texts each word stands: exact per hash bucket, and exact for the two readable words kept per bucket.
//!
//! A word's bucket is the first 16 bits of its hash. Of each bucket the two words of the smallest hashes are kept with
//! their own counts (bottom-k: a word that is kept in the end was never crowded out in any part, so parts merge to the
//! same bits in any order). Which two is arbitrary: a vocabulary below some 20,000 words keeps nearly all. A bucket's
//! own number counts a text once even when two of its words fall into it, so it never exceeds the number of texts.
//! Two words of one hash and one length are taken for one: 1 in 10^9 vocabularies of 200,000 words has such a pair.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::coding::{CountsError, Reader, Writer};
use super::hash::hash;

/// Buckets that words are hashed into.
pub const BUCKETS: usize = 1 << 16;

/// Words kept with their text in each bucket.
const KEPT: usize = 2;

/// Document frequencies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    texts: u64,
    /// No word is kept, only buckets.
    is_forgetful: bool,
    buckets: HashMap<u16, Bucket, BuildHasherDefault<Spread>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Bucket {
    texts: u64,
    /// Ascending by hash and length, filled from the front.
    kept: [Option<Kept>; KEPT],
}

#[derive(Clone, Debug, PartialEq)]
struct Kept {
    hash: u64,
    texts: u64,
    word: Box<str>,
}

/// One word that was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    pub word: &'a str,
    pub bucket: u16,
    /// Texts that it stands in.
    pub texts: u64,
}

/// Bucket numbers come out of a hash already: one multiplication spreads them over the table.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(bytes);
    }

    fn write_u16(&mut self, bucket: u16) {
        self.0 = u64::from(bucket).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

fn bucket_of(hash: u64) -> u16 {
    (hash >> 48) as u16
}

impl Bucket {
    /// Adds texts to a word; where there is no room for it, the word of the largest hash goes.
    fn put(&mut self, hash: u64, texts: u64, word: &str) {
        for place in 0..KEPT {
            match &mut self.kept[place] {
                Some(kept) if kept.hash == hash && kept.word.len() == word.len() => {
                    kept.texts = kept.texts.saturating_add(texts);
                    return;
                }
                Some(kept) if (kept.hash, kept.word.len()) < (hash, word.len()) => {}
                _ => {
                    self.kept[place..].rotate_right(1);
                    self.kept[place] = Some(Kept { hash, texts, word: word.into() });
                    return;
                }
            }
        }
    }
}

impl Words {
    /// Counts one text by its words, each once, ascending by hash.
    pub(super) fn add<'a>(&mut self, words: impl Iterator<Item = (u64, &'a str)>) {
        self.texts = self.texts.saturating_add(1);
        let mut last = None;
        for (hash, word) in words {
            let number = bucket_of(hash);
            let bucket = self.buckets.entry(number).or_default();
            if last != Some(number) {
                bucket.texts = bucket.texts.saturating_add(1);
                last = Some(number);
            }
            if !self.is_forgetful {
                bucket.put(hash, 1, word);
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.texts = self.texts.saturating_add(other.texts);
        for (number, theirs) in &other.buckets {
            let bucket = self.buckets.entry(*number).or_default();
            bucket.texts = bucket.texts.saturating_add(theirs.texts);
            for kept in theirs.kept.iter().flatten() {
                bucket.put(kept.hash, kept.texts, &kept.word);
            }
        }
        if self.is_forgetful || other.is_forgetful {
            self.forget();
        }
    }

    /// Drops the words and keeps the buckets, for counts that leave the house. What is merged with them forgets too.
    pub(super) fn forget(&mut self) {
        self.is_forgetful = true;
        self.buckets.values_mut().for_each(|bucket| bucket.kept = Default::default());
    }

    /// Texts counted: events that carry a text, whether it has words or not.
    pub fn texts(&self) -> u64 {
        self.texts
    }

    /// Texts with any word of a bucket.
    pub fn bucket(&self, number: u16) -> u64 {
        self.buckets.get(&number).map_or(0, |bucket| bucket.texts)
    }

    /// The occupied buckets with their texts, ascending by number.
    pub fn buckets(&self) -> Vec<(u16, u64)> {
        let mut buckets: Vec<_> = self.buckets.iter().map(|(number, bucket)| (*number, bucket.texts)).collect();
        buckets.sort_unstable();
        buckets
    }

    /// The words kept, ascending by hash.
    pub fn kept(&self) -> Vec<Word<'_>> {
        let mut kept: Vec<_> = self.buckets.values().flat_map(|bucket| bucket.kept.iter().flatten()).collect();
        kept.sort_unstable_by_key(|kept| kept.hash);
        let word = |kept: &'_ Kept| (bucket_of(kept.hash), kept.texts);
        kept.into_iter()
            .map(|kept| (word(kept), &*kept.word))
            .map(|((bucket, texts), word)| Word { word, bucket, texts })
            .collect()
    }

    /// Texts with this word, in lower case; `None` when its count is not known: two others of its bucket are kept, or none.
    pub fn get(&self, word: &str) -> Option<u64> {
        if self.is_forgetful {
            return None;
        }
        let hash = hash(word.as_bytes());
        let Some(bucket) = self.buckets.get(&bucket_of(hash)) else { return Some(0) };
        let found = bucket.kept.iter().flatten().find(|kept| kept.hash == hash && kept.word.len() == word.len());
        let complete = match &bucket.kept[KEPT - 1] {
            None => true,
            Some(last) => hash < last.hash,
        };
        found.map(|kept| kept.texts).or(complete.then_some(0))
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.number(self.texts);
        writer.number(u64::from(self.is_forgetful));
        writer.number(self.buckets.len() as u64);
        let mut numbers: Vec<u16> = self.buckets.keys().copied().collect();
        numbers.sort_unstable();
        let mut next = 0;
        for number in numbers {
            let bucket = &self.buckets[&number];
            writer.number(u64::from(number - next));
            next = number.saturating_add(1);
            // Most buckets hold one word, whose count is that of the bucket.
            let kept: Vec<_> = bucket.kept.iter().flatten().collect();
            writer.number(kept.len() as u64);
            writer.number(bucket.texts);
            for word in kept {
                writer.text(&word.word);
                writer.number(bucket.texts - word.texts);
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, CountsError> {
        let mut words = Self { texts: reader.number()?, ..Self::default() };
        words.is_forgetful = match reader.number()? {
            0 => false,
            1 => true,
            _ => return Err(CountsError::Corrupt("words neither kept nor forgotten")),
        };
        let length = reader.length()?;
        if length > BUCKETS {
            return Err(CountsError::Corrupt("more buckets than there are"));
        }
        words.buckets.reserve(length);
        let mut next = 0_u64;
        for _ in 0..length {
            let number = u16::try_from(next.saturating_add(reader.number()?));
            let number = number.map_err(|_| CountsError::Corrupt("a bucket beyond the last"))?;
            next = u64::from(number) + 1;
            let bucket = Bucket::decode(reader, number)?;
            if bucket.kept[0].is_none() != words.is_forgetful {
                return Err(CountsError::Corrupt("a bucket without words"));
            }
            words.buckets.insert(number, bucket);
        }
        Ok(words)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        // hashbrown: a power of two of slots, filled to 7/8 at most, with one byte of control each
        let slots = (self.buckets.capacity() * 8 / 7).next_power_of_two();
        let table = if self.buckets.capacity() == 0 { 0 } else { slots * (size_of::<(u16, Bucket)>() + 1) };
        let texts = self.buckets.values().flat_map(|bucket| bucket.kept.iter().flatten());
        // allocators hand out multiples of 16 bytes behind 8 of their own
        table + texts.map(|kept| (kept.word.len() + 8).next_multiple_of(16)).sum::<usize>()
    }
}

impl Bucket {
    fn decode(reader: &mut Reader<'_>, number: u16) -> Result<Self, CountsError> {
        let kept = reader.number()?;
        let mut bucket = Self { texts: reader.number()?, ..Self::default() };
        if kept > KEPT as u64 {
            return Err(CountsError::Corrupt("more words in a bucket than are kept"));
        }
        for _ in 0..kept {
            let word = reader.text()?;
            let hash = hash(word.as_bytes());
            let texts = bucket.texts.checked_sub(reader.number()?);
            let texts = texts.filter(|texts| *texts > 0 && bucket_of(hash) == number);
            let texts = texts.ok_or(CountsError::Corrupt("a word that is not of its bucket"))?;
            if bucket.kept.iter().flatten().any(|kept| (kept.hash, kept.word.len()) >= (hash, word.len())) {
                return Err(CountsError::Corrupt("words out of their order"));
            }
            bucket.put(hash, texts, word);
        }
        Ok(bucket)
    }
}
