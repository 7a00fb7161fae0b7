//! Where the bins of a histogram lie. They are the same for ever: stored counts refer to them by number.

/// Bins on 0..=1: a distribution function read off them is within 0.0004 of the exact one for smooth signals of 80,000
/// values (KLL sketches of three times the size are at 0.0014).
const UNIT_BINS: u16 = 1024;

/// Whole numbers below this have a bin each; above, each doubling is cut into as many bins, so that a bin is at most
/// 1/128 = 0.8 % wide.
const EXACT: u64 = 128;

/// Sums of shares are kept in units of 2^-30: finer than an f32 near 1, and room for 17 thousand million events.
const UNIT_FIXED: f64 = (1_u64 << 30) as f64;

/// What kind of values a histogram bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scale {
    /// Shares and probabilities: 1024 equal bins on 0..=1; 1 itself lies in the last.
    Unit,
    /// Whole numbers 0..2^32: exact to 128, then 128 bins to each doubling.
    Length,
    /// Any finite number: bins of at most 0.8 % of the value, on both sides of zero; the upper half of an f32's bits.
    Real,
}

impl Scale {
    /// How many bins there are.
    pub fn bins(self) -> usize {
        match self {
            Self::Unit => usize::from(UNIT_BINS),
            Self::Length => 128 + 25 * 128,
            Self::Real => 1 << 16,
        }
    }

    /// The bin of a value.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the values are clamped to the scale first"
    )]
    pub(super) fn bin(self, value: f64) -> u16 {
        match self {
            Self::Unit => ((value * f64::from(UNIT_BINS)).max(0.0) as u16).min(UNIT_BINS - 1),
            Self::Length => {
                let value = whole(value);
                if value < EXACT {
                    return value as u16;
                }
                let doublings = value.ilog2() - EXACT.ilog2();
                (EXACT * u64::from(doublings) + (value >> doublings)) as u16
            }
            Self::Real => {
                // Adding zero makes -0 equal to 0.
                let bits = (value as f32 + 0.0).to_bits();
                let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
                (ordered >> 16) as u16
            }
        }
    }

    /// `low <= value < high` of a bin.
    pub(super) fn bounds(self, bin: u16) -> (f64, f64) {
        match self {
            Self::Unit => (f64::from(bin) / f64::from(UNIT_BINS), f64::from(bin + 1) / f64::from(UNIT_BINS)),
            Self::Length => {
                let bin = u64::from(bin);
                if bin < EXACT {
                    return (bin as f64, bin as f64 + 1.0);
                }
                let doublings = bin / EXACT - 1;
                let low = (EXACT + bin % EXACT) << doublings;
                (low as f64, (low + (1 << doublings)) as f64)
            }
            Self::Real => {
                let low = |bin: u16| {
                    let ordered = u32::from(bin) << 16;
                    f64::from(f32::from_bits(if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered }))
                };
                (low(bin), low(bin.saturating_add(1)))
            }
        }
    }

    /// Where a bin stands for statistics that need a place: its middle, or the one whole number that it holds.
    pub(super) fn position(self, bin: u16) -> f64 {
        let (low, high) = self.bounds(bin);
        match self {
            Self::Unit | Self::Real => f64::midpoint(low, high),
            Self::Length => f64::midpoint(low, high - 1.0),
        }
    }

    /// The unit of exact sums; `None` where none would hold every value.
    pub(super) fn unit(self) -> Option<f64> {
        match self {
            Self::Unit => Some(1.0 / UNIT_FIXED),
            Self::Length => Some(1.0),
            Self::Real => None,
        }
    }

    /// A value in that unit.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the values are clamped to the scale first"
    )]
    pub(super) fn fixed(self, value: f64) -> u64 {
        match self {
            // Adding a half and cutting off rounds, without a call.
            Self::Unit => (value.clamp(0.0, 1.0) * UNIT_FIXED + 0.5) as u64,
            Self::Length => whole(value),
            Self::Real => 0,
        }
    }
}

/// A whole number of the scale: 0..2^32.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value is clamped first")]
fn whole(value: f64) -> u64 {
    value.max(0.0).min(f64::from(u32::MAX)) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(scale: Scale, value: f64) {
        let bin = scale.bin(value);
        let (low, high) = scale.bounds(bin);
        assert!(usize::from(bin) < scale.bins());
        assert!(low <= value && (value < high || value == 1.0), "{scale:?} {value} is not in {low}..{high}");
        assert!((low..high).contains(&scale.position(bin)));
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bin(share in 0.0..=1.0_f64, length in 0..=u32::MAX, small in 0..2000_u32, real in any::<f32>()) {
            check(Scale::Unit, share);
            check(Scale::Length, f64::from(length));
            check(Scale::Length, f64::from(small));
            if real.is_finite() {
                check(Scale::Real, f64::from(real));
            }
        }

        #[test]
        fn greater_values_lie_in_later_bins(a in any::<f32>(), b in any::<f32>(), c in any::<u32>(), d in any::<u32>()) {
            if a <= b {
                prop_assert!(Scale::Real.bin(f64::from(a)) <= Scale::Real.bin(f64::from(b)));
            }
            prop_assert!(c > d || Scale::Length.bin(f64::from(c)) <= Scale::Length.bin(f64::from(d)));
        }
    }

    #[test]
    fn lengths_are_exact_to_128_and_then_within_0_8_percent() {
        for value in [0, 1, 127, 128, 255, 256, 257, 1000, 65_535, 1 << 20, u32::MAX] {
            let (low, high) = Scale::Length.bounds(Scale::Length.bin(f64::from(value)));
            assert!(high - low <= (low / 128.0).max(1.0), "{value}: {low}..{high}");
        }
        assert_eq!(usize::from(Scale::Length.bin(f64::from(u32::MAX))) + 1, Scale::Length.bins());
    }

    #[test]
    fn ends_take_what_lies_beyond_them() {
        for (value, bin) in [(1.0, 1023), (2.0, 1023), (f64::INFINITY, 1023), (-1.0, 0), (f64::NAN, 0)] {
            assert_eq!(Scale::Unit.bin(value), bin, "{value}");
        }
        for (value, bin) in [(1e12, 3327), (-1.0, 0), (f64::NAN, 0)] {
            assert_eq!(Scale::Length.bin(value), bin, "{value}");
        }
        assert_eq!(Scale::Real.bin(-0.0), Scale::Real.bin(0.0));
    }
}
