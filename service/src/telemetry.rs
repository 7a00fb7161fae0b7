//! Logs and metrics: one subscriber for `tracing`, one recorder for `metrics`, both installed once by the binary.
//!
//! Logs go to stderr as text for people or as JSON lines for machines; librdkafka's own log arrives through `tracing`
//! under the target `librdkafka`. Metrics are only kept here and rendered on demand: who serves them is another's job.

use std::io::IsTerminal;
use std::time::Duration;
use std::{io, thread};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use schemas::{Problem, Recovery};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How often samples are moved into their buckets. Between two renders a busy histogram keeps every sample, so without
/// this a process that nobody scrapes would grow.
const UPKEEP: Duration = Duration::from_secs(5);
/// Targets that speak much and say little at a level that is useful for ours; `log.level` can still name them.
const QUIET: &str = "hyper=warn,h2=warn,tokenizers=warn,ort=warn";

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `[log]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    pub format: LogFormat,
    /// A level, or directives such as `info,librdkafka=debug`.
    pub level: String,
}

/// The same, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    format: LogFormat,
    directives: String,
}

impl TryFrom<LogSettings> for LogConfig {
    type Error = Vec<Problem>;

    fn try_from(settings: LogSettings) -> Result<Self, Vec<Problem>> {
        let config = Self { format: settings.format, directives: settings.level };
        if config.directives.split(',').all(is_directive) && config.filter().is_ok() {
            return Ok(config);
        }
        let expected = "expected off, error, warn, info, debug, trace or directives such as info,librdkafka=debug";
        Err(vec![Problem::new("log.level", format!("{expected}, found {:?}", config.directives))])
    }
}

impl LogConfig {
    fn filter(&self) -> Result<EnvFilter, ParseError> {
        EnvFilter::builder().parse(format!("{QUIET},{}", self.directives))
    }
}

/// True for a level, or a target with its level. `EnvFilter` alone takes a misspelt level for the name of a target.
fn is_directive(text: &str) -> bool {
    let level = text.rsplit_once('=').map_or(text, |(_, level)| level);
    LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level.trim()))
}

/// Why telemetry cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("read the log level")]
    Level(#[from] ParseError),
    #[error("install the log subscriber")]
    Subscriber(#[from] TryInitError),
    #[error("install the metrics recorder")]
    Recorder(#[from] BuildError),
    #[error("start the metrics upkeep thread")]
    Upkeep(#[from] io::Error),
}

impl TelemetryError {
    pub fn recovery(&self) -> Recovery {
        Recovery::Exit
    }
}

/// Sends the log of this process to stderr, in colour only on a terminal.
///
/// # Errors
/// When a subscriber is already installed.
pub fn install_log(config: &LogConfig) -> Result<(), TelemetryError> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(config.filter()?)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    match config.format {
        LogFormat::Text => lines.finish().try_init()?,
        LogFormat::Json => lines.json().flatten_event(true).with_ansi(false).finish().try_init()?,
    }
    Ok(())
}

/// The upper bounds of one histogram, chosen for its quantity.
#[derive(Clone, Copy, Debug)]
pub struct Buckets {
    pub metric: &'static str,
    /// Rising; in the metric's unit.
    pub bounds: &'static [f64],
}

/// Renders what the recorder holds.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Every metric in the Prometheus text format.
    pub fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }
}

/// Installs the recorder of this process and keeps its memory bounded.
///
/// A histogram without buckets would be rendered as a summary, which cannot be added up over replicas.
///
/// # Errors
/// When a recorder is already installed, or `buckets` names a histogram with no bounds.
pub fn install_metrics(buckets: &[Buckets]) -> Result<Metrics, TelemetryError> {
    let recorder = recorder(buckets)?;
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(BuildError::FailedToSetGlobalRecorder)?;
    let upkeep = handle.clone();
    thread::Builder::new().name("metrics-upkeep".to_owned()).spawn(move || {
        loop {
            thread::sleep(UPKEEP);
            upkeep.run_upkeep();
        }
    })?;
    Ok(Metrics { handle })
}

fn recorder(buckets: &[Buckets]) -> Result<PrometheusRecorder, BuildError> {
    let start = PrometheusBuilder::new();
    let builder = buckets.iter().try_fold(start, |builder, Buckets { metric, bounds }| {
        builder.set_buckets_for_metric(Matcher::Full((*metric).to_owned()), bounds)
    })?;
    Ok(builder.build_recorder())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(level: &str) -> Result<LogConfig, Vec<Problem>> {
        LogSettings { format: LogFormat::Text, level: level.to_owned() }.try_into()
    }

    #[test]
    fn levels_and_directives_are_checked_before_the_start() {
        for good in ["info", "off", "info,librdkafka=debug", "warn,kafka::transactor=trace"] {
            assert!(config(good).is_ok(), "{good}");
        }
        for bad in ["loud", "", "info,sink=shout", "info,", "=,="] {
            let problems = config(bad).expect_err(bad);
            assert_eq!(problems[0].key, "log.level");
            assert!(problems[0].expected.contains(bad), "{problems:?}");
        }
    }

    #[test]
    fn histograms_are_rendered_with_their_buckets() {
        let recorder =
            recorder(&[Buckets { metric: "labelstream_wait_seconds", bounds: &[0.1, 1.0] }]).expect("good buckets");
        let metrics = Metrics { handle: recorder.handle() };
        metrics::with_local_recorder(&recorder, || {
            metrics::describe_histogram!("labelstream_wait_seconds", metrics::Unit::Seconds, "how long one waits");
            metrics::histogram!("labelstream_wait_seconds").record(0.5);
            metrics::counter!("labelstream_records_total", "outcome" => "labeled").increment(3);
        });
        let text = metrics.render();
        for line in [
            "# HELP labelstream_wait_seconds how long one waits",
            "# TYPE labelstream_wait_seconds histogram",
            "labelstream_wait_seconds_bucket{le=\"0.1\"} 0",
            "labelstream_wait_seconds_bucket{le=\"1\"} 1",
            "labelstream_wait_seconds_bucket{le=\"+Inf\"} 1",
            "labelstream_wait_seconds_sum 0.5",
            "# TYPE labelstream_records_total counter",
            "labelstream_records_total{outcome=\"labeled\"} 3",
        ] {
            assert!(text.lines().any(|own| own == line), "no line {line:?} in:\n{text}");
        }
    }

    #[test]
    fn buckets_without_bounds_are_refused() {
        assert!(recorder(&[Buckets { metric: "empty", bounds: &[] }]).is_err());
    }
}
