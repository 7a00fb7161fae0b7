//! Each statistic against a slow and obvious version of itself, on random small samples.

use proptest::collection::vec;
use proptest::prelude::*;
use statistics::hypergeometric::Urn;
use statistics::{Method, chi_square, cramer_von_mises, ks, mann_whitney, multiple, wasserstein};

/// Counts of two samples over the same few bins, neither of them empty.
fn counts(bins: usize, most: u64) -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
    (vec(0..=most, bins), vec(0..=most, bins))
        .prop_filter("empty", |(a, b)| a.iter().sum::<u64>() > 0 && b.iter().sum::<u64>() > 0)
}

/// The records themselves: each bin's number, as often as it was counted.
fn records(counts: &[u64]) -> Vec<f64> {
    let bin = |(bin, &count): (usize, &u64)| std::iter::repeat_n(bin as f64, usize::try_from(count).expect("small"));
    counts.iter().enumerate().flat_map(bin).collect()
}

fn close(ours: f64, theirs: f64) -> bool {
    (ours - theirs).abs() <= 1e-10 * theirs.abs().max(1.0)
}

/// Every way to choose which of the pooled records are the reference, by bin, with the number of ways.
fn splits(pooled: &[u64], take: u64) -> Vec<(Vec<u64>, f64)> {
    let Some((&last, rest)) = pooled.split_last() else {
        return if take == 0 { vec![(Vec::new(), 1.0)] } else { Vec::new() };
    };
    let mut all = Vec::new();
    for chosen in 0..=last.min(take) {
        for (mut split, ways) in splits(rest, take - chosen) {
            split.push(chosen);
            all.push((split, ways * choose(last, chosen)));
        }
    }
    all
}

fn choose(n: u64, k: u64) -> f64 {
    (0..k).fold(1.0, |ways, i| ways * (n - i) as f64 / (i + 1) as f64)
}

/// The share of all splits with these margins whose statistic is at least that of the one seen.
fn permutation_p(reference: &[u64], current: &[u64], statistic: impl Fn(&[u64], &[u64]) -> f64) -> f64 {
    let pooled: Vec<u64> = reference.iter().zip(current).map(|(a, b)| a + b).collect();
    let seen = statistic(reference, current);
    let (mut as_large, mut all) = (0.0, 0.0);
    for (split, ways) in splits(&pooled, reference.iter().sum()) {
        let rest: Vec<u64> = pooled.iter().zip(&split).map(|(all, chosen)| all - chosen).collect();
        all += ways;
        if statistic(&split, &rest) >= seen * (1.0 - 1e-9) - 1e-9 {
            as_large += ways;
        }
    }
    as_large / all
}

fn largest_gap(reference: &[u64], current: &[u64]) -> f64 {
    let (n, m) = (reference.iter().sum::<u64>() as f64, current.iter().sum::<u64>() as f64);
    let gap = |bin: usize| {
        let below = |counts: &[u64]| counts[..=bin].iter().sum::<u64>() as f64;
        (below(reference) / n - below(current) / m).abs()
    };
    (0..reference.len()).map(gap).fold(0.0, f64::max)
}

fn pearson(reference: &[u64], current: &[u64]) -> f64 {
    let (n, m) = (reference.iter().sum::<u64>() as f64, current.iter().sum::<u64>() as f64);
    let cell = |observed: u64, both: u64, size: f64| {
        let expected = both as f64 * size / (n + m);
        if both == 0 { 0.0 } else { (observed as f64 - expected).powi(2) / expected }
    };
    reference.iter().zip(current).map(|(&a, &b)| cell(a, a + b, n) + cell(b, a + b, m)).sum()
}

fn likelihood_ratio(reference: &[u64], current: &[u64]) -> f64 {
    let (n, m) = (reference.iter().sum::<u64>() as f64, current.iter().sum::<u64>() as f64);
    let cell = |observed: u64, both: u64, size: f64| {
        let expected = both as f64 * size / (n + m);
        if observed == 0 { 0.0 } else { 2.0 * observed as f64 * (observed as f64 / expected).ln() }
    };
    reference.iter().zip(current).map(|(&a, &b)| cell(a, a + b, n) + cell(b, a + b, m)).sum::<f64>().max(0.0)
}

