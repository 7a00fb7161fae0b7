//! Quantile edges, frozen from a reference: few groups of bins for chi-square tests and the population stability index.

use super::histogram::Histogram;
use super::scale::Scale;

/// Cuts a scale into groups of whole bins; the outer groups are open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edges {
    scale: Scale,
    /// The first bin of every group but the first, ascending.
    cuts: Vec<u16>,
}

impl Edges {
    /// A cut after each bin in which the running count passes another `1 / groups` of the total. A bin that alone holds
    /// several such shares makes fewer groups, so that none is empty in the reference; without values there is one.
    pub fn of(reference: &Histogram, groups: usize) -> Self {
        let groups = groups.max(1) as u128;
        let total = u128::from(reference.total());
        let (mut below, mut passed) = (0_u128, 1_u128);
        let mut cuts = Vec::new();
        for (bin, count) in reference.bin_counts() {
            below += u128::from(count);
            if below < total && below * groups >= passed * total {
                cuts.push(bin.saturating_add(1));
                passed = below * groups / total + 1;
            }
        }
        Self { scale: reference.scale(), cuts }
    }

    /// Edges as they were stored: [`Edges::cuts`].
    pub fn new(scale: Scale, mut cuts: Vec<u16>) -> Self {
        cuts.sort_unstable();
        cuts.dedup();
        Self { scale, cuts }
    }

    /// The first bin of every group but the first, ascending.
    pub fn cuts(&self) -> &[u16] {
        &self.cuts
    }

    pub fn groups(&self) -> usize {
        self.cuts.len() + 1
    }

    /// How many values of a histogram of the same scale lie in each group.
    pub fn counts(&self, histogram: &Histogram) -> Vec<u64> {
        let mut counts = vec![0_u64; self.groups()];
        for (bin, count) in histogram.bin_counts() {
            let group = self.cuts.partition_point(|cut| *cut <= bin);
            counts[group] = counts[group].saturating_add(count);
        }
        counts
    }

    /// `low <= value < high` per group; `None` is open.
    pub fn bounds(&self) -> Vec<(Option<f64>, Option<f64>)> {
        let edges: Vec<f64> = self.cuts.iter().map(|cut| self.scale.bounds(*cut).0).collect();
        let lows = std::iter::once(None).chain(edges.iter().copied().map(Some));
        let highs = edges.iter().copied().map(Some).chain([None]);
        lows.zip(highs).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: impl IntoIterator<Item = f64>, scale: Scale) -> Histogram {
        let mut histogram = Histogram::new(scale);
        values.into_iter().for_each(|value| histogram.add(value));
        histogram
    }

    #[test]
    fn groups_are_equal_where_bins_allow_it() {
        let reference = histogram((0..1000).map(|n| f64::from(n) / 1000.0), Scale::Unit);
        let edges = Edges::of(&reference, 10);
        assert_eq!(edges.groups(), 10);
        assert!(edges.counts(&reference).iter().all(|count| (98..=102).contains(count)), "{edges:?}");
        assert_eq!(edges.bounds()[0].0, None);
        assert_eq!(edges.bounds()[9].1, None);
    }

    #[test]
    fn heavy_values_make_fewer_groups_and_none_is_empty() {
        // 70 % are 5, the rest is spread over 6 to 35
        let values = std::iter::repeat_n(5.0, 70).chain((0..30).map(|n| f64::from(n + 6)));
        let reference = histogram(values, Scale::Length);
        let edges = Edges::of(&reference, 10);
        assert_eq!(edges.counts(&reference), [70, 10, 10, 10]);
        assert_eq!(edges.bounds()[..2], [(None, Some(6.0)), (Some(6.0), Some(16.0))]);
        let other = histogram([1.0, 5.0, 6.0, 1000.0], Scale::Length);
        assert_eq!(edges.counts(&other), [2, 1, 0, 1]);
        assert_eq!(Edges::new(Scale::Length, edges.cuts().to_vec()), edges);
    }

    #[test]
    fn constants_and_nothing_make_one_group() {
        assert_eq!(Edges::of(&histogram([3.0; 9], Scale::Length), 10).groups(), 1);
        assert_eq!(Edges::of(&histogram([], Scale::Unit), 10).groups(), 1);
        assert_eq!(Edges::of(&histogram([1.0, 2.0], Scale::Length), 0).groups(), 1);
    }
}
