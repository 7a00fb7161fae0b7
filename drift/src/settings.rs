//! `[drift]`: which windows are counted, how long late records are waited for, and how often the state is saved.
//!
//! [`WindowSettings`] is the window part of it as written; [`WindowConfig`] is what passed every check.

use std::num::NonZeroUsize;
use std::time::Duration;

use schemas::Problem;
use serde::Deserialize;

use crate::window::{Granularity, Window};

/// A week; a longer span is a mistake in the unit.
const SPAN_MAX_MS: u64 = 7 * 24 * 3_600_000;
/// More levels would cost memory per event and tell nobody anything.
const GRANULARITIES_MAX: usize = 6;

/// The window settings in `[drift]` as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSettings {
    /// Lengths of windows, such as `["1m", "1h", "1d"]`; each must be a multiple of the one before.
    pub granularities: Vec<String>,
    /// How far behind the latest event of its partition an event may be and still be on time.
    pub out_of_order_ms: u64,
    /// How long after the end of a window, in event time, its late records are taken; they make a new revision.
    pub lateness_ms: u64,
    /// A partition that brought nothing for this long, by the clock, no longer holds windows back.
    pub idle_ms: u64,
    /// How long, in event time, the state of a reported window waits for idle partitions to wake.
    pub retention_ms: u64,
    /// How often the state and the offsets are saved.
    pub checkpoint_ms: u64,
    /// They are saved earlier after this many records.
    pub checkpoint_records_max: usize,
}

/// Checked settings of windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowConfig {
    granularities: Vec<Granularity>,
    out_of_order_ms: i64,
    lateness_ms: i64,
    idle_ms: i64,
    retention_ms: i64,
    checkpoint: Duration,
    checkpoint_records_max: NonZeroUsize,
}

impl WindowConfig {
    /// Finest first, at least one; each length is a multiple of the one before.
    pub fn granularities(&self) -> &[Granularity] {
        &self.granularities
    }

    pub fn finest(&self) -> Granularity {
        self.granularities[0]
    }

    pub fn out_of_order_ms(&self) -> i64 {
        self.out_of_order_ms
    }

    pub fn lateness_ms(&self) -> i64 {
        self.lateness_ms
    }

    pub fn idle_ms(&self) -> i64 {
        self.idle_ms
    }

    pub fn retention_ms(&self) -> i64 {
        self.retention_ms
    }

    pub fn checkpoint(&self) -> Duration {
        self.checkpoint
    }

    pub fn checkpoint_records_max(&self) -> NonZeroUsize {
        self.checkpoint_records_max
    }

    /// The next longer window that holds this one; `None` for the longest.
    ///
    /// Windows of a length that is no longer configured have a parent, too, where one nests them.
    pub fn parent(&self, window: Window) -> Option<Window> {
        let length_ms = window.granularity.length_ms();
        let nests = |longer: &Granularity| longer.length_ms() > length_ms && longer.length_ms() % length_ms == 0;
        self.granularities.iter().copied().find(nests).map(|longer| longer.window(window.start_ms))
    }
}

impl TryFrom<WindowSettings> for WindowConfig {
    type Error = Vec<Problem>;

    fn try_from(settings: WindowSettings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, expected: String| problems.push(Problem::new(format!("drift.{key}"), expected));
        let granularities = checked_granularities(&settings.granularities, &mut problem);
        let out_of_order_ms = checked_span("out_of_order_ms", settings.out_of_order_ms, 0, &mut problem);
        let lateness_ms = checked_span("lateness_ms", settings.lateness_ms, 0, &mut problem);
        let idle_ms = checked_span("idle_ms", settings.idle_ms, 100, &mut problem);
        let retention_ms = checked_span("retention_ms", settings.retention_ms, 0, &mut problem);
        let checkpoint_ms = checked_span("checkpoint_ms", settings.checkpoint_ms, 100, &mut problem);
        if checkpoint_ms > 60_000 {
            let expected = "expected at most 60000 ms: all that was read since is read again after a crash";
            problem("checkpoint_ms", format!("{expected}, found {checkpoint_ms}"));
        }
        let checkpoint_records_max = NonZeroUsize::new(settings.checkpoint_records_max).unwrap_or_else(|| {
            problem("checkpoint_records_max", "expected at least 1, found 0".to_owned());
            NonZeroUsize::MIN
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            granularities,
            out_of_order_ms,
            lateness_ms,
            idle_ms,
            retention_ms,
            checkpoint: Duration::from_millis(checkpoint_ms.unsigned_abs()),
            checkpoint_records_max,
        })
    }
}

