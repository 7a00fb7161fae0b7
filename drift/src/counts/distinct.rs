//! How many different texts came: exact while they are few, HyperLogLog registers beyond.
//!
//! Source: Flajolet et al. 2007, "HyperLogLog"; the estimate is Ertl's improved raw estimator (2017, arXiv 1702.01284,
//! algorithm 6), which needs no corrections at either end. Relative standard error: 1.04 / sqrt(16,384) = 0.8 %.
//! A set's union and a register's maximum do not depend on order, and the step from one to the other depends on the
//! number of different texts alone: the same texts give the same bits however they were split.

use std::collections::BTreeSet;

use super::coding::{CountsError, Reader, Writer};

/// Address bits: 2^14 registers are 16 KB.
const ADDRESS_BITS: u8 = 14;
const REGISTERS: usize = 1 << ADDRESS_BITS;
/// The greatest value of a register: all other bits of a hash are zero.
const RANK_MAX: u8 = 64 - ADDRESS_BITS + 1;

/// Up to this many different texts are counted exactly: their hashes take 4 KB when stored.
const EXACT_MAX: usize = 512;

/// The number of different hashes that were added.
#[derive(Clone, Debug, PartialEq)]
pub struct Distinct {
    added: u64,
    seen: Seen,
}

#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Exactly(BTreeSet<u64>),
    Registers(Vec<u8>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self { added: 0, seen: Seen::Exactly(BTreeSet::new()) }
    }
}

impl Distinct {
    pub(super) fn add(&mut self, hash: u64) {
        self.added = self.added.saturating_add(1);
        self.put(hash);
    }

    fn put(&mut self, hash: u64) {
        match &mut self.seen {
            Seen::Exactly(hashes) => {
                hashes.insert(hash);
                if hashes.len() > EXACT_MAX {
                    let mut registers = vec![0; REGISTERS];
                    hashes.iter().for_each(|hash| note(&mut registers, *hash));
                    self.seen = Seen::Registers(registers);
                }
            }
            Seen::Registers(registers) => note(registers, hash),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.added = self.added.saturating_add(other.added);
        match &other.seen {
            Seen::Exactly(hashes) => hashes.iter().for_each(|hash| self.put(*hash)),
            Seen::Registers(theirs) => {
                let mut registers = theirs.clone();
                match &self.seen {
                    Seen::Exactly(hashes) => hashes.iter().for_each(|hash| note(&mut registers, *hash)),
                    Seen::Registers(ours) => {
                        registers.iter_mut().zip(ours).for_each(|(rank, own)| *rank = (*rank).max(*own));
                    }
                }
                self.seen = Seen::Registers(registers);
            }
        }
    }

    /// Texts added.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// How many of them were different from each other; never more than were added.
    pub fn estimate(&self) -> f64 {
        match &self.seen {
            Seen::Exactly(hashes) => hashes.len() as f64,
            Seen::Registers(registers) => estimate(registers).min(self.added as f64),
        }
    }

    /// The relative standard error of that number; 0 while it is exact.
    pub fn relative_error(&self) -> f64 {
        match self.seen {
            Seen::Exactly(_) => 0.0,
            Seen::Registers(_) => 1.04 / (REGISTERS as f64).sqrt(),
        }
    }

    /// The share of texts that came before, 0..=1; `None` without texts. Its standard error is at most
    /// [`Distinct::relative_error`]. It grows with the number of texts also without drift, as more of them meet.
    pub fn duplicate_share(&self) -> Option<f64> {
        (self.added > 0).then(|| (1.0 - self.estimate() / self.added as f64).clamp(0.0, 1.0))
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.number(self.added);
        match &self.seen {
            Seen::Exactly(hashes) => {
                writer.number(hashes.len() as u64);
                hashes.iter().for_each(|hash| writer.raw(&hash.to_le_bytes()));
            }
            Seen::Registers(registers) => {
                writer.number(EXACT_MAX as u64 + 1);
                writer.raw(registers);
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, CountsError> {
        let added = reader.number()?;
        let length = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
        let seen = if length <= EXACT_MAX {
            let mut hashes = BTreeSet::new();
            for (hash, _) in reader.raw(length * 8)?.as_chunks::<8>().0.iter().zip(0..length) {
                let hash = u64::from_le_bytes(*hash);
                if hashes.last().is_some_and(|last| *last >= hash) {
                    return Err(CountsError::Corrupt("hashes out of their order"));
                }
                hashes.insert(hash);
            }
            Seen::Exactly(hashes)
        } else {
            let registers = reader.raw(REGISTERS)?.to_vec();
            if length != EXACT_MAX + 1 || registers.iter().any(|rank| *rank > RANK_MAX) {
                return Err(CountsError::Corrupt("a register beyond its range"));
            }
            Seen::Registers(registers)
        };
        Ok(Self { added, seen })
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match &self.seen {
            // a B-tree node is at least half full
            Seen::Exactly(hashes) => hashes.len() * 2 * size_of::<u64>(),
            Seen::Registers(registers) => registers.capacity(),
        }
    }
}

/// The register that the first bits name holds the greatest number of leading zeros of the rest, plus one.
#[expect(clippy::cast_possible_truncation, reason = "14 bits, and a count of bits")]
fn note(registers: &mut [u8], hash: u64) {
    let place = (hash >> (64 - ADDRESS_BITS)) as usize;
    let rank = ((hash << ADDRESS_BITS).leading_zeros() as u8 + 1).min(RANK_MAX);
    registers[place] = registers[place].max(rank);
}

/// Ertl 2017, algorithm 6: m^2 / (2 ln 2) over the weighted sum of the register values' multiplicities.
fn estimate(registers: &[u8]) -> f64 {
    let mut multiplicity = [0_u32; RANK_MAX as usize + 1];
    for rank in registers {
        multiplicity[usize::from(*rank)] += 1;
    }
    let m = REGISTERS as f64;
    let mut sum = m * tau(1.0 - f64::from(multiplicity[usize::from(RANK_MAX)]) / m);
    for count in multiplicity[1..usize::from(RANK_MAX)].iter().rev() {
        sum = 0.5 * (sum + f64::from(*count));
    }
    sum += m * sigma(f64::from(multiplicity[0]) / m);
    m * m / (2.0 * std::f64::consts::LN_2 * sum)
}

/// Sum over k >= 1 of x^(2^k) 2^(k-1), plus x; infinite at 1.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum <= before {
            return sum;
        }
    }
}

/// A third of (1 - x - sum over k >= 1 of (1 - x^(2^-k))^2 2^-k); 0 at both ends.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::hash::hash;

