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
