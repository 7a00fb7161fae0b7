//! What a design would find: the smallest change that is detected with a given probability.

use crate::Undefined;
use crate::distribution::{chi_square_isf, falling_to, noncentral_chi_square_sf, normal_isf};
use crate::kolmogorov::kolmogorov_sf;
use crate::sample::within;

/// How large the samples are, how rare false alarms have to be, and how sure a real change is to be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Design {
    reference: f64,
    current: f64,
    alpha: f64,
    power: f64,
}

impl Design {
    /// Sizes in independent records: records over the design effect.
    ///
    /// # Errors
    /// Sizes below 1; an alpha or a power that is not inside 0..1.
    pub fn new(reference: f64, current: f64, alpha: f64, power: f64) -> Result<Self, Undefined> {
        within("size of the reference", reference, 1.0, f64::MAX)?;
        within("size of the window", current, 1.0, f64::MAX)?;
        within("alpha", alpha, f64::MIN_POSITIVE, 1.0 - f64::EPSILON)?;
        within("power", power, f64::MIN_POSITIVE, 1.0 - f64::EPSILON)?;
        Ok(Self { reference, current, alpha, power })
    }

    /// By how much a share of this size (0..=1) must rise; `None` where no rise up to 1 is enough.
    ///
    /// The two-proportion z-test, its error pooled at the threshold and apart at the change.
    ///
    /// # Errors
    /// A share outside of 0..=1.
    pub fn share_rise(&self, share: f64) -> Result<Option<f64>, Undefined> {
        within("share", share, 0.0, 1.0)?;
        let (n, m) = (self.reference, self.current);
        let (threshold, margin) = (normal_isf(self.alpha / 2.0), normal_isf(1.0 - self.power));
        let lacking = |rise: f64| {
            let risen = share + rise;
            let pooled = (share * n + risen * m) / (n + m);
            let under_none = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
            let under_rise = (share * (1.0 - share) / n + risen * (1.0 - risen).max(0.0) / m).sqrt();
            threshold * under_none + margin * under_rise - rise
        };
        if lacking(1.0 - share) > 0.0 {
            return Ok(None);
        }
        Ok(Some(falling_to(0.0, 0.0, 1.0 - share, lacking)))
    }

    /// Which Pearson divergence a chi-square test of `categories` finds; 0 below two categories.
    pub fn divergence(&self, categories: usize) -> f64 {
        if categories < 2 {
            return 0.0;
        }
        let df = categories as f64 - 1.0;
        let critical = chi_square_isf(self.alpha, df);
        let missed = |lambda: f64| 1.0 - noncentral_chi_square_sf(critical, df, lambda);
        let high = 4.0 * critical + 20.0 * normal_isf(1.0 - self.power).abs().powi(2) + 100.0;
        falling_to(1.0 - self.power, 0.0, high, missed) * (1.0 / self.reference + 1.0 / self.current)
    }

    /// Which distance Kolmogorov and Smirnov's test finds at worst: at the middle of the range.
    pub fn ks_distance(&self) -> f64 {
        let critical = falling_to(self.alpha, 0.0, 30.0, kolmogorov_sf);
        // a share near a half varies by 1/4 (1/n + 1/m)
        let margin = 0.5 * normal_isf(1.0 - self.power);
        ((critical + margin) * (1.0 / self.reference + 1.0 / self.current).sqrt()).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::{chi_square_sf, normal_sf};

    #[test]
    fn the_smallest_rise_of_a_share_is_found_as_often_as_promised() {
        let design = Design::new(10_000.0, 1000.0, 0.05, 0.8).expect("a design");
        let (share, n, m) = (0.1, 10_000.0, 1000.0);
        let rise = design.share_rise(share).expect("a share").expect("a rise");
        // textbook: both errors from their own shares
        let risen = share + rise;
        let pooled: f64 = (share * n + risen * m) / (n + m);
        let threshold = 1.959_963_984_540_054 * (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
        let error = (share * (1.0 - share) / n + risen * (1.0 - risen) / m).sqrt();
        assert!((normal_sf((threshold - rise) / error) - 0.8).abs() < 1e-9, "{rise}");
        assert!((0.02..0.04).contains(&rise), "{rise}");
        let few = Design::new(5.0, 2.0, 1e-6, 0.8).expect("a design");
        assert_eq!(few.share_rise(0.9), Ok(None));
        assert!(design.share_rise(1.5).is_err());
    }

    #[test]
    fn the_smallest_divergence_has_the_power_under_its_own_law() {
        let design = Design::new(5000.0, 1000.0, 0.01, 0.9).expect("a design");
        for categories in [2, 10, 150] {
            let df = categories as f64 - 1.0;
            let lambda = design.divergence(categories) / (1.0 / 5000.0 + 1.0 / 1000.0);
            let critical = chi_square_isf(0.01, df);
            assert!((chi_square_sf(critical, df) - 0.01).abs() < 1e-9);
            assert!((noncentral_chi_square_sf(critical, df, lambda) - 0.9).abs() < 1e-6, "{categories}");
        }
        assert_eq!(design.divergence(1), 0.0);
    }

    #[test]
    fn larger_windows_find_smaller_distances() {
        let distance = |n| Design::new(100_000.0, n, 0.001, 0.8).expect("a design").ks_distance();
        assert!(distance(100.0) > distance(1000.0) && distance(1000.0) > distance(100_000.0));
        assert_eq!(distance(1.0), 1.0);
        for (alpha, power) in [(0.0, 0.8), (0.05, 1.0), (f64::NAN, 0.8)] {
            assert!(Design::new(10.0, 10.0, alpha, power).is_err());
        }
    }
}