    fn of(texts: std::ops::Range<u32>) -> Distinct {
        let mut distinct = Distinct::default();
        texts.for_each(|n| distinct.add(hash(format!("text {n}").as_bytes())));
        distinct
    }

    #[test]
    fn is_exact_to_512_and_then_within_its_error() {
        assert_eq!(Distinct::default().duplicate_share(), None);
        for n in [1, 100, 512] {
            let distinct = of(0..n);
            assert_eq!((distinct.estimate(), distinct.relative_error()), (f64::from(n), 0.0));
        }
        for n in [513, 2000, 20_000, 200_000] {
            let distinct = of(0..n);
            let off = (distinct.estimate() / f64::from(n) - 1.0).abs();
            assert!(off < 4.0 * distinct.relative_error(), "{n}: off by {off}");
        }
    }

    #[test]
    fn a_repeated_text_is_a_duplicate() {
        let mut distinct = of(0..100);
        distinct.merge(&of(0..100));
        assert_eq!((distinct.added(), distinct.duplicate_share()), (200, Some(0.5)));
        let (many, mut twice) = (of(0..5000), of(0..5000));
        twice.merge(&many);
        assert!((twice.duplicate_share().expect("texts") - 0.5).abs() < 0.03);
    }

    #[test]
    fn parts_merge_to_the_whole_across_the_step() {
        for cut in [0, 1, 300, 511, 512, 513, 900, 1000] {
            let whole = of(0..1000);
            let (mut left, mut right) = (of(0..cut), of(cut..1000));
            let first = left.clone();
            left.merge(&right);
            right.merge(&first);
            assert_eq!((&left, &right), (&whole, &whole), "cut at {cut}");
        }
    }
}