/// The rank of each record among all, equal ones sharing the mean of theirs.
fn midrank(value: f64, all: &[f64]) -> f64 {
    let below = all.iter().filter(|&&other| other < value).count() as f64;
    let equal = all.iter().filter(|&&other| other == value).count() as f64;
    below + (equal + 1.0) / 2.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn ks_is_the_permutation_test((reference, current) in counts(5, 4)) {
        let outcome = ks::exact(&reference, &current).expect("an outcome");
        prop_assert!(close(outcome.statistic, largest_gap(&reference, &current)));
        prop_assert!(close(outcome.p_value, permutation_p(&reference, &current, largest_gap)));
    }

    #[test]
    fn chi_square_is_observed_against_expected((reference, current) in counts(6, 30)) {
        let outcome = chi_square::homogeneity(&reference, &current, 1.0).expect("an outcome");
        prop_assert!(close(outcome.statistic, pearson(&reference, &current)));
        let swapped = chi_square::homogeneity(&current, &reference, 1.0).expect("an outcome");
        prop_assert!(close(outcome.p_value, swapped.p_value));
    }

    /// Tables this small are sparse, so that p comes from random ones; within five standard errors of the exact share.
    #[test]
    fn the_likelihood_ratio_of_sparse_tables_is_a_permutation_p((reference, current) in counts(4, 3)) {
        let exact = permutation_p(&reference, &current, likelihood_ratio);
        let outcome = chi_square::g_test(&reference, &current, 1.0).expect("an outcome");
        prop_assert!(close(outcome.statistic, likelihood_ratio(&reference, &current)));
        if let Method::MonteCarlo(tables) = outcome.method {
            let error = (exact * (1.0 - exact) / f64::from(tables).max(1.0)).sqrt() + 1.0 / f64::from(tables).max(1.0);
            prop_assert!((outcome.p_value - exact).abs() < 5.0 * error, "{} {}", outcome.p_value, exact);
        }
    }

    /// Within five standard errors of the share that it estimates.
    #[test]
    fn random_tables_give_the_permutation_p((reference, current) in counts(4, 4)) {
        let exact = permutation_p(&reference, &current, pearson);
        let outcome = chi_square::monte_carlo(&reference, &current, 4000, 1.0).expect("an outcome");
        let Method::MonteCarlo(tables) = outcome.method else { panic!("{outcome:?}") };
        let error = (exact * (1.0 - exact) / f64::from(tables.min(4000)).max(1.0)).sqrt() + 1.0 / 4000.0;
        prop_assert!((outcome.p_value - exact).abs() < 5.0 * error, "{} {}", outcome.p_value, exact);
    }

    #[test]
    fn fisher_sums_the_splits_that_are_no_likelier(a in 0u64..30, b in 0u64..30, c in 0u64..30, d in 0u64..30) {
        prop_assume!(a + b > 0 && c + d > 0);
        let urn = Urn::new(a + b, c + d).expect("two samples");
        let ways = |x: u64| choose(c + d, x) * choose(a + b, a + c - x);
        let possible = (a + c).saturating_sub(a + b)..=(a + c).min(c + d);
        let all: f64 = possible.clone().map(ways).sum();
        let unlikely: f64 = possible.map(ways).filter(|&ways_x| ways_x <= ways(c) * (1.0 + 1e-7)).sum();
        let p_value = urn.two_sided(a, c).expect("a p-value");
        prop_assert!(close(p_value, unlikely / all), "{p_value} {}", unlikely / all);
        for ceiling in [1e-6, 0.01, 0.3] {
            let below = urn.two_sided_below(a, c, ceiling).expect("a p-value");
            prop_assert_eq!(below, (p_value <= ceiling).then_some(p_value));
        }
        prop_assert!(urn.smallest(a + c) <= p_value * (1.0 + 1e-9));
    }

    #[test]
    fn ranks_are_midranks_of_the_records((reference, current) in counts(6, 6)) {
        let (old, new) = (records(&reference), records(&current));
        let all: Vec<f64> = old.iter().chain(&new).copied().collect();
        let (n, m) = (old.len() as f64, new.len() as f64);
        let u = new.iter().map(|&value| midrank(value, &all)).sum::<f64>() - m * (m + 1.0) / 2.0;
        prop_assert!(close(mann_whitney::test(&reference, &current, 1.0).expect("an outcome").statistic, u));
        let pairs: f64 = old.iter().flat_map(|a| new.iter().map(move |b| if b > a { 1.0 } else if b == a { 0.5 } else { 0.0 })).sum();
        prop_assert!(close(mann_whitney::auc(&reference, &current).expect("an AUC"), pairs / (n * m)));

        let share = |sample: &[f64], below: &dyn Fn(&&f64) -> bool| sample.iter().filter(below).count() as f64 / sample.len() as f64;
        let squared = |below: &dyn Fn(&&f64) -> bool| (share(&old, below) - share(&new, below)).powi(2);
        let mean: f64 = all.iter().map(|value| (squared(&|other| *other < value) + squared(&|other| *other <= value)) / 2.0).sum();
        let t = n * m / (n + m).powi(2) * mean;
        prop_assert!(close(cramer_von_mises::asymptotic(&reference, &current, 1.0).expect("an outcome").statistic, t));
    }

    #[test]
    fn wasserstein_moves_sorted_records_onto_each_other((reference, current) in counts(5, 4)) {
        let positions: Vec<f64> = (0..5).map(f64::from).collect();
        let (old, new) = (records(&reference), records(&current));
        // each record as often as the other sample has records: then both are equally many
        let repeated = |sample: &[f64], times: usize| -> Vec<f64> {
            sample.iter().flat_map(|&value| std::iter::repeat_n(value, times)).collect()
        };
        let (left, right) = (repeated(&old, new.len()), repeated(&new, old.len()));
        let moved: f64 = left.iter().zip(&right).map(|(a, b)| (a - b).abs()).sum::<f64>() / left.len() as f64;
        prop_assert!(close(wasserstein::distance(&positions, &reference, &current).expect("a distance"), moved));
    }

    #[test]
    fn adjusted_p_values_follow_their_definitions(p_values in vec(0.0f64..1.0, 1..12), more in 0usize..4) {
        let tests = p_values.len() + more;
        let mut sorted = p_values.clone();
        sorted.sort_by(f64::total_cmp);
        let ranked = |index: usize| sorted[index] * tests as f64 / (index + 1) as f64;
        let bh = multiple::benjamini_hochberg(&p_values, tests);
        for (index, &p) in p_values.iter().enumerate() {
            let rank = sorted.iter().position(|&other| other == p).expect("one of them");
            let q = (rank..sorted.len()).map(ranked).fold(1.0, f64::min);
            prop_assert!(close(bh[index], q));
        }
        prop_assert!(close(multiple::simes(&p_values, tests), (0..sorted.len()).map(ranked).fold(1.0, f64::min)));
    }
}
