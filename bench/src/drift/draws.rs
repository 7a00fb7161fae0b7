//! Samples of a law over bins, drawn as counts: a hundred thousand records cost as much as there are bins.

use fastrand::Rng;

/// A law over bins, ready to be drawn from.
pub struct Law {
    shares: Vec<f64>,
    /// Share of each bin among itself and those after it.
    conditional: Vec<f64>,
}

impl Law {
    /// From weights of any sum.
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let weights: Vec<f64> = weights.into_iter().collect();
        let sum: f64 = weights.iter().sum();
        let shares: Vec<f64> = weights.iter().map(|weight| weight / sum).collect();
        let mut rest = 0.0;
        let mut conditional: Vec<f64> = shares
            .iter()
            .rev()
            .map(|share| {
                rest += share;
                if rest > 0.0 { (share / rest).min(1.0) } else { 0.0 }
            })
            .collect();
        conditional.reverse();
        Self { shares, conditional }
    }

    /// The n-th of `classes` in proportion to 1 / n: a few large ones and a long tail, as labels are.
    pub fn zipf(classes: u32) -> Self {
        Self::new((1..=classes).map(|rank| 1.0 / f64::from(rank)))
    }

    /// A confidence in 1024 bins: most records near 1, few below a half.
    pub fn confidence() -> Self {
        let density = |x: f64| x.powi(6) * (1.0 - x).sqrt() + 0.02;
        Self::new((0..1024).map(|bin| density((f64::from(bin) + 0.5) / 1024.0)))
    }

    /// So much of the law moved to the last bin.
    #[must_use]
    pub fn with_more_of_the_last(&self, moved: f64) -> Self {
        let last = self.shares.len() - 1;
        let weight = |(bin, share): (usize, &f64)| share * (1.0 - moved) + if bin == last { moved } else { 0.0 };
        Self::new(self.shares.iter().enumerate().map(weight))
    }

    /// The counts that `records` would have without chance, in millionths of a record.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shares of a positive whole number")]
    pub fn expected(&self, records: u64) -> Vec<u64> {
        self.shares.iter().map(|share| (share * records as f64 * 1e6).round() as u64).collect()
    }

    /// Counts of this many records, drawn independently.
    pub fn draw(&self, records: u64, rng: &mut Rng) -> Vec<u64> {
        let mut left = records;
        let mut bin = |&share: &f64| {
            let drawn = binomial(left, share, rng);
            left -= drawn;
            drawn
        };
        self.conditional.iter().map(&mut bin).collect()
    }
}

/// A generator for each of 0, 1, 2, ..: neighbouring seeds given as they are make samples that resemble each other.
pub fn generator(seed: u64) -> Rng {
    Rng::with_seed(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// How many of `trials` succeed, each with this probability.
pub fn binomial(trials: u64, probability: f64, rng: &mut Rng) -> u64 {
    if trials == 0 || probability <= 0.0 {
        return 0;
    }
    if probability >= 1.0 {
        return trials;
    }
    if probability > 0.5 {
        return trials - binomial(trials, 1.0 - probability, rng);
    }
    if trials as f64 * probability < 10.0 {
        inversion(trials, probability, rng)
    } else {
        rejection(trials, probability, rng)
    }
}

/// From 0 upward until the drawn share of probability is used up.
fn inversion(trials: u64, probability: f64, rng: &mut Rng) -> u64 {
    let odds = probability / (1.0 - probability);
    let mut density = (trials as f64 * (-probability).ln_1p()).exp();
    let (mut left, mut successes) = (rng.f64(), 0);
    while left > density && successes < trials {
        left -= density;
        density *= odds * (trials - successes) as f64 / (successes + 1) as f64;
        successes += 1;
    }
    successes
}

/// Transformed rejection: W. Hoermann, "The generation of binomial random variates" (1993), algorithm BTRS.
fn rejection(trials: u64, probability: f64, rng: &mut Rng) -> u64 {
    let n = trials as f64;
    let deviation = (n * probability * (1.0 - probability)).sqrt();
    let b = 1.15 + 2.53 * deviation;
    let a = -0.0873 + 0.0248 * b + 0.01 * probability;
    let alpha = (2.83 + 5.1 / b) * deviation;
    let odds = probability / (1.0 - probability);
    let mode = ((n + 1.0) * probability).floor();
    loop {
        let (u, v) = (rng.f64() - 0.5, rng.f64());
        let reach = 0.5 - u.abs();
        let k = ((2.0 * a / reach + b) * u + n * probability + 0.5).floor();
        if !(0.0..=n).contains(&k) {
            continue;
        }
        let surely = reach >= 0.07 && v <= 0.92 - 4.2 / b;
        let taken = surely || (v * alpha / (a / (reach * reach) + b)).ln() <= ln_ratio(k, mode, n, odds);
        if taken {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 <= k <= trials")]
            return k as u64;
        }
    }
}

/// `ln(P(k) / P(mode))`
fn ln_ratio(k: f64, mode: f64, n: f64, odds: f64) -> f64 {
    (mode + 0.5) * ((mode + 1.0) / (odds * (n - mode + 1.0))).ln()
        + (n + 1.0) * ((n - mode + 1.0) / (n - k + 1.0)).ln()
        + (k + 0.5) * (odds * (n - k + 1.0) / (k + 1.0)).ln()
        + stirling_rest(mode)
        + stirling_rest(n - mode)
        - stirling_rest(k)
        - stirling_rest(n - k)
}

/// What `(k + 1/2) ln(k + 1) - (k + 1) + ln sqrt(2 pi)` lacks of `ln k!`.
fn stirling_rest(k: f64) -> f64 {
    const SMALL: [f64; 10] = [
        0.081_061_466_795_327_26,
        0.041_340_695_955_409_29,
        0.027_677_925_684_998_34,
        0.020_790_672_103_765_093,
        0.016_644_691_189_821_193,
        0.013_876_128_823_070_748,
        0.011_896_709_945_891_77,
        0.010_411_265_261_972_096,
        0.009_255_462_182_712_733,
        0.008_330_563_433_362_87,
    ];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked against the table's length")]
    if k < 10.0 {
        return SMALL[k as usize];
    }
    let next = k + 1.0;
    (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / (next * next)) / (next * next)) / next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_mean_and_the_variance_of_the_law() {
        let mut rng = Rng::with_seed(7);
        for (trials, probability) in [(5, 0.3), (100, 0.02), (100, 0.4), (1000, 0.9), (100_000, 0.25), (100_000, 1e-5)]
        {
            let draws = 40_000.0;
            let (mean, variance) = (trials as f64 * probability, trials as f64 * probability * (1.0 - probability));
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..40_000 {
                let off = binomial(trials, probability, &mut rng) as f64 - mean;
                sum += off;
                squares += off * off;
            }
            assert!((sum / draws).abs() < 4.5 * (variance / draws).sqrt(), "{trials} {probability}");
            assert!((squares / draws / variance - 1.0).abs() < 0.05, "{trials} {probability}");
        }
    }

    #[test]
    fn a_sample_holds_as_many_records_as_asked() {
        let mut rng = Rng::with_seed(1);
        for law in [Law::zipf(150), Law::confidence(), Law::new([0.0, 1.0, 0.0])] {
            for records in [0, 1, 100, 100_000] {
                assert_eq!(law.draw(records, &mut rng).iter().sum::<u64>(), records);
            }
        }
    }
}
