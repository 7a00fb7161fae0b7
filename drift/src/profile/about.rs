//! What a profile says about itself.

use std::collections::BTreeMap;

use schemas::ModelId;
use serde::{Deserialize, Serialize};

/// What a profile says about itself; the first line of its file, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub name: String,
    /// The model that labelled the events. `digest` is empty where the events did not tell.
    pub model: ModelId,
    /// What it was made from, for people: a file or a range of a topic.
    pub made_from: String,
    /// Event times of the first and the last record, milliseconds since 1970 UTC.
    pub first_ms: i64,
    pub last_ms: i64,
    pub records: u64,
    /// Whether words can be read; otherwise only their hash buckets are kept.
    pub has_words: bool,
    /// Whether dead letters were read too; otherwise their rate is not known.
    pub has_dead_letters: bool,
    /// Per granularity, what the windows of the calibration told.
    pub calibrations: Vec<StreamCalibration>,
}

/// What the windows of one length say about the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamCalibration {
    /// Length of the windows, in ms.
    pub granularity_ms: i64,
    pub windows: u32,
    pub records_per_window: f64,
    /// Per feature, the variance between windows over that within, at least 1: so many records tell as much as one
    /// independent record does.
    pub design_effects: BTreeMap<String, f64>,
    /// Mean share of texts that were seen before in the same window, 0..=1.
    pub duplicates: Option<f64>,
}
