//! The smallest changes that windows of one size would find, four times out of five.
//!
//! A change is found when it is sure (its p-value holds against the level of the window divided by the number of tests:
//! the worst case of Benjamini and Hochberg's correction) and large (surely more than the least change that counts).

use statistics::Undefined;
use statistics::power::Design;

use crate::counts::{Categories, View};
use crate::feature::{Feature, FeatureKind};
use crate::profile::Profile;
use crate::verdict::settings::VerdictConfig;
use crate::window::Granularity;

/// How often a change of the size shown is found.
pub const POWER: f64 = 0.8;

/// Shares of categories that stand for rare, common and frequent ones.
const SHARES: [f64; 3] = [0.01, 0.05, 0.2];

/// Groups of lengths, as they are tested.
const GROUPS: usize = 10;

/// The smallest change of one feature that is found.
#[derive(Clone, Debug, PartialEq)]
pub struct Detectable {
    pub feature: String,
    /// What changes, for people: `a category with a share of 5 %`.
    pub what: String,
    /// As in the reports' column `effect_unit`.
    pub unit: &'static str,
    /// Found for sure; a warning at least. `None` where not even the largest change is.
    pub sure: Option<f64>,
    /// Also surely larger than the least change: drift, once it persists.
    pub large: Option<f64>,
}

/// Windows of one length in a week.
pub(super) fn windows_per_week(granularity: Granularity) -> f64 {
    7.0 * 24.0 * 3_600_000.0 / granularity.length_ms() as f64
}

/// Of every feature that the profile knows, in their fixed order.
pub(super) fn detectable(
    profile: &Profile,
    granularity: Granularity,
    records_per_window: f64,
    verdict: &VerdictConfig,
    alpha: f64,
) -> Vec<Detectable> {
    let counts = profile.counts();
    let features = counts.all().features();
    let level = alpha / features.len().max(1) as f64;
    let mut found = Vec::new();
    let is_known = |feature: &&Feature| match feature {
        Feature::ClassScore(_) => false,
        Feature::DeadLetters => profile.about().has_dead_letters,
        _ => true,
    };
    for feature in features.iter().filter(is_known) {
        let Some(view) = counts.all().view(feature) else { continue };
        let share = view.total() as f64 / counts.all().events().max(1) as f64;
        let design_effect = profile.design_effect(granularity, feature).unwrap_or(1.0);
        let sizes = Sizes {
            reference: view.total() as f64 / design_effect,
            current: records_per_window * share.min(1.0) / design_effect,
            level,
            large_level: verdict.large_level,
            least: verdict.min_effect(feature),
        };
        // A window that holds less than one record has nothing to find.
        found.extend(sizes.of(feature, &view).unwrap_or_default());
    }
    found
}

/// Sizes in independent records, and the levels of both tests.
struct Sizes {
    reference: f64,
    current: f64,
    level: f64,
    large_level: f64,
    least: f64,
}

impl Sizes {
    fn of(&self, feature: &Feature, view: &View<'_>) -> Result<Vec<Detectable>, Undefined> {
        let entry = |what: String, unit, sure, large: Option<f64>| Detectable {
            feature: feature.name().into_owned(),
            what,
            unit,
            sure,
            large,
        };
        let (sure, large) = (self.design(self.level)?, self.design(2.0 * self.large_level)?);
        Ok(match (feature.kind(), view) {
            (FeatureKind::Numeric, _) => {
                let beyond = self.design(self.large_level)?.ks_distance() + self.least;
                let at_least = sure.ks_distance();
                vec![entry("any value".to_owned(), "ks_distance", within(at_least), within(beyond.max(at_least)))]
            }
            (FeatureKind::Length, _) => {
                let moved = |divergence: f64| divergence.sqrt() / 2.0;
                let at_least = moved(sure.divergence(GROUPS));
                let beyond = moved(large.divergence(2)) + self.least;
                vec![entry("any length".to_owned(), "share_moved", within(at_least), within(beyond.max(at_least)))]
            }
            (FeatureKind::Categorical, View::Categories(categories)) if occupied(categories) > 1 => {
                let mut entries = Vec::new();
                for share in SHARES {
                    let (at_least, beyond) = self.rises(&sure, &large, share)?;
                    let what = format!("a category with a share of {} %", 100.0 * share);
                    entries.push(entry(what, "share", at_least, beyond));
                }
                entries
            }
            (FeatureKind::Share, View::Share(counts)) => {
                let share = counts.share().unwrap_or(0.0);
                let (at_least, beyond) = self.rises(&sure, &large, share)?;
                vec![entry(format!("its share of {:.1} %", 100.0 * share), "share", at_least, beyond)]
            }
            (FeatureKind::Words, View::Words(words)) => {
                // One word is tested among all that are frequent enough; as many as there are is the worst case.
                let tests = words.buckets().len().max(1) as f64;
                let (at_least, beyond) = self.rises(&self.design(self.level / tests)?, &large, 0.0)?;
                vec![entry("a new word".to_owned(), "share", at_least, beyond)]
            }
            _ => Vec::new(),
        })
    }

    /// By how much a share must rise to be found for sure, and to be surely more than the least change as well.
    fn rises(&self, sure: &Design, large: &Design, share: f64) -> Result<(Option<f64>, Option<f64>), Undefined> {
        let at_least = sure.share_rise(share)?;
        let above = large.share_rise((share + self.least).min(1.0))?.map(|rise| rise + self.least);
        let both = at_least.zip(above).map(|(sure, large)| sure.max(large)).and_then(within);
        Ok((at_least, both))
    }

    fn design(&self, alpha: f64) -> Result<Design, Undefined> {
        Design::new(self.reference, self.current, alpha, POWER)
    }
}

/// No share and no distance exceeds 1.
fn within(change: f64) -> Option<f64> {
    (change < 1.0).then_some(change)
}

fn occupied(categories: &Categories) -> usize {
    categories.iter().count() + usize::from(categories.other() > 0)
}
