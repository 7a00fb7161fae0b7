//! Remembers what the model said about recent texts, so that identical texts skip tokenising and inference.
//!
//! Bounded by entries, in two halves: when the young half is full it becomes the old one, and the old one is dropped.
//! A hit in the old half moves to the young one, so what is asked for stays. Keys are SHA-256 of the model's digest
//! and the text: an attacker cannot make one text answer for another. Texts themselves are not kept.

use std::collections::HashMap;

/// Names a text for one model: SHA-256 of the model's digest and the text's UTF-8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TextKey(pub(crate) [u8; 32]);

/// A bounded map from texts to outcomes.
#[derive(Debug)]
pub(crate) struct Cache<V> {
    /// Entries that each half may hold; 0 switches the cache off.
    half: usize,
    young: HashMap<TextKey, V>,
    old: HashMap<TextKey, V>,
}

impl<V: Clone> Cache<V> {
    /// A cache of at most `entries` outcomes (rounded up to an even number); 0 remembers nothing.
    pub(crate) fn new(entries: usize) -> Self {
        Self { half: entries.div_ceil(2), young: HashMap::new(), old: HashMap::new() }
    }

    /// What is remembered under the key.
    pub(crate) fn get(&mut self, key: &TextKey) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let value = self.old.remove(key)?;
        self.insert(*key, value.clone());
        Some(value)
    }

    /// Whether something is remembered under the key.
    pub(crate) fn contains(&self, key: &TextKey) -> bool {
        self.young.contains_key(key) || self.old.contains_key(key)
    }

    /// Remembers an outcome, in place of older ones when full.
    pub(crate) fn insert(&mut self, key: TextKey, value: V) {
        if self.half == 0 {
            return;
        }
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// Outcomes remembered now.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(number: u32) -> TextKey {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        TextKey(bytes)
    }

    proptest! {
        #[test]
        fn stays_bounded_and_never_answers_for_another_text(entries in 0..20usize, texts in prop::collection::vec(0..40u32, 0..300)) {
            let mut cache = Cache::new(entries);
            for text in texts {
                let key = key(text);
                if let Some(found) = cache.get(&key) {
                    prop_assert_eq!(found, text);
                }
                cache.insert(key, text);
                prop_assert!(cache.len() <= entries.div_ceil(2) * 2);
            }
        }
    }

    #[test]
    fn keeps_what_is_asked_for_and_forgets_the_rest() {
        let mut cache = Cache::new(4);
        cache.insert(key(0), 0);
        for number in 1..50 {
            assert_eq!(cache.get(&key(0)), Some(0));
            cache.insert(key(number), number);
        }
        assert_eq!(cache.get(&key(1)), None);
        assert_eq!(cache.get(&key(49)), Some(49));
    }
}
