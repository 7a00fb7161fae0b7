//! `[scaling]`: what those who scale the workers are told, and how often Kafka is asked for it.

use std::time::Duration;

use schemas::Problem;
use serde::Deserialize;

/// As written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScalingSettings {
    look_every_ms: u64,
    rate_over_ms: u64,
    records_per_second: f64,
}

/// The same, checked.
#[derive(Clone, Copy, Debug)]
pub struct ScalingConfig {
    look_every: Duration,
    rate_over: Duration,
    records_per_second: f64,
}

impl ScalingConfig {
    /// How long an answer may be told before Kafka is asked again.
    pub fn look_every(&self) -> Duration {
        self.look_every
    }

    /// The while over which the rate is measured.
    pub fn rate_over(&self) -> Duration {
        self.rate_over
    }

    /// The least rate that drain time is computed with.
    pub fn records_per_second(&self) -> f64 {
        self.records_per_second
    }
}

impl TryFrom<ScalingSettings> for ScalingConfig {
    type Error = Vec<Problem>;

    fn try_from(settings: ScalingSettings) -> Result<Self, Vec<Problem>> {
        let ScalingSettings { look_every_ms, rate_over_ms, records_per_second } = settings;
        let mut problems = Vec::new();
        for (key, value) in [("look_every_ms", look_every_ms), ("rate_over_ms", rate_over_ms)] {
            if !(100..=3_600_000).contains(&value) {
                let expected = format!("expected 100 to 3600000 ms (an hour), found {value}");
                problems.push(Problem::new(format!("scaling.{key}"), expected));
            }
        }
        if !(records_per_second.is_finite() && records_per_second > 0.0) {
            let expected = format!("expected a number above 0, found {records_per_second}");
            problems.push(Problem::new("scaling.records_per_second", expected));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            look_every: Duration::from_millis(look_every_ms),
            rate_over: Duration::from_millis(rate_over_ms),
            records_per_second,
        })
    }
}
