//! Which words moved: an exact test of each word's document frequency, given how often it stands in both samples.
//!
//! Words are tested by hash bucket, since a profile may hold no readable words; a bucket is called by the word of it that
//! moved most. Buckets are chosen by their pooled count alone, which the test conditions on (Tarone 1990): choosing by
//! the window's own count gives 55 % false alarms. All words together make one p-value (Simes) that enters the window's
//! correction; the table `words` has their own q-values.

use std::collections::BTreeMap;

use schemas::report::{Contributor, Verdict};
use statistics::hypergeometric::Urn;
use statistics::proportion::{self, Proportion};
use statistics::{Method, Undefined, design, multiple};

use super::draft::{CONFIDENCE, Draft, Effect, Least, Role, share, signed, top};
use crate::counts::Words;
use crate::verdict::sentence;

/// p-values above this are not summed to their end: Simes' p and q-values up to it do not depend on them.
const CEILING: f64 = 0.1;

/// Rows of the table `words` in a report: what a person looks through.
const ROWS_MAX: usize = 100;

/// The words of both samples, and what their comparison rests on.
pub(super) struct WordCounts<'a> {
    pub(super) reference: &'a Words,
    pub(super) current: &'a Words,
    pub(super) design_effect: f64,
    pub(super) least: f64,
    /// The level of the window.
    pub(super) alpha: f64,
}

/// One tested bucket, for the table `words`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moved {
    pub(super) bucket: u16,
    pub(super) word: Option<String>,
    pub(super) texts_ref: u64,
    pub(super) texts_cur: u64,
    pub(super) p_value: f64,
    pub(super) q_value: f64,
    /// p-value of "it moved by no more than the least change".
    p_least: f64,
}

