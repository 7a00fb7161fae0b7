//! Histograms with fixed bins: whole numbers that merge by adding, in any order, to the same bits.
//!
//! Bins never depend on data, so any two histograms of one scale can be added and compared. Few occupied bins are kept as
//! a sorted list, many as an array. A test on binned values is off from one on the raw values by at most the largest
//! bin's share ([`Histogram::mass_max`]).

use super::coding::{CountsError, Reader, Writer};
use super::scale::Scale;

/// From this many occupied bins on an array is used: the list is 1 KiB then, and searching it costs more than its size saves.
const LIST_MAX: usize = 64;

/// Counts per bin.
#[derive(Clone, Debug)]
pub struct Histogram {
    scale: Scale,
    bins: Bins,
    total: u64,
    /// Sum of the values in [`Scale::unit`]s; saturates.
    sum: u64,
}

#[derive(Clone, Debug)]
enum Bins {
    /// Occupied bins, ascending.
    List(Vec<(u16, u64)>),
    /// Every bin up to the last occupied one; half the memory of the next, and so half the cache misses.
    Array(Vec<u32>),
    /// The same, once a count is beyond 32 bits.
    Wide(Vec<u64>),
}

/// One occupied bin: `low <= value < high`, and `high` itself in the last bin of a scale that ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilledBin {
    /// Its number on the scale.
    pub index: u16,
    pub low: f64,
    pub high: f64,
    pub count: u64,
}

/// Two histograms over the bins that either of them occupies, ascending.
#[derive(Clone, Debug, PartialEq)]
pub struct Paired {
    /// The middle of each bin, in the feature's unit.
    pub positions: Vec<f64>,
    pub reference: Vec<u64>,
    pub current: Vec<u64>,
}

impl Default for Histogram {
    /// An empty histogram of shares.
    fn default() -> Self {
        Self::new(Scale::Unit)
    }
}

impl Histogram {
    pub fn new(scale: Scale) -> Self {
        Self { scale, bins: Bins::List(Vec::new()), total: 0, sum: 0 }
    }

    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Counts a value; one beyond the ends of the scale goes to the bin at that end. NaN counts as the lowest value.
    pub fn add(&mut self, value: f64) {
        self.put(self.scale.bin(value), 1);
        self.sum = self.sum.saturating_add(self.scale.fixed(value));
    }

    fn put(&mut self, bin: u16, count: u64) {
        self.total = self.total.saturating_add(count);
        let place = usize::from(bin);
        match &mut self.bins {
            Bins::Array(counts) => {
                if place >= counts.len() {
                    counts.resize(place + 1, 0);
                }
                match u32::try_from(count).ok().and_then(|count| counts[place].checked_add(count)) {
                    Some(sum) => counts[place] = sum,
                    None => {
                        let mut wide: Vec<u64> = counts.iter().copied().map(u64::from).collect();
                        wide[place] = wide[place].saturating_add(count);
                        self.bins = Bins::Wide(wide);
                    }
                }
            }
            Bins::Wide(counts) => {
                if place >= counts.len() {
                    counts.resize(place + 1, 0);
                }
                counts[place] = counts[place].saturating_add(count);
            }
            Bins::List(list) => {
                match list.binary_search_by_key(&bin, |entry| entry.0) {
                    Ok(place) => list[place].1 = list[place].1.saturating_add(count),
                    Err(place) => list.insert(place, (bin, count)),
                }
                if list.len() > LIST_MAX && self.scale != Scale::Real {
                    self.spread();
                }
            }
        }
    }

    /// From the list to an array.
    fn spread(&mut self) {
        let Bins::List(list) = &self.bins else { return };
        let length = list.last().map_or(0, |(bin, _)| usize::from(*bin) + 1);
        let mut counts = vec![0; length];
        for (bin, count) in list {
            counts[usize::from(*bin)] = *count;
        }
        let narrow: Option<Vec<u32>> = counts.iter().map(|count| u32::try_from(*count).ok()).collect();
        self.bins = narrow.map_or(Bins::Wide(counts), Bins::Array);
    }

    /// Adds another histogram of the same scale.
    ///
    /// # Panics
    /// When the scales differ: a feature has one scale for ever.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.scale, other.scale, "a feature has one scale");
        for (bin, count) in other.occupied() {
            self.put(bin, count);
        }
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// Number and count of each occupied bin, ascending.
    fn occupied(&self) -> impl Iterator<Item = (u16, u64)> {
        let (list, array, wide): (&[_], &[_], &[_]) = match &self.bins {
            Bins::List(list) => (list, &[], &[]),
            Bins::Array(counts) => (&[], counts, &[]),
            Bins::Wide(counts) => (&[], &[], counts),
        };
        let counts = array.iter().copied().map(u64::from).chain(wide.iter().copied());
        list.iter().copied().chain((0_u16..).zip(counts).filter(|(_, count)| *count > 0))
    }

    /// The occupied bins, ascending.
    pub fn bins(&self) -> impl Iterator<Item = FilledBin> {
        self.occupied().map(|(index, count)| {
            let (low, high) = self.scale.bounds(index);
            FilledBin { index, low, high, count }
        })
    }

    /// Values counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Mean of the values, from their exact sum rather than from bins; `None` without values and on [`Scale::Real`].
    pub fn mean(&self) -> Option<f64> {
        let unit = self.scale.unit()?;
        (self.total > 0).then(|| self.sum as f64 * unit / self.total as f64)
    }

