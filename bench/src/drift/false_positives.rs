//! How often each test alarms at 5 % where nothing changed: both samples from one law, for every pair of sizes.
//!
//! 2,000 seeds know a rate of 5 % to one point either way (two standard errors), so of cells that are exact one in twenty
//! falls outside of 4-6 %. Such a cell is measured again with more seeds of its own, and the second figure is printed,
//! marked `'`. Tests of few distinct values are exact and still below 5 %, because their statistic has few values.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastrand::Rng;
use statistics::proportion::{self, Proportion};
use statistics::{Outcome, Undefined, chi_square, cramer_von_mises, design, ks, mann_whitney};

use super::draws::{Law, generator};
use super::embedding_null::Projection;

const ALPHA: f64 = 0.05;

/// Records of a sample.
const SIZES: [u64; 5] = [100, 300, 1000, 10_000, 100_000];

/// Cells outside of this are measured again.
const BAND: std::ops::RangeInclusive<f64> = 0.04..=0.06;

/// How many times as many seeds the second look has.
const SECOND_LOOK: u64 = 5;

type Test = fn(&[u64], &[u64]) -> Result<Outcome, Undefined>;

const OF_CATEGORIES: &[(&str, Test)] = &[
    ("chi-square", |old, new| chi_square::auto(old, new, 1.0)),
    ("chi-square, limit law alone", |old, new| chi_square::homogeneity(old, new, 1.0)),
    ("G", |old, new| chi_square::g_test(old, new, 1.0)),
    ("z of a class", |old, new| proportion::z_test(first(old)?, first(new)?, 1.0)),
    ("Fisher of a class", |old, new| proportion::fisher(first(old)?, first(new)?)),
    ("KS", |old, new| ks::auto(old, new, 1.0)),
    ("Cramer-von Mises", |old, new| cramer_von_mises::asymptotic(old, new, 1.0)),
    ("Mann-Whitney", |old, new| mann_whitney::test(old, new, 1.0)),
];

const OF_SCORES: &[(&str, Test)] = &[
    ("KS", |old, new| ks::auto(old, new, 1.0)),
    ("KS, limit law", |old, new| ks::asymptotic(old, new, 1.0)),
    ("Cramer-von Mises", |old, new| cramer_von_mises::asymptotic(old, new, 1.0)),
    ("Mann-Whitney", |old, new| mann_whitney::test(old, new, 1.0)),
];

/// The share of the first class.
fn first(counts: &[u64]) -> Result<Proportion, Undefined> {
    Proportion::new(counts.first().copied().unwrap_or(0), counts.iter().sum())
}

/// All tables, as Markdown.
pub fn tables(seeds: u64) -> String {
    let mut page = String::new();
    for classes in [2, 10, 150] {
        let title = format!("{classes} classes, the n-th in proportion to 1/n (ordered, for KS and the rank tests)");
        page += &null_table(&title, &Law::zipf(classes), OF_CATEGORIES, seeds);
    }
    page += &null_table("a confidence in 1024 bins", &Law::confidence(), OF_SCORES, seeds);
    page += &boundary_table(seeds);
    page += &cluster_table(seeds);
    page += &embedding_table(seeds);
    page
}

/// The rates of every test at every pair of sizes.
fn null_table(title: &str, law: &Law, tests: &[(&str, Test)], seeds: u64) -> String {
    let pairs: Vec<(u64, u64)> = SIZES.iter().flat_map(|&old| SIZES.map(|new| (old, new))).collect();
    let rows = in_parallel(&pairs, |&(old, new)| {
        let sample = |rng: &mut Rng| (law.draw(old, rng), law.draw(new, rng));
        let rates = rates(tests, 0..seeds, sample);
        let cells: Vec<String> = tests
            .iter()
            .zip(rates)
            .map(|(&test, rate)| {
                if BAND.contains(&rate) {
                    return percent(rate);
                }
                let again = self::rates(&[test], seeds..seeds * (1 + SECOND_LOOK), sample);
                format!("{}'", percent(again[0]))
            })
            .collect();
        format!("| {old} | {new} | {} |", cells.join(" | "))
    });
    let names: Vec<&str> = tests.iter().map(|(name, _)| *name).collect();
    markdown(title, &format!("reference | window | {}", names.join(" | ")), &rows)
}

/// How often each test finds p <= 5 % over these seeds.
fn rates(
    tests: &[(&str, Test)],
    seeds: std::ops::Range<u64>,
    sample: impl Fn(&mut Rng) -> (Vec<u64>, Vec<u64>),
) -> Vec<f64> {
    let count = seeds.end - seeds.start;
    let mut alarms = vec![0u64; tests.len()];
    for seed in seeds {
        let (old, new) = sample(&mut generator(seed));
        for ((_, test), alarms) in tests.iter().zip(&mut alarms) {
            let p_value = test(&old, &new).map_or(1.0, |outcome| outcome.p_value);
            *alarms += u64::from(p_value <= ALPHA);
        }
    }
    alarms.into_iter().map(|alarms| alarms as f64 / count as f64).collect()
}

type Effect = fn(&[u64], &[u64]) -> Result<f64, Undefined>;

/// The last argument is the minimum effect.
type MinimumTest = fn(&[u64], &[u64], f64) -> Result<Outcome, Undefined>;

/// A test with a minimum effect, and that effect between two laws.
struct Boundary {
    name: &'static str,
    effect: Effect,
    test: MinimumTest,
}

