//! The permutation law of Kolmogorov and Smirnov's distance, ties included.
//!
//! `u(i, j)` is the share of all orders of i reference and j current records that have already reached the distance: 1
//! outside of a band, and inside the mean of where the last records may have come from. Only positive terms are added,
//! so small p-values keep their precision. Source: T. Viehmann, "Numerically more stable computation of the p-values for
//! the two-sample Kolmogorov-Smirnov test" (arXiv 2102.08037); here by diagonals, of which only the inside of the band
//! is kept, and only the diagonals between two values can be outside of it.

use crate::density::hypergeometric;

/// How the walk gets from one value to the next.
pub(crate) enum Walk {
    /// Record by record: two terms for each cell on the way.
    #[cfg(test)]
    Steps,
    /// All records of a value at once: one hypergeometric sum for each cell at the end.
    #[cfg(test)]
    Jumps,
    /// Whichever is cheaper for the value.
    Mixed,
}

/// The share of all orders of n reference and m current records whose scaled distance `|i m - j n|` reaches `reached`
/// at one of the `ends`: the numbers of records up to each value, ascending, the last of them n + m.
pub(crate) fn reaching(n: u64, m: u64, reached: u64, ends: impl Iterator<Item = u64>, walk: &Walk) -> f64 {
    let slots = usize::try_from(n.saturating_add(3)).unwrap_or(usize::MAX);
    let mut band = Band { n, m, reached, now: vec![1.0; slots], next: vec![1.0; slots], low: 0, high: 0, step: 0 };
    band.now[1] = 0.0;
    for end in ends.filter(|&end| end > 0) {
        let inside = band.inside(end);
        if inside.0 > inside.1 {
            return 1.0;
        }
        let jump = match walk {
            #[cfg(test)]
            Walk::Steps => false,
            #[cfg(test)]
            Walk::Jumps => true,
            Walk::Mixed => band.jump_is_cheaper(end, inside),
        };
        if jump {
            band.jump(end, inside);
        } else {
            band.walk(end, inside);
        }
    }
    band.now[slot(n)].clamp(0.0, 1.0)
}

/// One diagonal: `u(i, step - i)` for i in `low..=high` in the slots from `low + 1` on; all others are 1.
struct Band {
    n: u64,
    m: u64,
    reached: u64,
    now: Vec<f64>,
    next: Vec<f64>,
    low: u64,
    high: u64,
    step: u64,
}

impl Band {
    /// The first and the last i on this diagonal with `|i (n + m) - step n| < reached`.
    fn inside(&self, step: u64) -> (u64, u64) {
        let (centre, all, reached) =
            (u128::from(step) * u128::from(self.n), u128::from(self.n + self.m), u128::from(self.reached));
        let first = if centre < reached { 0 } else { (centre - reached) / all + 1 };
        let last = (centre + reached).div_ceil(all) - 1;
        let whole = |i: u128| u64::try_from(i).unwrap_or(u64::MAX);
        (whole(first).max(step.saturating_sub(self.m)), whole(last).min(self.n).min(step))
    }

    /// Steps cost two terms a cell, half a nanosecond; a jump costs a density and a few nanoseconds a term.
    fn jump_is_cheaper(&self, end: u64, inside: (u64, u64)) -> bool {
        let (records, from, to) =
            ((end - self.step) as f64, (self.high - self.low) as f64, (inside.1 - inside.0) as f64);
        records * (from + records / 2.0) > (to + 1.0) * (1000.0 + 4.0 * records.min(2.0 * from + 64.0))
    }

    fn walk(&mut self, end: u64, (first, last): (u64, u64)) {
        while self.step < end {
            self.step += 1;
            self.low = self.low.max(self.step.saturating_sub(self.m));
            self.high = (self.high + 1).min(self.n);
            self.diagonal();
            std::mem::swap(&mut self.now, &mut self.next);
            // the next diagonal looks one slot to either side
            let (below, above) = (slot(self.low) - 1, slot(self.high) + 1);
            (self.now[below], self.now[above]) = (1.0, 1.0);
        }
        for outside in (self.low..first).chain(last + 1..=self.high) {
            self.now[slot(outside)] = 1.0;
        }
        (self.low, self.high) = (self.low.max(first), self.high.min(last));
    }

