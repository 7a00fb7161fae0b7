//! The edge matrix: every test on every awkward pair of samples. Nothing is NaN, nothing overflows, nothing hangs.

use std::time::{Duration, Instant};

use statistics::proportion::{self, Proportion};
use statistics::{Outcome, Undefined, chi_square, cramer_von_mises, divergence, ks, mann_whitney, psi, wasserstein};

type Test = fn(&[u64], &[u64]) -> Result<Outcome, Undefined>;

const TESTS: &[(&str, Test)] = &[
    ("ks auto", |a, b| ks::auto(a, b, 1.0)),
    ("ks asymptotic", |a, b| ks::asymptotic(a, b, 2.5)),
    ("ks minimum effect", |a, b| ks::min_effect(a, b, 0.02, 1.0)),
    ("chi-square", |a, b| chi_square::homogeneity(a, b, 1.0)),
    ("chi-square auto", |a, b| chi_square::auto(a, b, 1.0)),
    ("chi-square of clusters", |a, b| chi_square::auto(a, b, 3.0)),
    ("chi-square minimum effect", |a, b| chi_square::min_effect(a, b, 0.01, 1.0)),
    ("g", |a, b| chi_square::g_test(a, b, 1.0)),
    ("cramer", |a, b| cramer_von_mises::asymptotic(a, b, 1.0)),
    ("mann-whitney", |a, b| mann_whitney::test(a, b, 1.0)),
    ("auc minimum effect", |a, b| mann_whitney::min_effect(a, b, 0.02, 1.0)),
    ("share", |a, b| proportion::z_test(first(a)?, first(b)?, 1.0)),
    ("fisher", |a, b| proportion::fisher(first(a)?, first(b)?)),
    ("share minimum effect", |a, b| proportion::min_effect(first(a)?, first(b)?, 0.02, 1.0)),
];

/// The share of the first bin.
fn first(counts: &[u64]) -> Result<Proportion, Undefined> {
    Proportion::new(counts.first().copied().unwrap_or(0), counts.iter().sum())
}

const BILLION: u64 = 1_000_000_000;

/// What a pair of samples must give.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    /// p = 1, or next to it where a test corrects for continuity.
    Same,
    /// p below 1e-300, as a number that is still positive or 0 by underflow.
    Certain,
    /// Any p from 0 to 1.
    Any,
}

fn pairs() -> Vec<(&'static str, Vec<u64>, Vec<u64>, Expect)> {
    vec![
        ("identical", vec![10, 20, 30], vec![10, 20, 30], Expect::Same),
        ("constants", vec![0, 50, 0], vec![0, 7, 0], Expect::Same),
        ("one category", vec![5], vec![9], Expect::Same),
        ("one record each, same", vec![1, 0], vec![1, 0], Expect::Same),
        ("one record each, apart", vec![1, 0], vec![0, 1], Expect::Any),
        ("one record against many", vec![1000, 1000, 1], vec![0, 0, 1], Expect::Any),
        ("an unseen category", vec![500, 500, 0], vec![50, 48, 2], Expect::Any),
        ("nothing in common", vec![0, 0, 30], vec![30, 0, 0], Expect::Any),
        ("few values, many ties", vec![3, 900, 3, 900], vec![4, 910, 2, 800], Expect::Any),
        ("a billion, identical", vec![BILLION, BILLION], vec![BILLION, BILLION], Expect::Same),
        ("a billion, nearly so", vec![BILLION, BILLION, 7], vec![BILLION, BILLION - 10_000, 9], Expect::Any),
        ("a billion, apart", vec![BILLION, 2 * BILLION], vec![2 * BILLION, BILLION], Expect::Certain),
        ("a billion in many bins", vec![BILLION; 1000], vec![BILLION; 1000], Expect::Same),
        ("a billion against a few", vec![BILLION; 40], vec![1; 40], Expect::Same),
    ]
}

#[test]
fn every_test_survives_every_edge() {
    for (edge, reference, current, expect) in pairs() {
        for (name, test) in TESTS {
            let outcome = test(&reference, &current).unwrap_or_else(|error| panic!("{name} of {edge}: {error}"));
            let told = format!("{name} of {edge}: {outcome:?}");
            assert!((0.0..=1.0).contains(&outcome.p_value), "{told}");
            assert!(!outcome.statistic.is_nan(), "{told}");
            match expect {
                Expect::Same => assert!(outcome.p_value > 0.8, "{told}"),
                Expect::Certain => assert!(outcome.p_value < 1e-300, "{told}"),
                Expect::Any => {}
            }
        }
    }
}