const BOUNDARIES: &[Boundary] = &[
    Boundary {
        name: "chi-square",
        effect: chi_square::divergence,
        test: |old, new, least| chi_square::min_effect(old, new, least, 1.0),
    },
    Boundary {
        name: "share",
        effect: |old, new| Ok((last(new)?.value() - last(old)?.value()).abs()),
        test: |old, new, least| proportion::min_effect(last(old)?, last(new)?, least, 1.0),
    },
    Boundary {
        name: "AUC",
        effect: |old, new| Ok((mann_whitney::auc(old, new)? - 0.5).abs()),
        test: |old, new, least| mann_whitney::min_effect(old, new, least, 1.0),
    },
    Boundary {
        name: "KS",
        effect: |old, new| Ok(ks::distance(old, new)?.value),
        test: |old, new, least| ks::min_effect(old, new, least, 1.0),
    },
];

/// The share of the last class, the one that grows.
fn last(counts: &[u64]) -> Result<Proportion, Undefined> {
    Proportion::new(counts.last().copied().unwrap_or(0), counts.iter().sum())
}

/// Minimum-effect tests where the true effect is exactly the minimum: at most 5 % may call it larger.
fn boundary_table(seeds: u64) -> String {
    let pairs = [(1000, 1000), (10_000, 1000), (100_000, 10_000), (100_000, 100_000)];
    let law = Law::zipf(10);
    let cases: Vec<_> = [0.02, 0.05].into_iter().flat_map(|moved| pairs.map(|pair| (moved, pair))).collect();
    let rows = in_parallel(&cases, |&(moved, (old, new))| {
        let changed = law.with_more_of_the_last(moved);
        let cells: Vec<String> = BOUNDARIES
            .iter()
            .map(|boundary| {
                let minimum = (boundary.effect)(&law.expected(old), &changed.expected(new)).unwrap_or(0.0);
                let alarms = (0..seeds)
                    .filter(|&seed| {
                        let mut rng = generator(seed);
                        let (old, new) = (law.draw(old, &mut rng), changed.draw(new, &mut rng));
                        (boundary.test)(&old, &new, minimum).is_ok_and(|outcome| outcome.p_value <= ALPHA)
                    })
                    .count();
                percent(alarms as f64 / seeds as f64)
            })
            .collect();
        format!("| {} | {old} | {new} | {} |", percent(moved), cells.join(" | "))
    });
    let names: Vec<&str> = BOUNDARIES.iter().map(|boundary| boundary.name).collect();
    let head = format!("moved to one class | reference | window | {}", names.join(" | "));
    markdown("minimum-effect tests, the true effect exactly at the minimum (10 classes)", &head, &rows)
}

/// Records that come in clusters of five equal ones, with and without the design effect measured on a week of windows.
fn cluster_table(seeds: u64) -> String {
    const CLUSTER: u64 = 5;
    /// Hours of a week.
    const WINDOWS: usize = 168;
    let law = Law::zipf(10);
    let sample = |records: u64, rng: &mut Rng| -> Vec<u64> {
        law.draw(records / CLUSTER, rng).into_iter().map(|count| count * CLUSTER).collect()
    };
    let pairs = [(1000, 1000), (10_000, 1000), (100_000, 10_000)];
    let rows = in_parallel(&pairs, |&(old, new)| {
        let mut alarms = [0u64; 4];
        let mut effects = 0.0;
        for seed in 0..seeds {
            let mut rng = generator(seed);
            let windows: Vec<Vec<u64>> = (0..WINDOWS).map(|_| sample(new, &mut rng)).collect();
            let effect = design::effect(&windows).unwrap_or(1.0);
            effects += effect;
            let (old, new) = (sample(old, &mut rng), sample(new, &mut rng));
            let outcomes = [
                chi_square::auto(&old, &new, 1.0),
                chi_square::auto(&old, &new, effect),
                mann_whitney::test(&old, &new, 1.0),
                mann_whitney::test(&old, &new, effect),
            ];
            for (alarms, outcome) in alarms.iter_mut().zip(outcomes) {
                *alarms += u64::from(outcome.is_ok_and(|outcome| outcome.p_value <= ALPHA));
            }
        }
        let effect = effects / seeds as f64;
        let [chi, chi_mended, rank, rank_mended] = alarms.map(|alarms| percent(alarms as f64 / seeds as f64));
        format!("| {old} | {new} | {effect:.2} | {chi} | {chi_mended} | {rank} | {rank_mended} |")
    });
    let head = "reference | window | design effect measured | chi-square without | chi-square with | rank test without | rank test with";
    markdown("records in clusters of five equal ones (10 classes)", head, &rows)
}

/// The embedding test, whose law is matched by moments of both samples.
fn embedding_table(seeds: u64) -> String {
    let pairs = [(300, 100), (1000, 300), (1000, 1000), (10_000, 300), (10_000, 1000)];
    let rows = in_parallel(&pairs, |&(old, new)| {
        let projection = Projection::new(&mut generator(old));
        let alarms = (0..seeds).filter(|&seed| projection.alarms(old, new, &mut generator(seed))).count();
        format!("| {old} | {new} | {} |", percent(alarms as f64 / seeds as f64))
    });
    markdown("32 random Fourier features of 8 normal numbers", "reference | window | MMD", &rows)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn markdown(title: &str, head: &str, rows: &[String]) -> String {
    let rule = "---|".repeat(head.split(" | ").count());
    format!("\n### {title}\n\n| {head} |\n|{rule}\n{}\n", rows.join("\n"))
}

/// Each item's row, made on all cores, in the order of the items.
fn in_parallel<T: Sync>(items: &[T], row: impl Fn(&T) -> String + Sync) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let rows = Mutex::new(vec![String::new(); items.len()]);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some((index, item)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| Some((i, items.get(i)?)))
                {
                    let text = row(item);
                    rows.lock().expect("no row panics while it holds the lock")[index] = text;
                }
            });
        }
    });
    rows.into_inner().expect("no row panics while it holds the lock")
}
