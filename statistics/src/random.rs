//! Random numbers and hypergeometric draws that are the same on every machine and in every release.
//!
//! A report is a function of its counts, so the generator is written out here (xoshiro256++ of Blackman and Vigna, seeded
//! through SplitMix64) and not taken from a crate that may change it.

use std::sync::LazyLock;

pub(crate) struct Generator([u64; 4]);

impl Generator {
    /// Seeded by a sequence of numbers: equal sequences give equal draws.
    pub(crate) fn seeded(numbers: impl Iterator<Item = u64>) -> Self {
        let mut state = numbers.fold(0x6C61_6265_6C73_7472, |state, number| mix(state ^ number));
        let mut next = || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            mix(state)
        };
        Self([next(), next(), next(), next()])
    }

    fn next(&mut self) -> u64 {
        let state = &mut self.0;
        let result = state[0].wrapping_add(state[3]).rotate_left(23).wrapping_add(state[0]);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        result
    }

    /// Uniform in 0..1, never 0.
    fn unit(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// How many of `hits` fall into a sample of `sample` records drawn from `all`, none twice.
    pub(crate) fn hypergeometric(&mut self, hits: u64, all: u64, sample: u64) -> u64 {
        /// Up to this many single draws are cheaper than the rejection method.
        const DRAWS_MAX: u64 = 12;
        // the law is symmetric: hits in the sample, or sample in the hits; misses, or what is left out
        let (small_hits, small_sample) = (hits.min(all - hits), sample.min(all - sample));
        let (few, many) = (small_hits.min(small_sample), small_hits.max(small_sample));
        let drawn = if few <= DRAWS_MAX { self.urn(few, many, all) } else { self.rejection(few, many, all) };
        // drawn counts small hits in the small sample
        let in_sample = if sample == small_sample { drawn } else { small_hits - drawn };
        if hits == small_hits { in_sample } else { sample - in_sample }
    }

    /// One by one: each of the few is in the others with the share that is left.
    fn urn(&mut self, few: u64, many: u64, all: u64) -> u64 {
        (0..few).fold(0, |drawn, i| {
            let left = (all - i) as f64 * self.unit();
            drawn + u64::from(left < (many - drawn) as f64)
        })
    }

    /// Ratio of uniforms: Stadlober, "The ratio of uniforms approach for generating discrete random variates" (1990).
    fn rejection(&mut self, few: u64, many: u64, all: u64) -> u64 {
        /// `2 sqrt(2 / e)` and `3 - 2 sqrt(3 / e)`
        const WIDTH: (f64, f64) = (1.715_527_769_921_413_5, 0.898_916_162_058_898_8);
        let (f, m, n) = (few as f64, many as f64, all as f64);
        let share = m / n;
        let mean = f * share;
        let deviation = ((n - f) / (n - 1.0) * f * share * (1.0 - share) + 0.5).sqrt();
        let width = WIDTH.0 * deviation + WIDTH.1;
        let ln_weight =
            |k: f64| -(ln_factorial(k) + ln_factorial(m - k) + ln_factorial(f - k) + ln_factorial(n - m - f + k));
        let mode = ((f + 1.0) * (m + 1.0) / (n + 2.0)).floor();
        let (ln_mode, end) = (ln_weight(mode), (f.min(m) + 1.0).min((mean + 0.5 + 16.0 * deviation).floor()));
        loop {
            let (u, v) = (self.unit(), self.unit());
            let x = mean + 0.5 + width * (v - 0.5) / u;
            if x < 0.0 || x >= end {
                continue;
            }
            let k = x.floor();
            let ln_ratio = ln_weight(k) - ln_mode;
            // the first two are cheap bounds of the third
            let taken = u * (4.0 - u) - 3.0 <= ln_ratio || (u * (u - ln_ratio) < 1.0 && 2.0 * u.ln() <= ln_ratio);
            if taken {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "0 <= k < end <= few + 1"
                )]
                return k as u64;
            }
        }
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9).wrapping_add(0x2545_F491_4F6C_DD1D);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// `ln k!` of small k, which sparse tables ask for most.
static LN_FACTORIALS: LazyLock<[f64; 1024]> = LazyLock::new(|| {
    let mut sum = 0.0;
    std::array::from_fn(|k| {
        sum += (k.max(1) as f64).ln();
        sum
    })
});

/// `ln k!` of a whole `k >= 0` to 1e-12 and better.
fn ln_factorial(k: f64) -> f64 {
    /// `ln(sqrt(2 pi))`
    const LN_SQRT_2PI: f64 = 0.918_938_533_204_672_8;
    if k < 1024.0 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number below 1024")]
        return LN_FACTORIALS[k as usize];
    }
    (k + 0.5) * k.ln() - k + LN_SQRT_2PI + 1.0 / (12.0 * k) // the next term is 1 / (360 k^3)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of the draws against those of the law, in units of their own standard errors.
    #[test]
    fn draws_have_the_moments_of_the_law() {
        const DRAWS: u64 = 40_000;
        for (hits, all, sample) in [
            (5, 20, 8),
            (15, 20, 8),
            (15, 20, 18),
            (40, 100, 30),
            (90, 100, 60),
            (5000, 1_000_000, 9000),
            (3, 2_000_000_000, 1_000_000_000),
            (1_000_000, 2_000_000_000, 1_999_999_000),
        ] {
            let mut generator = Generator::seeded([hits, all, sample].into_iter());
            let (mut sum, mut squares) = (0.0, 0.0);
            let (h, n, s) = (hits as f64, all as f64, sample as f64);
            let mean = s * h / n;
            let variance = s * (h / n) * ((n - h) / n) * ((n - s) / (n - 1.0));
            for _ in 0..DRAWS {
                let x = generator.hypergeometric(hits, all, sample);
                assert!(x <= hits && x <= sample && hits - x <= all - sample);
                sum += x as f64 - mean;
                squares += (x as f64 - mean) * (x as f64 - mean);
            }
            let draws = DRAWS as f64;
            assert!((sum / draws).abs() < 4.5 * (variance / draws).sqrt(), "mean of {hits} {all} {sample}");
            assert!(
                (squares / draws / variance - 1.0).abs() < 0.05,
                "variance of {hits} {all} {sample}: {}",
                squares / draws / variance
            );
        }
    }
}
