//! What one call of each test costs, by the number of bins: a report makes hundreds of them for every window.

use std::hint::black_box;
use std::time::{Duration, Instant};

use fastrand::Rng;
use statistics::hypergeometric::Urn;
use statistics::{Outcome, Undefined, chi_square, cramer_von_mises, divergence, ks, mann_whitney, psi, wasserstein};

use super::draws::{Law, binomial};

/// Each figure is the mean over at least this long.
const PATIENCE: Duration = Duration::from_millis(300);

const BINS: [u32; 3] = [10, 150, 1024];

/// Buckets of hashed words.
const WORDS: u32 = 65_536;

type Test = fn(&[u64], &[u64]) -> Result<Outcome, Undefined>;

/// Reference and window of each block of the table.
const SIZES: [(u64, u64); 3] = [(10_000, 1000), (10_000, 10_000), (100_000, 16_667)];

const TESTS: &[(&str, Test)] = &[
    ("KS (exact up to 10,000)", |old, new| ks::auto(old, new, 1.0)),
    ("KS minimum effect", |old, new| ks::min_effect(old, new, 0.02, 1.0)),
    ("chi-square (random tables where sparse)", |old, new| chi_square::auto(old, new, 1.0)),
    ("chi-square, limit law", |old, new| chi_square::homogeneity(old, new, 1.0)),
    ("chi-square minimum effect", |old, new| chi_square::min_effect(old, new, 0.01, 1.0)),
    ("Cramer-von Mises", |old, new| cramer_von_mises::asymptotic(old, new, 1.0)),
    ("Mann-Whitney", |old, new| mann_whitney::test(old, new, 1.0)),
    ("all divergences, PSI, W1", |old, new| {
        let positions: Vec<f64> = (0..old.len()).map(|bin| bin as f64).collect();
        black_box((divergence::js_bits(old, new)?, divergence::hellinger(old, new)?, psi::index(old, new, 1.0)?));
        black_box((divergence::total_variation(old, new)?, wasserstein::distance(&positions, old, new)?));
        mann_whitney::test(old, new, 1.0)
    }),
];

/// Microseconds per call, as Markdown.
pub fn table() -> String {
    let mut page = String::new();
    for (old, new) in SIZES {
        page += &format!("\n### {old} against {new} records, microseconds a call\n\n");
        page += "| test | 10 bins | 150 bins | 1024 bins |\n|---|---|---|---|\n";
        for (name, test) in TESTS {
            let cells: Vec<String> =
                BINS.iter().map(|&bins| format!("{:.1}", microseconds(*test, bins, old, new))).collect();
            page += &format!("| {name} | {} |\n", cells.join(" | "));
        }
    }
    page + &words()
}

fn microseconds(test: Test, bins: u32, old: u64, new: u64) -> f64 {
    let (law, mut rng) = (Law::zipf(bins), Rng::with_seed(u64::from(bins)));
    let pairs: Vec<_> = (0..20).map(|_| (law.draw(old, &mut rng), law.draw(new, &mut rng))).collect();
    let (started, mut calls) = (Instant::now(), 0);
    while started.elapsed() < PATIENCE {
        for (old, new) in &pairs {
            black_box(test(old, new).is_ok());
            calls += 1;
        }
    }
    started.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

/// One exact test for every bucket of words of a window, those that cannot matter cut short at p = 0.001.
fn words() -> String {
    let mut page = format!("\n### {WORDS} words, each tested exactly, milliseconds a window\n\n");
    page += "| reference | window | all | p <= 0.001 only | words found |\n|---|---|---|---|---|\n";
    for (old, new) in [(100_000, 1000), (100_000, 16_667), (1_000_000, 1_000_000), (24_000_000, 24_000_000)] {
        let mut rng = Rng::with_seed(new);
        // document frequencies as words have them: the n-th in proportion to 1/n, a hundredth of them doubled
        let words: Vec<(u64, u64)> = (1..=WORDS)
            .map(|rank| {
                let share = 0.3 / f64::from(rank).powf(0.9);
                let moved = if rank % 100 == 0 { 2.0 * share } else { share };
                (binomial(old, share, &mut rng), binomial(new, moved, &mut rng))
            })
            .collect();
        let Ok(urn) = Urn::new(old, new) else { continue };
        let timed = |ceiling: f64| {
            let started = Instant::now();
            let found = words
                .iter()
                .filter(|word| matches!(urn.two_sided_below(word.0, word.1, ceiling), Ok(Some(p)) if p <= 0.001))
                .count();
            (started.elapsed().as_secs_f64() * 1e3, found)
        };
        let ((all, _), (short, found)) = (timed(1.0), timed(0.001));
        page += &format!("| {old} | {new} | {all:.1} | {short:.1} | {found} |\n");
    }
    page
}