    /// `u(i, j) = (i u(i-1, j) + j u(i, j-1)) / (i + j)` for all i in `low..=high`.
    fn diagonal(&mut self) {
        let (first, count) = (slot(self.low), slot(self.high) + 1 - slot(self.low));
        let (total, inverse) = (self.step as f64, 1.0 / self.step as f64);
        let fewer = &self.now[first - 1..first - 1 + count];
        let same = &self.now[first..first + count];
        let mut i = self.low as f64;
        for ((cell, &fewer), &same) in self.next[first..first + count].iter_mut().zip(fewer).zip(same) {
            *cell = (i * fewer + (total - i) * same) * inverse;
            i += 1.0;
        }
    }

    fn jump(&mut self, end: u64, (first, last): (u64, u64)) {
        for i in first..=last {
            self.next[slot(i)] = self.origin(i, end);
        }
        std::mem::swap(&mut self.now, &mut self.next);
        (self.low, self.high, self.step) = (first, last, end);
        let (below, above) = (slot(first) - 1, slot(last) + 1);
        (self.now[below], self.now[above]) = (1.0, 1.0);
    }

    /// The mean of u over where i reference records among `end` come from: k of them are among the last records.
    fn origin(&self, i: u64, end: u64) -> f64 {
        let last = end - self.step;
        let (least, most) = (i.saturating_sub(self.step), last.min(i));
        let mode = u128::from(last + 1) * u128::from(i + 1) / u128::from(end + 2);
        let mode = u64::try_from(mode).unwrap_or(u64::MAX).clamp(least, most);
        let u = |k: u64| if (self.low..=self.high).contains(&(i - k)) { self.now[slot(i - k)] } else { 1.0 };
        let likeliest = hypergeometric(mode, i, self.step, last);
        let mut sum = likeliest * u(mode);
        // ways to have one reference record more, or fewer, among the last ones
        let more = |k: u64| ((last - k) as f64 / (k + 1) as f64) * ((i - k) as f64 / (self.step + k + 1 - i) as f64);
        let mut weight = likeliest;
        for k in mode..most {
            weight *= more(k);
            if weight <= sum * 1e-18 {
                break;
            }
            sum += weight * u(k + 1);
        }
        weight = likeliest;
        for k in (least..mode).rev() {
            weight /= more(k);
            if weight <= sum * 1e-18 {
                break;
            }
            sum += weight * u(k);
        }
        sum
    }
}

fn slot(i: u64) -> usize {
    usize::try_from(i).unwrap_or(usize::MAX - 2) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_jumps_arrive_at_the_same_share() {
        let groups: [&[u64]; 4] = [&[40, 3, 77, 1, 29], &[300, 500], &[1; 60], &[5, 200, 5, 200, 5, 3]];
        for group in groups {
            let ends: Vec<u64> = group
                .iter()
                .scan(0, |end, size| {
                    Some({
                        *end += size;
                        *end
                    })
                })
                .collect();
            let all = ends[ends.len() - 1];
            for n in [1, all / 7 + 1, all / 2] {
                let m = all - n;
                for distance in [0.02, 0.1, 0.3, 0.7, 1.0] {
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
                    let reached = (distance * n as f64 * m as f64).ceil() as u64;
                    let [steps, jumps, mixed] = [Walk::Steps, Walk::Jumps, Walk::Mixed]
                        .map(|walk| reaching(n, m, reached, ends.iter().copied(), &walk));
                    assert!((steps - jumps).abs() <= 1e-11 * steps, "{group:?} {n} {distance}: {steps:e} {jumps:e}");
                    assert!((steps - mixed).abs() <= 1e-11 * steps, "{group:?} {n} {distance}: {steps:e} {mixed:e}");
                }
            }
        }
    }
}
