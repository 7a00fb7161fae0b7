//! P-values of sparse tables: random tables with the same margins, and exact tests of the single categories.

use std::cmp::Reverse;
use std::sync::LazyLock;

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

/// What is computed of each random table.
#[derive(Clone, Copy)]
pub(crate) enum Statistic {
    Pearson,
    LikelihoodRatio,
}

/// One filled category of the table.
struct Column {
    total: u64,
    /// The expected count in the smaller sample.
    expected: f64,
    /// What a squared difference from it adds to Pearson's statistic.
    weight: f64,
    /// `total ln total`
    entropy: f64,
}

/// All tables with the margins of the one seen.
struct Tables {
    statistic: Statistic,
    columns: Vec<Column>,
    /// What the columns from this one on add when the smaller sample has nothing left for them.
    rests: Vec<f64>,
    all: u64,
    sample: u64,
    /// Logarithms of the share of the smaller sample and of the other.
    ln_shares: (f64, f64),
}

/// Draws tables with these margins and counts those whose statistic reaches the one seen.
pub(crate) fn simulate(
    reference: &[u64],
    current: &[u64],
    (statistic, seen): (Statistic, f64),
    tables_max: u32,
) -> Drawn {
    let tables = Tables::of(reference, current, statistic);
    let mut generator = Generator::seeded(reference.iter().chain(current).copied());
    // equal tables must compare equal, whatever the order of summing: so much may rounding change
    let rounding = 1e-9 + 1e-15 * tables.columns.iter().map(|column| column.entropy).sum::<f64>();
    let threshold = seen * (1.0 - 1e-9) - rounding;
    let (mut reached, mut drawn) = (0, 0);
    while drawn < tables_max {
        drawn += 1;
        reached += u32::from(tables.draw(&mut generator) >= threshold);
        if reached == REACHED_MAX {
            // h / l = (1 + k) / (B + 1) with k = h - 1 and B = l - 1
            return Drawn { p_value: f64::from(reached) / f64::from(drawn), tables: drawn - 1 };
        }
    }
    Drawn { p_value: f64::from(1 + reached) / f64::from(1 + drawn), tables: drawn }
}

impl Tables {
    fn of(reference: &[u64], current: &[u64], statistic: Statistic) -> Self {
        let (n, m) = (reference.iter().sum::<u64>(), current.iter().sum::<u64>());
        let (all, sample) = (n + m, n.min(m));
        let share = sample as f64 / all as f64;
        let totals = reference.iter().zip(current).map(|(&old, &new)| old + new).filter(|&total| total > 0);
        let mut columns: Vec<Column> = totals
            .map(|total| {
                let expected = total as f64 * share;
                Column { total, expected, weight: 1.0 / (expected * (1.0 - share)), entropy: x_ln_x(total) }
            })
            .collect();
        columns.sort_by_key(|column| Reverse(column.total)); // the sample is then used up early, and its rest is known
        let ln_shares = (share.ln(), (-share).ln_1p());
        let mut tables = Self { statistic, columns, rests: vec![0.0], all, sample, ln_shares };
        for index in (0..tables.columns.len()).rev() {
            let rest = tables.rests[tables.rests.len() - 1] + tables.part(&tables.columns[index], 0);
            tables.rests.push(rest);
        }
        tables.rests.reverse();
        tables
    }

    /// The statistic of one random table, the smaller sample dealt out column by column.
    fn draw(&self, generator: &mut Generator) -> f64 {
        let (mut statistic, mut all, mut sample) = (0.0, self.all, self.sample);
        for (column, rest) in self.columns.iter().zip(&self.rests) {
            if sample == 0 {
                return statistic + rest;
            }
            let drawn = generator.hypergeometric(column.total, all, sample);
            statistic += self.part(column, drawn);
            all -= column.total;
            sample -= drawn;
        }
        statistic
    }

    /// What a column adds when so many of it fall on the smaller sample.
    fn part(&self, column: &Column, drawn: u64) -> f64 {
        match self.statistic {
            Statistic::Pearson => {
                let difference = drawn as f64 - column.expected;
                difference * difference * column.weight
            }
            Statistic::LikelihoodRatio => {
                let left = column.total - drawn;
                let expected = drawn as f64 * self.ln_shares.0 + left as f64 * self.ln_shares.1;
                2.0 * (x_ln_x(drawn) + x_ln_x(left) - column.entropy - expected)
            }
        }
    }
}

/// `x ln x`, 0 at 0.
fn x_ln_x(x: u64) -> f64 {
    static SMALL: LazyLock<[f64; 1024]> = LazyLock::new(|| std::array::from_fn(|x| x as f64 * (x.max(1) as f64).ln()));
    match usize::try_from(x).ok().and_then(|index| SMALL.get(index)) {
        Some(&small) => small,
        None => x as f64 * (x as f64).ln(),
    }
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