impl WordCounts<'_> {
    /// The row of all words, and the words that moved, surest first.
    pub(super) fn compare(&self) -> (Draft, Vec<Moved>) {
        let mut words = Vec::new();
        let draft = Draft::of(Role::Decides, "hypergeometric", "simes", |draft| {
            let (tested, mut moved) = self.test()?;
            let p_values: Vec<f64> = moved.iter().map(|word| word.p_value).collect();
            let q_values = multiple::benjamini_hochberg(&p_values, tested);
            moved.iter_mut().zip(q_values).for_each(|(word, q_value)| word.q_value = q_value);
            moved.sort_by(|one, other| one.p_value.total_cmp(&other.p_value).then(one.bucket.cmp(&other.bucket)));
            draft.statistic = Some(moved.iter().filter(|word| word.q_value <= self.alpha).count() as f64);
            draft.p_value = Some(multiple::simes(&p_values, tested));
            draft.p_value_method = Some(Method::Exact.to_string());
            draft.df = Some(tested as f64);
            self.name(&mut moved);
            self.tell(draft, &moved)?;
            draft.n_unseen = moved.iter().filter(|word| word.texts_ref == 0).map(|word| word.texts_cur).sum();
            moved.truncate(ROWS_MAX);
            words = moved;
            Ok(())
        });
        (draft, words)
    }

    /// How many buckets were tested, and those with a p-value up to [`CEILING`].
    fn test(&self) -> Result<(usize, Vec<Moved>), Undefined> {
        let urn = Urn::new(self.reference.texts(), self.current.texts())?;
        let mut pooled: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
        self.reference.buckets().into_iter().for_each(|(bucket, texts)| pooled.entry(bucket).or_default().0 = texts);
        self.current.buckets().into_iter().for_each(|(bucket, texts)| pooled.entry(bucket).or_default().1 = texts);
        let testable = self.testable(&urn, &pooled);
        let mut moved = Vec::new();
        for (bucket, (texts_ref, texts_cur)) in &testable {
            let Some(exact) = urn.two_sided_below(*texts_ref, *texts_cur, CEILING)? else { continue };
            let p_value = design::inflate(exact, self.design_effect)?;
            if p_value <= CEILING {
                moved.push(self.moved(*bucket, *texts_ref, *texts_cur, p_value)?);
            }
        }
        Ok((testable.len(), moved))
    }

    /// Buckets that could be significant: the smallest number k of tests such that no more than k buckets can have a
    /// p-value of `alpha / k` at all.
    fn testable(&self, urn: &Urn, pooled: &BTreeMap<u16, (u64, u64)>) -> Vec<(u16, (u64, u64))> {
        let mut smallest_of: BTreeMap<u64, f64> = BTreeMap::new();
        let mut smallest: Vec<f64> = Vec::with_capacity(pooled.len());
        for (old, new) in pooled.values() {
            let count = old.saturating_add(*new);
            smallest.push(*smallest_of.entry(count).or_insert_with(|| urn.smallest(count)));
        }
        let mut ascending = smallest.clone();
        ascending.sort_by(f64::total_cmp);
        // With k tests, those at or below alpha / k are k or fewer: k grows until they are.
        let fits = |k: &usize| ascending.partition_point(|p_value| *p_value <= self.alpha / *k as f64) <= *k;
        let tests = (1..=pooled.len()).find(fits).unwrap_or(pooled.len()).max(1);
        let limit = self.alpha / tests as f64;
        let kept = pooled.iter().zip(smallest).filter(|(_, smallest)| *smallest <= limit);
        kept.map(|((bucket, texts), _)| (*bucket, *texts)).collect()
    }

    fn moved(&self, bucket: u16, texts_ref: u64, texts_cur: u64, p_value: f64) -> Result<Moved, Undefined> {
        let (reference, current) = self.shares(texts_ref, texts_cur)?;
        let p_least = proportion::min_effect(reference, current, self.least, self.design_effect)?.p_value;
        Ok(Moved { bucket, word: None, texts_ref, texts_cur, p_value, q_value: 1.0, p_least })
    }

    fn shares(&self, texts_ref: u64, texts_cur: u64) -> Result<(Proportion, Proportion), Undefined> {
        Ok((Proportion::new(texts_ref, self.reference.texts())?, Proportion::new(texts_cur, self.current.texts())?))
    }

    /// Gives each bucket the readable word of it whose share differs most.
    fn name(&self, moved: &mut [Moved]) {
        let mut counts: BTreeMap<(u16, &str), (u64, u64)> = BTreeMap::new();
        self.reference
            .kept()
            .iter()
            .for_each(|word| counts.entry((word.bucket, word.word)).or_default().0 = word.texts);
        self.current.kept().iter().for_each(|word| counts.entry((word.bucket, word.word)).or_default().1 = word.texts);
        let gap =
            |(old, new): &(u64, u64)| (share(*new, self.current.texts()) - share(*old, self.reference.texts())).abs();
        for word in moved {
            let of_bucket = counts.range((word.bucket, "")..).take_while(|((bucket, _), _)| *bucket == word.bucket);
            let widest = of_bucket.max_by(|(_, one), (_, other)| gap(one).total_cmp(&gap(other)));
            word.word = widest.map(|((_, name), _)| (*name).to_owned());
        }
    }

    /// What stands in the row of all words: the word that surest moved by more than the least change, or surest at all.
    fn tell(&self, draft: &mut Draft, moved: &[Moved]) -> Result<(), Undefined> {
        draft.contributors = top(moved.iter().map(|word| self.contributor(word)).collect());
        let change = |word: &Moved| word.change(self.reference.texts(), self.current.texts()).abs();
        let could = |word: &&Moved| change(word) >= self.least / 2.0;
        let tested = moved.iter().filter(could).count().max(1);
        let smallest = moved.iter().filter(could).map(|word| word.p_least).fold(1.0, f64::min);
        draft.least = Some(Least { least: self.least, p_value: (smallest * tested as f64).min(1.0) });
        let sure = moved.iter().filter(|word| word.q_value <= self.alpha && word.p_least < 0.5);
        let surest = sure.min_by(|one, other| one.p_least.total_cmp(&other.p_least)).or(moved.first());
        let Some(lead) = surest else {
            draft.sentence = "no word is in more or fewer texts than chance explains".to_owned();
            return Ok(());
        };
        let (reference, current) = self.shares(lead.texts_ref, lead.texts_cur)?;
        let interval = proportion::newcombe(reference, current, CONFIDENCE, self.design_effect)?;
        let value = current.value() - reference.value();
        draft.effect = Some(Effect { value, interval: Some(interval), unit: "share" });
        draft.sentence = sentence::word_moved(&lead.title(), reference.value(), current.value());
        Ok(())
    }

    fn contributor(&self, word: &Moved) -> Contributor {
        Contributor {
            key: word.word.clone().unwrap_or_else(|| format!("bucket {}", word.bucket)),
            score: -word.p_value.max(f64::MIN_POSITIVE).log10(),
            reference_share: share(word.texts_ref, self.reference.texts()),
            current_share: share(word.texts_cur, self.current.texts()),
            p_value: Some(word.p_value),
        }
    }
}

impl Moved {
    fn title(&self) -> String {
        match &self.word {
            Some(word) => format!("the word {word}"),
            None => format!("a word that the profile knows by its hash bucket {} only", self.bucket),
        }
    }

    /// The word's own verdict, never worse than that of all words.
    pub(super) fn verdict(&self, whole: Verdict, alpha: f64, large_level: f64) -> Verdict {
        match (self.q_value <= alpha, self.p_least <= large_level) {
            (true, true) => whole.min(Verdict::Drift),
            (true, false) => whole.min(Verdict::Warn),
            (false, _) => Verdict::Ok,
        }
    }

    /// Share now minus share before, -1..=1.
    pub(super) fn change(&self, texts_ref: u64, texts_cur: u64) -> f64 {
        share(self.texts_cur, texts_cur) - share(self.texts_ref, texts_ref)
    }

    pub(super) fn counts(&self) -> (i64, i64) {
        (signed(self.texts_ref), signed(self.texts_cur))
    }
}
