//! What labelstream adds to a labelled event, as its readers see it, and the headers beside it.
//!
//! `schemas/json/labeled-event.schema.json` says the same to other programs. Changes here are additive: old readers keep
//! working.

use std::sync::Arc;

use schemas::{Fields, Header, Label, LabeledEvent, ModelId, Origin, Signals, TextEvent};
use serde::{Deserialize, Serialize};

use crate::layout::NEST_NAME;

pub const LABEL_HEADER: &str = "labelstream-label";
pub const SCORE_HEADER: &str = "labelstream-score";
pub const MODEL_HEADER: &str = "labelstream-model";
pub const MODEL_DIGEST_HEADER: &str = "labelstream-model-digest";

/// Where a labelled event came from, as it is written in its JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSource {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// The configured id of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Milliseconds since 1970 UTC: the configured field, else the record's timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time_ms: Option<i64>,
}

/// The fields that labelstream adds, as a reader of the labelled topic sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Added {
    pub label: Option<Arc<str>>,
    pub score: Option<f32>,
    pub labels: Vec<Label>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f32>,
    pub model: Arc<ModelId>,
    pub signals: Signals,
    pub source: EventSource,
}

impl Added {
    pub fn new(labeled: &LabeledEvent) -> Self {
        let TextEvent { raw, id, event_time_ms, .. } = &labeled.event;
        let Origin { topic, partition, offset } = raw.origin.clone();
        Self {
            label: labeled.labels.label.clone(),
            score: labeled.labels.score,
            labels: labeled.labels.top.clone(),
            value: labeled.labels.value,
            model: Arc::clone(&labeled.model),
            signals: labeled.signals.clone(),
            source: EventSource { topic, partition, offset, id: id.clone(), event_time_ms: *event_time_ms },
        }
    }
}

/// Reads the fields that labelstream added out of a labelled event's payload, in any layout.
///
/// # Errors
/// Says which field is missing or of the wrong type, and where.
pub fn decode(payload: &[u8]) -> Result<Added, serde_json::Error> {
    let fields: Fields = serde_json::from_slice(payload)?;
    match fields.get(NEST_NAME) {
        Some(nested) if fields.get("label").is_none() || fields.get("signals").is_none() => {
            serde_json::from_str(nested.get())
        }
        _ => serde_json::from_slice(payload),
    }
}

/// The record's own headers, then label, score and model for consumers that route without reading JSON.
///
/// An abstained label is a null header; a regression has its value as score header.
pub(crate) fn headers(labeled: &LabeledEvent) -> Vec<Header> {
    let mut headers = labeled.event.raw.headers.clone();
    let model = &labeled.model;
    headers.push(Header::text(LABEL_HEADER, labeled.labels.label.as_deref()));
    headers
        .push(Header::text(SCORE_HEADER, labeled.labels.score.or(labeled.labels.value).map(|score| score.to_string())));
    headers.push(Header::text(MODEL_HEADER, Some(format!("{}@{}", model.name, model.version))));
    headers.push(Header::text(MODEL_DIGEST_HEADER, Some(&model.digest)));
    headers
}