#[test]
fn empty_samples_and_other_bins_are_undefined() {
    for (name, test) in TESTS {
        assert!(test(&[0, 0], &[1, 2]).is_err(), "{name}");
        assert!(test(&[1, 2], &[0, 0]).is_err(), "{name}");
        assert!(test(&[], &[]).is_err(), "{name}");
    }
    let differ = Undefined::BinsDiffer { reference: 2, current: 3 };
    assert_eq!(ks::auto(&[1, 2], &[1, 2, 3], 1.0), Err(differ));
    assert_eq!(chi_square::auto(&[1, 2], &[1, 2, 3], 1.0), Err(differ));
    for effect in [0.0, 0.99, f64::NAN, f64::INFINITY] {
        assert!(matches!(ks::auto(&[1, 2], &[2, 1], effect), Err(Undefined::DesignEffect(_))), "{effect}");
    }
}

#[test]
fn effects_and_intervals_are_numbers_on_every_edge() {
    for (edge, reference, current, _) in pairs() {
        let positions: Vec<f64> = (0..reference.len()).map(|bin| bin as f64).collect();
        let intervals = [
            ("ks", ks::interval(&reference, &current, 0.95, 1.0), 0.0, 1.0),
            ("chi-square", chi_square::interval(&reference, &current, 0.95, 1.0), 0.0, f64::MAX),
            ("auc", mann_whitney::interval(&reference, &current, 0.95, 1.0), 0.0, 1.0),
            ("w1", wasserstein::interval(&positions, &reference, &current, 0.95, 1.0), 0.0, f64::MAX),
        ];
        for (name, interval, least, most) in intervals {
            let interval = interval.expect("an interval");
            assert!(least <= interval.low && interval.low <= interval.high && interval.high <= most, "{name} {edge}");
        }
        let distances = [
            divergence::js_bits(&reference, &current),
            divergence::hellinger(&reference, &current),
            divergence::total_variation(&reference, &current),
            divergence::l_infinity(&reference, &current),
        ];
        for distance in distances {
            assert!((0.0..=1.0 + 1e-12).contains(&distance.expect("a distance")), "{edge}");
        }
        let psi = psi::index(&reference, &current, 1.0).expect("an index");
        assert!(psi.smoothed >= 0.0 && psi.smoothed.is_finite() && !psi.corrected.is_nan(), "{edge}: {psi:?}");
    }
}

#[test]
fn tiny_p_values_are_numbers_before_they_are_zero() {
    let (reference, current) = ([5000, 5000], [7400, 2600]);
    let outcome = chi_square::homogeneity(&reference, &current, 1.0).expect("an outcome");
    assert!(outcome.p_value > 0.0 && outcome.p_value < 1e-200, "{outcome:?}");
    let outcome = ks::asymptotic(&[50_000, 50_000], &[58_000, 42_000], 1.0).expect("an outcome");
    assert!(outcome.p_value > 0.0 && outcome.p_value < 1e-200, "{outcome:?}");
    let fisher = proportion::fisher(first(&reference).expect("a share"), first(&current).expect("a share"));
    assert!(fisher.expect("an outcome").p_value > 0.0);
}

/// 10^5 categories of a record or two, which is as sparse as tables get. Measured: 8 s for all tests, as tests are built.
#[test]
fn a_hundred_thousand_categories_end_in_bounded_time() {
    let reference: Vec<u64> = (0..100_000).map(|bin| 1 + bin % 3).collect();
    let current: Vec<u64> = (0..100_000).map(|bin| (bin / 3) % 3).collect();
    for (name, test) in TESTS {
        let started = Instant::now();
        let outcome = test(&reference, &current).expect("an outcome");
        assert!((0.0..=1.0).contains(&outcome.p_value), "{name}: {outcome:?}");
        assert!(started.elapsed() < Duration::from_secs(120), "{name} took {:?}", started.elapsed());
    }
}