    /// The middle of the bin that holds the value of this rank; `share` in 0..=1. `None` without values.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = share.clamp(0.0, 1.0) * self.total as f64;
        let mut below = 0_u64;
        let mut last = None;
        for bin in self.bins() {
            below = below.saturating_add(bin.count);
            last = Some(self.scale.position(bin.index));
            if below as f64 >= rank {
                break;
            }
        }
        last
    }

    /// The largest bin's share of all values: the most that a distribution function of the bins is off, 0..=1.
    pub fn mass_max(&self) -> f64 {
        let most = self.occupied().map(|(_, count)| count).max().unwrap_or(0);
        if self.total == 0 { 0.0 } else { most as f64 / self.total as f64 }
    }

    /// Both histograms over the bins that either occupies; `self` is the reference.
    pub fn paired(&self, current: &Self) -> Paired {
        let mut paired = Paired { positions: Vec::new(), reference: Vec::new(), current: Vec::new() };
        let (mut ours, mut theirs) = (self.occupied().peekable(), current.occupied().peekable());
        while let Some(bin) = [ours.peek(), theirs.peek()].into_iter().flatten().map(|(bin, _)| *bin).min() {
            paired.positions.push(self.scale.position(bin));
            paired.reference.push(ours.next_if(|(own, _)| *own == bin).map_or(0, |(_, count)| count));
            paired.current.push(theirs.next_if(|(own, _)| *own == bin).map_or(0, |(_, count)| count));
        }
        paired
    }

    pub(super) fn bin_counts(&self) -> impl Iterator<Item = (u16, u64)> {
        self.occupied()
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        let occupied = self.occupied().count();
        writer.number(occupied as u64);
        let mut next = 0;
        for (bin, count) in self.occupied() {
            writer.number(u64::from(bin - next));
            writer.number(count);
            next = bin.saturating_add(1);
        }
        if occupied > 0 {
            writer.number(self.sum);
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>, scale: Scale) -> Result<Self, CountsError> {
        let mut histogram = Self::new(scale);
        let occupied = reader.length()?;
        let mut next = 0_u64;
        for _ in 0..occupied {
            let bin = next.saturating_add(reader.number()?);
            let bin = u16::try_from(bin).ok().filter(|bin| usize::from(*bin) < scale.bins());
            let bin = bin.ok_or(CountsError::Corrupt("a bin beyond its scale"))?;
            let count = reader.number()?;
            if count == 0 {
                return Err(CountsError::Corrupt("an empty bin"));
            }
            histogram.put(bin, count);
            next = u64::from(bin) + 1;
        }
        if occupied > 0 {
            histogram.sum = reader.number()?;
        }
        Ok(histogram)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        match &self.bins {
            Bins::List(list) => list.capacity() * size_of::<(u16, u64)>(),
            Bins::Array(counts) => counts.capacity() * size_of::<u32>(),
            Bins::Wide(counts) => counts.capacity() * size_of::<u64>(),
        }
    }
}

impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        self.scale == other.scale && self.sum == other.sum && self.occupied().eq(other.occupied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u16>) -> Histogram {
        let mut histogram = Histogram::new(Scale::Length);
        values.into_iter().for_each(|value| histogram.add(f64::from(value)));
        histogram
    }

    #[test]
    fn tells_bins_mean_and_quantiles() {
        let histogram = of([3, 3, 3, 10, 300]);
        let bins: Vec<_> = histogram.bins().map(|bin| (bin.low, bin.high, bin.count)).collect();
        assert_eq!(bins, [(3.0, 4.0, 3), (10.0, 11.0, 1), (300.0, 302.0, 1)]);
        assert_eq!((histogram.total(), histogram.mean(), histogram.mass_max()), (5, Some(63.8), 0.6));
        let quantiles = [0.0, 0.5, 0.8, 1.0].map(|share| histogram.quantile(share));
        assert_eq!(quantiles, [Some(3.0), Some(3.0), Some(10.0), Some(300.5)]);
        let empty = Histogram::default();
        assert_eq!((empty.mean(), empty.quantile(0.5), empty.mass_max()), (None, None, 0.0));
    }

    #[test]
    fn two_histograms_share_their_bins() {
        let paired = of([1, 2, 2]).paired(&of([2, 5]));
        assert_eq!(paired.positions, [1.0, 2.0, 5.0]);
        assert_eq!((paired.reference, paired.current), (vec![1, 2, 0], vec![0, 1, 1]));
    }

    /// Doubling itself 40 times takes each bin beyond 32 bits, as a list and as an array.
    #[test]
    fn counts_beyond_32_bits_are_exact() {
        for values in [1..10_u16, 1..100_u16] {
            let mut histogram = of(values.clone());
            for _ in 0..40 {
                histogram.merge(&histogram.clone());
            }
            assert_eq!(histogram.bins().map(|bin| bin.count).collect::<Vec<_>>(), vec![1 << 40; values.len()]);
            assert_eq!(histogram.mean(), of(values.clone()).mean());
            let mut grown = of(values.clone());
            grown.merge(&histogram);
            histogram.merge(&of(values));
            assert_eq!(grown, histogram);
        }
        let mut wide = Histogram::default();
        wide.put(0, u64::MAX);
        wide.put(0, 1);
        assert_eq!(wide.total(), u64::MAX);
    }
}