fn checked_span(key: &str, value: u64, least: u64, problem: &mut impl FnMut(&str, String)) -> i64 {
    if !(least..=SPAN_MAX_MS).contains(&value) {
        problem(key, format!("expected {least} to {SPAN_MAX_MS} ms, found {value}"));
    }
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Parses the lengths; they must be in ascending order, each a multiple of the one before.
fn checked_granularities(written: &[String], problem: &mut impl FnMut(&str, String)) -> Vec<Granularity> {
    let mut granularities: Vec<Granularity> = Vec::new();
    if !(1..=GRANULARITIES_MAX).contains(&written.len()) {
        problem("granularities", format!("expected 1 to {GRANULARITIES_MAX} lengths, found {}", written.len()));
    }
    for text in written {
        let Some(granularity) = Granularity::from_short(text) else {
            problem("granularities", format!("expected lengths such as 30s, 1m, 1h or 1d, found {text:?}"));
            continue;
        };
        if let Some(before) = granularities.last() {
            let (length_ms, finer_ms) = (granularity.length_ms(), before.length_ms());
            if length_ms <= finer_ms || length_ms % finer_ms != 0 {
                let expected = "expected each length to be a multiple of the one before";
                problem("granularities", format!("{expected}, found {text:?} after {before}"));
            }
        }
        granularities.push(granularity);
    }
    granularities
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> WindowSettings {
        WindowSettings {
            granularities: ["1m", "1h", "1d"].map(str::to_owned).to_vec(),
            out_of_order_ms: 10_000,
            lateness_ms: 60_000,
            idle_ms: 30_000,
            retention_ms: 3_600_000,
            checkpoint_ms: 5000,
            checkpoint_records_max: 100_000,
        }
    }

    fn check(change: impl FnOnce(&mut WindowSettings), expected: &[&str]) {
        let mut changed = settings();
        change(&mut changed);
        let problems = WindowConfig::try_from(changed).err().unwrap_or_default();
        assert_eq!(problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn reports_every_problem_with_its_key() {
        let lengths = |lengths: &[&str]| lengths.iter().map(|&length| length.to_owned()).collect::<Vec<_>>();
        check(|_| (), &[]);
        check(|settings| settings.granularities = lengths(&["30s"]), &[]);
        check(|settings| settings.granularities.clear(), &["drift.granularities"]);
        check(|settings| settings.granularities = lengths(&["1m", "90s"]), &["drift.granularities"]);
        check(|settings| settings.granularities = lengths(&["1h", "1m"]), &["drift.granularities"]);
        check(|settings| settings.granularities = lengths(&["1m", "1m"]), &["drift.granularities"]);
        check(|settings| settings.checkpoint_ms = 61_000, &["drift.checkpoint_ms"]);
        check(
            |settings| {
                settings.granularities = lengths(&["1x", "1h"]);
                settings.out_of_order_ms = u64::MAX;
                settings.idle_ms = 0;
                settings.checkpoint_records_max = 0;
            },
            &["drift.granularities", "drift.out_of_order_ms", "drift.idle_ms", "drift.checkpoint_records_max"],
        );
    }

    #[test]
    fn a_window_has_the_next_longer_one_as_its_parent() {
        let config = WindowConfig::try_from(settings()).expect("valid");
        let at = |length: &str| Granularity::from_short(length).expect("a length").window(90_061_000);
        assert_eq!(config.parent(at("1m")), Some(at("1h")));
        assert_eq!(config.parent(at("1h")), Some(at("1d")));
        assert_eq!(config.parent(at("1d")), None);
        assert_eq!(config.parent(at("30s")), Some(at("1m")), "a length that was configured before");
        assert_eq!(config.parent(at("7m")), None, "seven minutes do not fill an hour");
        assert_eq!(config.finest(), at("1m").granularity);
    }
}
