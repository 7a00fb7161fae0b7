//! P-values of sparse tables: random tables with the same margins, and exact tests of the single categories.

use std::cmp::Reverse;

use crate::hypergeometric::Urn;
use crate::random::Generator;
use crate::sample::sizes;
use crate::{Undefined, design};

/// Stop after this many random tables that reach the statistic: p is then known to 10 % of itself.
const REACHED_MAX: u32 = 100;

/// Tables where a test may take its time; 150 categories of 10,000 records take 0.2 s at most.
const TABLES_MAX: u32 = 9_999;

/// Draws that a test may take: 10^5 categories are given 199 tables, one second.
const DRAWS_MAX: usize = 20_000_000;

/// The share of the level that random tables get; the rest goes to the exact tests of the single categories.
const TABLES_SHARE: f64 = 0.95;

pub(crate) struct Drawn {
    pub(crate) p_value: f64,
    /// The B of `(1 + k) / (B + 1)`.
    pub(crate) tables: u32,
}

/// How many random tables a test over this many filled categories may draw.
pub(crate) fn affordable(filled: usize) -> u32 {
    u32::try_from(DRAWS_MAX / filled.max(1)).unwrap_or(u32::MAX).clamp(199, TABLES_MAX)
}

/// One filled category of the table.
struct Column {
    total: u64,
    /// The expected count in the smaller sample.
    expected: f64,
    /// What a squared difference from it adds to Pearson's statistic.
    weight: f64,
}

/// Draws tables with these margins and counts those that reach the statistic.
pub(crate) fn simulate(reference: &[u64], current: &[u64], statistic: f64, tables_max: u32) -> Drawn {
    let (n, m) = (reference.iter().sum::<u64>(), current.iter().sum::<u64>());
    let (all, sample) = (n + m, n.min(m));
    let pairs = reference.iter().zip(current).filter(|&(&old, &new)| old + new > 0);
    let mut columns: Vec<Column> = pairs
        .map(|(&old, &new)| {
            let (total, share) = ((old + new) as f64, sample as f64 / all as f64);
            Column { total: old + new, expected: total * share, weight: 1.0 / (total * share * (1.0 - share)) }
        })
        .collect();
    columns.sort_by_key(|column| Reverse(column.total)); // a sample is then used up early, and its rest is known
    let empty = |column: &Column| column.expected * column.expected * column.weight;
    let mut rests: Vec<f64> = vec![0.0; columns.len() + 1];
    for (i, column) in columns.iter().enumerate().rev() {
        rests[i] = rests[i + 1] + empty(column);
    }

    let mut generator = Generator::seeded(reference.iter().chain(current).copied());
    let threshold = statistic * (1.0 - 1e-9); // equal tables must compare equal, whatever the order of summing
    let (mut reached, mut tables) = (0, 0);
    while tables < tables_max {
        tables += 1;
        reached += u32::from(draw(&columns, &rests, all, sample, &mut generator) >= threshold);
        if reached == REACHED_MAX {
            // h / l = (1 + k) / (B + 1) with k = h - 1 and B = l - 1
            return Drawn { p_value: f64::from(reached) / f64::from(tables), tables: tables - 1 };
        }
    }
    Drawn { p_value: f64::from(1 + reached) / f64::from(1 + tables), tables }
}

/// Pearson's statistic of one random table, the smaller sample dealt out column by column.
fn draw(columns: &[Column], rests: &[f64], mut all: u64, mut sample: u64, generator: &mut Generator) -> f64 {
    let mut statistic = 0.0;
    for (i, column) in columns.iter().enumerate() {
        if sample == 0 {
            return statistic + rests[i];
        }
        let drawn = generator.hypergeometric(column.total, all, sample);
        let difference = drawn as f64 - column.expected;
        statistic += difference * difference * column.weight;
        all -= column.total;
        sample -= drawn;
    }
    statistic
}

/// The p-value of random tables, joined with the smallest exact p of the single categories: no floor, and valid because
/// both rejections together cost no more than the level (Bonferroni with unequal shares).
pub(crate) fn with_tail(reference: &[u64], current: &[u64], p_tables: f64, effect: f64) -> Result<f64, Undefined> {
    let filled = sizes(reference, current)?.filled as f64;
    let urn = Urn::new(reference.iter().sum(), current.iter().sum())?;
    let mut best = (p_tables / TABLES_SHARE).min(1.0);
    for (&old, &new) in reference.iter().zip(current).filter(|&(&old, &new)| old + new > 0) {
        let factor = filled / (1.0 - TABLES_SHARE);
        // a design effect only makes p larger, so what is above the ceiling before it stays there
        if let Some(p_value) = urn.two_sided_below(old, new, best / factor)? {
            best = best.min(design::inflate(p_value, effect)? * factor);
        }
    }
    Ok(best)
}
