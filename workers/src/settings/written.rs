//! The sections of the settings file, as they are written.
//!
//! Types that belong to one part come from its crate; here are the sections that several parts share.

use drift::labels::settings::LabelsSettings;
use drift::pipeline::settings::StateSettings;
use drift::reference::settings::ReferenceSettings;
use drift::verdict::settings::VerdictSettings;
use formats::DecodeSettings;
use formats::time::TimeUnit;
use kafka::connection::ConnectionSettings;
use kafka::settings::SourceSettings;
use packages::settings::PackagesSettings;
use schemas::Problem;
use serde::Deserialize;
use service::http::HttpSettings;
use service::telemetry::LogSettings;
use sink::reports::ReportsSettings;
use sink::settings::SinkSettings;

use crate::settings::scaling::ScalingSettings;

/// All sections, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) kafka: ConnectionSettings,
    pub(super) source: SourceSettings,
    pub(super) decode: DecodeSettings,
    pub(super) model: engine::settings::Settings,
    pub(super) packages: PackagesSettings,
    pub(super) batch: BatchSettings,
    pub(super) sink: SinkSettings,
    pub(super) drift: DriftSettings,
    pub(super) observe: ObserveSettings,
    pub(super) state: StateSettings,
    pub(super) reference: ReferenceSettings,
    pub(super) verdict: VerdictSettings,
    pub(super) labels: LabelsSettings,
    pub(super) reports: ReportsSettings,
    pub(super) scaling: ScalingSettings,
    pub(super) run: RunSettings,
    pub(super) http: HttpSettings,
    pub(super) log: LogSettings,
}

/// `[batch]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchSettings {
    pub(super) records_max: usize,
    pub(super) bytes_max: usize,
    pub(super) in_flight_max: usize,
}

/// `[run]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunSettings {
    pub(super) shutdown_grace_ms: u64,
    pub(super) rewinds_max: u32,
    pub(super) rewind_wait_ms: u64,
    pub(super) stall_max_ms: u64,
}

/// `[drift]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DriftSettings {
    pub(super) topics: Option<Vec<String>>,
    pub(super) dead_letter_topics: Vec<String>,
    pub(super) group: String,
    pub(super) granularities: Vec<String>,
    pub(super) out_of_order_ms: u64,
    pub(super) lateness_ms: u64,
    pub(super) idle_ms: u64,
    pub(super) retention_ms: u64,
    pub(super) checkpoint_ms: u64,
    pub(super) checkpoint_records_max: usize,
}

/// `[observe]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ObserveSettings {
    pub(super) text_pointer: String,
    pub(super) event_time_unit: TimeUnit,
    pub(super) slices: Vec<String>,
    pub(super) slices_max: u32,
    pub(super) labels_max: u32,
    pub(super) clock_ahead_ms: i64,
    pub(super) clock_ahead_max_ms: i64,
    pub(super) embedding: ObserveEmbeddingSettings,
}

/// `[observe.embedding]`, as written; without a pointer there is none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ObserveEmbeddingSettings {
    pub(super) pointer: Option<String>,
    pub(super) dimensions: usize,
    pub(super) frequencies: usize,
    pub(super) bandwidth: f64,
    pub(super) seed: u64,
}

/// Checks one section; what is wrong joins the others' problems.
pub(super) fn check<S, C: TryFrom<S, Error = Vec<Problem>>>(section: S, problems: &mut Vec<Problem>) -> Option<C> {
    section.try_into().map_err(|found| problems.extend(found)).ok()
}
